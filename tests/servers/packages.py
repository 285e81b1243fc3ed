"""What the machine must have before a private server can be started."""

import os
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

# Debian package → one file that only this package brings.
EVIDENCE: dict[str, str] = {
    "postfix": "/usr/lib/postfix/sbin/master",
    "postfix-pgsql": "/usr/lib/postfix/postfix-pgsql.so",
    "postfix-mysql": "/usr/lib/postfix/postfix-mysql.so",
    "postfix-sqlite": "/usr/lib/postfix/postfix-sqlite.so",
    "dovecot-core": "/usr/lib/dovecot/auth",
    "dovecot-imapd": "/usr/lib/dovecot/imap",
    "dovecot-pop3d": "/usr/lib/dovecot/pop3",
    "dovecot-lmtpd": "/usr/lib/dovecot/lmtp",
    "dovecot-pgsql": "/usr/lib/dovecot/modules/libdriver_pgsql.so",
    "dovecot-mysql": "/usr/lib/dovecot/modules/libdriver_mysql.so",
    "dovecot-sqlite": "/usr/lib/dovecot/modules/libdriver_sqlite.so",
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "mariadb-server": "/usr/sbin/mariadbd",
    "mariadb-client": "/usr/bin/mariadb",
    "sqlite3": "/usr/bin/sqlite3",
    "nginx-light": "/usr/sbin/nginx",
    "apache2-bin": "/usr/sbin/apache2",
    "libapache2-mod-wsgi-py3": "/usr/lib/apache2/modules/mod_wsgi.so",
    "uwsgi-core": "/usr/bin/uwsgi-core",
    "uwsgi-plugin-python3": "/usr/lib/uwsgi/plugins/python3*_plugin.so",
    "systemd": "/usr/bin/systemd-analyze",
    "debootstrap": "/usr/sbin/debootstrap",
    "strace": "/usr/bin/strace",
}
GROUPS: dict[str, tuple[str, ...]] = {
    "dovecot": ("dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd"),
    "mariadb": ("mariadb-server", "mariadb-client"),
    "apache2": ("apache2-bin", "libapache2-mod-wsgi-py3"),
    "uwsgi": ("uwsgi-core", "uwsgi-plugin-python3"),
}
ONLY_AS_ROOT = frozenset({"postfix", "dovecot", "debootstrap"})


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def is_root() -> bool:
    return os.geteuid() == 0


@cache
def installed(package: str) -> bool:
    evidence = Path(EVIDENCE[package])
    return any(Path("/").glob(str(evidence.relative_to("/"))))


def missing(names: Iterable[str]) -> list[str]:
    """Packages (or groups: "dovecot", "mariadb") that are not installed, by their Debian names."""
    packages = [package for name in names for package in GROUPS.get(name, (name,))]
    return [package for package in packages if not installed(package)]


def obstacle(*names: str) -> str | None:
    """Why servers of these packages cannot be started here, in a sentence; None when they can."""
    absent = missing(names)
    if absent:
        return f"not installed: {', '.join(absent)} (apt-get install {' '.join(absent)})"
    if not is_root() and ONLY_AS_ROOT.intersection(names):
        return f"only root can start {', '.join(sorted(ONLY_AS_ROOT.intersection(names)))}"
    return None


def give_up(reason: str) -> None:
    """Skip on somebody's machine; fail where everything is supposed to be installed."""
    if is_ci():
        pytest.fail(f"CI must be able to run this: {reason}", pytrace=False)
    pytest.skip(reason)


def require_servers(*names: str) -> None:
    """Skip the calling test or fixture, or fail it when CI is set, unless these can be started."""
    reason = obstacle(*names)
    if reason is not None:
        give_up(reason)


def newest_postgresql() -> Path:
    """The directory with the programs of the newest installed server; Debian keeps it out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    return found[-1].parent


def program(name: str) -> str:
    """The path of a program; also looks into the sbin directories, which users rarely have in PATH."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))
    if found is None:
        message = f"{name} is not installed"
        raise FileNotFoundError(message)
    return found
