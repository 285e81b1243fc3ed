"""A private Dovecot, 2.3 from this machine or 2.4 in a chroot, with the generated configuration."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .packages import program
from .processes import Server, ServerError, becomes_true, run, tail

# sysexits.h, as doveadm uses them.
EX_NOUSER, EX_NOPERM = 67, 77
BANNER_LIMIT_S = 2.0
TEMPORARY_PATIENCE_S = 2.0

SPOOL = "/var/spool/postfix/private"
# What differs from the generated files: other places, sign-in without TLS on loopback, no waiting.
COMMON = """\
base_dir = {run}
state_dir = {state}
log_path = {log}
listen = 127.0.0.1
ssl = yes
auth_verbose = yes
auth_failure_delay = 0
mail_max_userip_connections = 1000

service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener {spool}/dovecot-lmtp {{
    mode = 0
  }}
  unix_listener {lmtp_socket} {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}
service auth {{
  unix_listener {spool}/auth {{
    mode = 0
  }}
  unix_listener {auth_socket} {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
service quota-status {{
  unix_listener {spool}/quota-status {{
    mode = 0
  }}
  unix_listener {quota_socket} {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
# Without it each wrong password slows the next sign-in of the same client address.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
# Version 2.4 wants this one first, also before an include that begins with it.
HEAD = {"2.3": "", "2.4": "dovecot_config_version = 2.4.0\n"}
# Without grace, or a mailbox of 1 MB would take 11 MB with 2.4.
LAST_WORD = {
    "2.3": "disable_plaintext_auth = no\nplugin {\n  quota_grace = 0\n}\n",
    "2.4": "auth_allow_cleartext = yes\nquota_storage_grace = 0\n",
}
SIEVE_PORT = "service managesieve-login {{\n  inet_listener sieve {{\n    port = {sieve_port}\n  }}\n}}\n"


@dataclass(frozen=True)
class DovecotPlan:
    """What a private Dovecot is made of. `generated`: dovecot.conf and what it includes.

    `within` is put before every command: empty, or what enters the chroot (`root`) of the other version.
    """

    directory: Path
    generated: Path
    version: str
    imap_port: int
    pop3_port: int
    sieve_port: int
    lmtp_socket: Path
    auth_socket: Path
    quota_socket: Path
    within: tuple[str, ...] = ()
    root: Path = Path("/")
    extra: str = ""

    @property
    def config(self) -> Path:
        return self.directory / "dovecot.conf"

    @property
    def log(self) -> Path:
        return self.directory / "dovecot.log"


def dovecot_conf(plan: DovecotPlan) -> str:
    places = COMMON.format(
        run=plan.directory / "run",
        state=plan.directory / "state",
        log=plan.log,
        spool=SPOOL,
        imap_port=plan.imap_port,
        pop3_port=plan.pop3_port,
        lmtp_socket=plan.lmtp_socket,
        auth_socket=plan.auth_socket,
        quota_socket=plan.quota_socket,
    )
    sieve = SIEVE_PORT.format(sieve_port=plan.sieve_port)
    generated = f"!include {plan.generated / 'dovecot.conf'}\n"
    return "".join((HEAD[plan.version], generated, places, sieve, LAST_WORD[plan.version], plan.extra))


def let_in(plan: DovecotPlan) -> None:
    """Give what has credentials to the group of the version that reads it: numbers differ in the chroot."""
    lines = (plan.root / "etc/group").read_text().splitlines()
    number = next(line.split(":")[2] for line in lines if line.startswith("dovecot:"))
    for file in (plan.generated / "modoboa").iterdir():
        os.chown(file, 0, int(number))


@contextmanager
def dovecot_server(plan: DovecotPlan) -> Iterator[Server]:
    """Both directories of its sockets must exist."""
    plan.directory.mkdir()
    (plan.directory / "run").mkdir()
    (plan.directory / "state").mkdir()
    plan.config.write_text(dovecot_conf(plan))
    let_in(plan)
    name = "/usr/sbin/dovecot" if plan.within else program("dovecot")
    server = Server(
        f"Dovecot {plan.version}",
        [*plan.within, name, "-F", "-c", str(plan.config)],
        log=plan.log,
        pid_file=plan.directory / "run" / "master.pid",
    )
    try:
        server.wait_until(lambda: greets(plan.imap_port, b"* OK") and greets(plan.pop3_port, b"+OK"))
        yield server
    finally:
        server.stop()


def greets(port: int, banner: bytes) -> bool:
    """Wait for the banner: after a bare connect, a stop soon afterwards takes seconds."""
    try:
        with socket.create_connection(("127.0.0.1", port), BANNER_LIMIT_S) as connection:
            return connection.recv(100).startswith(banner)
    except OSError:
        return False


def doveadm(plan: DovecotPlan, *arguments: str, expect: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """The exit code and the output; ServerError with Dovecot's log unless the code is expected."""
    name = "/usr/bin/doveadm" if plan.within else program("doveadm")
    try:
        answer = run([*plan.within, name, "-c", str(plan.config), *arguments], expect=expect)
    except ServerError as error:
        error.add_note(tail(plan.log))
        raise
    return answer.returncode, answer.stdout.decode()


def user(plan: DovecotPlan, address: str) -> dict[str, str] | None:
    """The fields of the userdb; None for nobody. Dovecot takes `*` and `?` for a mask: ValueError."""
    if {"*", "?"} & set(address):
        message = f"{address} is a mask to doveadm"
        raise ValueError(message)
    code, output = doveadm(plan, "user", "--", address, expect=(0, EX_NOUSER))
    if code == EX_NOUSER:
        return None
    fields = (line.split("\t", 1) for line in output.splitlines()[1:] if "\t" in line)
    return {name: value.strip() for name, value in fields}


def accepts(plan: DovecotPlan, login: str, password: str) -> bool:
    code, _ = doveadm(plan, "auth", "test", "--", login, password, expect=(0, EX_NOPERM))
    return code == 0


def maildir_file(home: Path, token: str) -> Path | None:
    """A delivered message below a home that holds the token; temporary files do not count."""
    wanted = token.encode()
    for file in home.rglob("*"):
        if file.parent.name in {"new", "cur"} and wanted in content(file):
            return file
    return None


def content(file: Path) -> bytes:
    """Nothing when the file has just been moved from new to cur."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def wait_for_file(home: Path, token: str, timeout_s: float) -> Path | None:
    becomes_true(lambda: maildir_file(home, token) is not None, limit_s=timeout_s)
    return maildir_file(home, token)
