"""A private Postfix: the generated configuration, with the settings that tests need otherwise."""

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .packages import program
from .processes import Server, ServerError, run

INSIDE, OUTSIDE = "127.0.0.99", "127.0.0.1"
OLD_S = 3600
MAP_MODE = 0o640

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

# What differs from the generated main.cf: other places, nothing leaves this machine, and shorter waits.
PARAMETERS = {
    "queue_directory": "{queue}",
    "data_directory": "{data}",
    "maillog_file": "{log}",
    "maillog_file_prefixes": "{directory}",
    "alias_maps": "",
    "alias_database": "",
    "inet_protocols": "ipv4",
    "inet_interfaces": "127.0.0.1",
    # No name is looked up.
    "relayhost": "[127.0.0.1]:{sink_port}",
    "smtp_dns_support_level": "disabled",
    "smtp_host_lookup": "native",
    "lmtp_host_lookup": "native",
    "smtpd_peername_lookup": "no",
    # Clients on 127.0.0.1 are strangers, or permit_mynetworks would hide every refusal.
    "mynetworks": f"{INSIDE}/32",
    # The wire is loopback; tests of TLS use the other submission service.
    "smtpd_tls_auth_only": "no",
    "address_verify_negative_expire_time": "2s",
    "address_verify_negative_refresh_time": "1s",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "1000",
    "smtpd_hard_error_limit": "1000",
    "smtpd_client_connection_count_limit": "0",
    "in_flow_delay": "0",
    "minimal_backoff_time": "2s",
    "maximal_backoff_time": "4s",
    "queue_run_delay": "2s",
}
# And from master.cf.
ENDPOINTS = {"smtp": "smtp_port", "submission": "submission_port", "submissions": "submissions_port"}
WITHOUT_TLS = "submission/inet/smtpd_tls_security_level=may"


@dataclass(frozen=True)
class PostfixPlan:
    """What a private Postfix is made of. `generated`: main.cf, master.cf and maps; `parameters`: further ones."""

    directory: Path
    generated: Path
    sink_port: int
    smtp_port: int
    submission_port: int
    submissions_port: int
    parameters: Mapping[str, str]

    @property
    def config(self) -> Path:
        return self.directory / "etc"

    @property
    def maps(self) -> Path:
        return self.config / "modoboa"

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

    @property
    def quota_socket(self) -> Path:
        return self.queue / "private" / "quota-status"


def write_config(plan: PostfixPlan) -> None:
    """Copy the generated files, as people do, and change with Postfix's own tool what tests need otherwise."""
    shutil.copytree(plan.generated, plan.config)
    group = grp.getgrnam("postfix").gr_gid
    for file in plan.maps.glob("*.cf"):
        os.chown(file, 0, group)
        file.chmod(MAP_MODE)
        age(file)
    places = {
        "queue": plan.queue,
        "data": plan.directory / "data",
        "log": plan.log,
        "directory": plan.directory,
        "sink_port": plan.sink_port,
    }
    wanted = {name: value.format(**places) for name, value in PARAMETERS.items()} | dict(plan.parameters)
    postconf(plan.config, "-e", *(f"{name}={value}" for name, value in wanted.items()))
    postconf(plan.config, "-P", WITHOUT_TLS)
    for service, port in ENDPOINTS.items():
        postconf(plan.config, "-F", f"{service}/inet/service=127.0.0.1:{getattr(plan, port)}")


def postconf(config: Path, *arguments: str) -> str:
    """Its output; ServerError when it warns of anything."""
    for name in ("main.cf", "master.cf"):
        age(config / name)
    answer = run([program("postconf"), "-c", str(config), *arguments])
    age(config / "main.cf")
    if answer.stderr:
        message = answer.stderr.decode()
        raise ServerError(message)
    return answer.stdout.decode()


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
