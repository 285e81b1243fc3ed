"""A private Postfix: its configuration as the documentation has it, with the settings that tests need."""

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .packages import program
from .processes import Server, ServerError, run

INSIDE, OUTSIDE = "127.0.0.99", "127.0.0.1"
OLD_S = 3600
MAP_MODE = 0o640

# What of a generated directory goes into which parameter; a file that does not exist is left out.
MAPS: dict[str, tuple[str, ...]] = {
    "virtual_mailbox_domains": ("sql-domains.cf",),
    "virtual_mailbox_maps": ("sql-mailboxes.cf",),
    "virtual_alias_domains": ("sql-domain-aliases.cf",),
    "virtual_alias_maps": ("sql-aliases.cf",),
    "relay_domains": ("sql-relaydomains.cf",),
    "transport_maps": ("sql-spliteddomains-transport.cf", "sql-relaydomains-transport.cf"),
    "smtpd_sender_login_maps": (
        "sql-sender-login-mailboxes.cf",
        "sql-sender-login-aliases.cf",
        "sql-sender-login-mailboxes-extra.cf",
    ),
}
ACCESS_MAPS = ("sql-maintain.cf", "sql-relay-recipient-verification.cf")

OWN = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "saved",
    "trace",
    "private",
)
HARMLESS = ("non-UTF-8 key", "empty query string")  # such a key finds nothing

DIRECTORIES = dict.fromkeys(OWN, 0o700) | {"public": 0o710, "maildrop": 0o730, "pid": 0o755}
WITH_GROUP = {"public", "maildrop"}

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {log}
maillog_file_prefixes = {directory}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.panel.test
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
recipient_delimiter = +
message_size_limit = 51200000

# Nothing leaves this machine, and no name is looked up.
relayhost = [127.0.0.1]:{sink_port}
smtp_dns_support_level = disabled
smtp_host_lookup = native
lmtp_host_lookup = native
smtpd_peername_lookup = no
# Clients on 127.0.0.1 are strangers, or permit_mynetworks would hide every refusal.
mynetworks = {inside}/32

virtual_transport = lmtp:unix:private/dovecot-lmtp
{maps}
smtpd_recipient_restrictions =
{access}
    permit_mynetworks
    reject_unauth_destination
    reject_unverified_recipient
submission_recipient_restrictions =
{access}
    permit_sasl_authenticated
    reject
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth

unverified_recipient_reject_code = 550
address_verify_map =
address_verify_poll_delay = 1s
address_verify_poll_count = 10
address_verify_positive_expire_time = 1h
address_verify_positive_refresh_time = 1h
address_verify_negative_expire_time = 2s
address_verify_negative_refresh_time = 1s

smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
"""

# One session per smtpd: it never forgets how it resolved an address.
MASTER_CF = """\
127.0.0.1:{smtp_port} inet n - n - - smtpd -o max_use=1
127.0.0.1:{submission_port} inet n - n - - smtpd -o max_use=1
  -o syslog_name=submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_sender_restrictions=reject_sender_login_mismatch
  -o smtpd_recipient_restrictions=$submission_recipient_restrictions
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - 4 proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class PostfixPlan:
    """What a private Postfix is made of. `driver`: pgsql, mysql or sqlite; `proxied`: maps by proxymap."""

    directory: Path
    maps_dir: Path
    driver: str
    proxied: bool
    sink_port: int
    smtp_port: int
    submission_port: int
    extra: str = ""

    @property
    def config(self) -> Path:
        return self.directory / "etc"

    @property
    def queue(self) -> Path:
        return self.directory / "q"

    @property
    def log(self) -> Path:
        return self.directory / "mail.log"

    @property
    def lmtp_socket(self) -> Path:
        return self.queue / "private" / "dovecot-lmtp"

    @property
    def auth_socket(self) -> Path:
        return self.queue / "private" / "auth"

    def tables(self, names: Iterable[str]) -> list[str]:
        kind = f"proxy:{self.driver}" if self.proxied else self.driver
        files = (self.config / "maps" / name for name in names)
        return [f"{kind}:{file}" for file in files if file.exists()]


def main_cf(plan: PostfixPlan) -> str:
    tables = {name: plan.tables(files) for name, files in MAPS.items()}
    access = plan.tables(ACCESS_MAPS)
    return (
        MAIN_CF.format(
            queue=plan.queue,
            data=plan.directory / "data",
            log=plan.log,
            directory=plan.directory,
            sink_port=plan.sink_port,
            inside=INSIDE,
            # An empty value is meant: relay_domains defaults to $mydestination, transport_maps to nothing.
            maps="\n".join(f"{name} = {' '.join(tables[name])}".rstrip() for name in MAPS),
            access="\n".join(f"    check_recipient_access {table}" for table in access),
        )
        + plan.extra
    )


