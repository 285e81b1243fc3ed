"""The system user who owns mail directories."""

import pwd

from .packages import program
from .processes import run

NAME = "vmail"


def mailbox_owner() -> pwd.struct_passwd:
    """That user; root makes it where it is missing."""
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        run([program("useradd"), *options, NAME])
        return pwd.getpwnam(NAME)