def copy_maps(plan: PostfixPlan) -> None:
    """Take the map files over, readable for Postfix only: they hold a password."""
    maps = plan.config / "maps"
    maps.mkdir()
    group = grp.getgrnam("postfix").gr_gid
    for source in sorted(plan.maps_dir.glob("*.cf")):
        copied = Path(shutil.copyfile(source, maps / source.name))
        os.chown(copied, 0, group)
        copied.chmod(MAP_MODE)
        age(copied)


def write_config(plan: PostfixPlan) -> None:
    plan.config.mkdir()
    copy_maps(plan)
    (plan.config / "main.cf").write_text(main_cf(plan))
    ports = {"smtp_port": plan.smtp_port, "submission_port": plan.submission_port}
    (plan.config / "master.cf").write_text(MASTER_CF.format(**ports))
    age(plan.config / "main.cf")


def age(file: Path) -> None:
    """Make main.cf or a map file look old: Postfix waits while a file could still be under the editor."""
    before = file.stat().st_mtime - OLD_S
    os.utime(file, (before, before))


def make_queue(plan: PostfixPlan) -> None:
    """All directories beforehand, so that `quick-start` may spare the slow check of them."""
    owner, group = pwd.getpwnam("postfix"), grp.getgrnam("postdrop").gr_gid
    plan.queue.mkdir()
    data = plan.directory / "data"
    data.mkdir(mode=0o700)
    os.chown(data, owner.pw_uid, owner.pw_gid)
    for name, mode in DIRECTORIES.items():
        directory = plan.queue / name
        directory.mkdir()
        directory.chmod(mode)
        if name != "pid":
            os.chown(directory, owner.pw_uid, group if name in WITH_GROUP else -1)
    (plan.queue / "quick-start").touch()


@contextmanager
def postfix_server(plan: PostfixPlan) -> Iterator[Server]:
    plan.directory.mkdir()
    write_config(plan)
    make_queue(plan)
    pid_file = plan.queue / "pid" / "master.pid"
    server = Server(
        "Postfix",
        [program("postfix"), "-c", str(plan.config), "start-fg"],
        log=plan.log,
        pid_file=pid_file,
    )
    try:
        server.wait_until(lambda: pid_file.exists() and "daemon started" in plan.log.read_text())
        yield server
    finally:
        server.stop()


def lookup_config(directory: Path) -> Path:
    """Write the least configuration that `postmap` needs: for map files without any running server."""
    main = directory / "main.cf"
    main.write_text("compatibility_level = 3.6\n")
    age(main)
    return directory


def table_name(driver: str, file: Path) -> str:
    return f"{driver}:{file}"


def postmap(config: Path, table: str, key: bytes | str) -> str | None:
    """Look one key up with Postfix's own driver: no Postfix need be running.

    `config` is a directory with a main.cf, be it one line; ServerError on a broken query or connection.
    """
    wanted = key.encode() if isinstance(key, str) else key
    if wanted == b"-":  # postmap would read keys from its input
        return postmap_many(config, table, [wanted])[0]
    command: list[str | bytes] = [program("postmap"), "-c", str(config), "-q", wanted, table]
    answer = run(command, expect=(0, 1))
    complain(answer, table)
    return None if answer.returncode else answer.stdout.decode().removesuffix("\n")


def postmap_many(config: Path, table: str, keys: Iterable[bytes | str]) -> list[str | None]:
    """The answers in the order of the keys, from one process as far as possible."""
    wanted = [key.encode() if isinstance(key, str) else key for key in keys]
    lines = [key for key in wanted if fits_a_line(key)]
    command = [program("postmap"), "-c", str(config), "-q", "-", table]
    answer = run(command, stdin=b"".join(key + b"\n" for key in lines), expect=(0, 1))
    complain(answer, table)
    found = iter(answers(lines, answer.stdout))
    return [next(found) if fits_a_line(key) else postmap(config, table, key) for key in wanted]


def fits_a_line(key: bytes) -> bool:
    return key != b"" and b"\n" not in key


def answers(keys: Iterable[bytes], output: bytes) -> Iterator[str | None]:
    """Pair keys with lines `key TAB value`; keys without an answer have no line.

    By walking through both, as keys may hold tabs: a line that could belong to two keys is the earlier
    one's, which only differs for a key that another key followed by a tab begins with.
    """
    lines = output.split(b"\n")[:-1]
    for key in keys:
        if lines and lines[0].startswith(key + b"\t"):
            yield lines.pop(0).removeprefix(key + b"\t").decode()
        else:
            yield None
    if lines:
        message = f"postmap's answer {lines[0]!r} belongs to no key"
        raise ServerError(message)


def complain(answer: subprocess.CompletedProcess[bytes], table: str) -> None:
    """Raise for what postmap reports as a warning and "not found", but for keys that can be nobody's."""
    # Not splitlines(): a key in a warning may hold what Unicode calls a line end.
    warnings = answer.stderr.decode(errors="replace").split("\n")[:-1]
    if not all(any(harmless in line for harmless in HARMLESS) for line in warnings):
        message = f"{table}: {warnings}"
        raise ServerError(message)
