"""Postfix, Dovecot and the outside world together, as people get them from the panel."""

import base64
import imaplib
import os
import poplib
import pwd
import smtplib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from uuid import uuid4

from . import dovecot, trixie
from .dovecot import DovecotPlan, dovecot_server
from .owner import mailbox_owner
from .packages import program, require_servers
from .ports import ReservedPort
from .postfix import INSIDE, OUTSIDE, PostfixPlan, postfix_server, postmap, postmap_many, table_name
from .processes import ServerError, end_leftovers, run, short_directory, tail
from .sink import Sink

TIMEOUT_S = 30.0
SOCKET_PATH_LIMIT = 107
LINE = b"0123456789abcdef" * 4 + b"\r\n"


class Reply(NamedTuple):
    """What a server said to one recipient (or to the message, where all recipients were taken)."""

    code: int
    text: str

    @property
    def accepted(self) -> bool:
        return self.code // 100 == 2


def new_token() -> str:
    return uuid4().hex


class MailStack:
    """A context manager: Postfix and Dovecot on ports of their own, mail for others into `sink`.

    `generated`: what generate_mail_config wrote. Postfix's part is copied, so later changes need a new stack.
    `mail_root`: where homes are, as the files have it; made and given to `mailbox_owner()`.
    `visible`: further directories that Dovecot 2.4 needs in its chroot, such as that of an SQLite file.
    `parameters`: of Postfix, beyond those that every test needs.
    """

    def __init__(
        self,
        *,
        generated: Path,
        driver: str,
        mail_root: Path,
        version: str = "2.3",
        visible: Iterable[Path] = (),
        parameters: Mapping[str, str] | None = None,
        extra_dovecot_conf: str = "",
    ) -> None:
        self.generated, self.driver, self.mail_root = generated, driver, mail_root
        self.version, self.visible = version, visible
        self.parameters, self.extra_dovecot_conf = parameters or {}, extra_dovecot_conf
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        """Skip the test (or fail it when CI is set) where the servers cannot be started."""
        require_servers("postfix", f"postfix-{self.driver}")
        if self.version == "2.3":
            require_servers("dovecot", f"dovecot-{self.driver}")
        end_leftovers()
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def _start(self, resources: ExitStack) -> None:
        self.directory = resources.enter_context(short_directory())
        self.sink = resources.enter_context(Sink())
        ports = [resources.enter_context(ReservedPort()).number for _ in range(6)]
        self.smtp_port, self.submission_port, self.submissions_port = ports[:3]
        self.imap_port, self.pop3_port, self.sieve_port = ports[3:]
        self._open_mail_root(mailbox_owner())
        within, root = self._chroot(resources)  # first: installing it takes a minute
        self.postfix = PostfixPlan(
            self.directory / "p",
            self.generated / "postfix",
            sink_port=self.sink.port,
            smtp_port=self.smtp_port,
            submission_port=self.submission_port,
            submissions_port=self.submissions_port,
            parameters=self.parameters,
        )
        if len(bytes(self.postfix.lmtp_socket)) > SOCKET_PATH_LIMIT:
            message = f"{self.postfix.lmtp_socket} is too long for a socket; set TMPDIR to a short path"
            raise ServerError(message)
        resources.enter_context(postfix_server(self.postfix))
        self.dovecot = DovecotPlan(
            self.directory / "d",
            self.generated / f"dovecot-{self.version}",
            self.version,
            imap_port=self.imap_port,
            pop3_port=self.pop3_port,
            sieve_port=self.sieve_port,
            lmtp_socket=self.postfix.lmtp_socket,
            auth_socket=self.postfix.auth_socket,
            quota_socket=self.postfix.quota_socket,
            within=within,
            root=root,
            extra=self.extra_dovecot_conf,
        )
        resources.enter_context(dovecot_server(self.dovecot))

    def _chroot(self, resources: ExitStack) -> tuple[tuple[str, ...], Path]:
        if self.version == "2.3":
            return (), Path("/")
        places = [self.directory, self.mail_root, self.generated, *self.visible]
        return resources.enter_context(trixie.entered(places)), trixie.trixie_root()

    def _open_mail_root(self, owner: pwd.struct_passwd) -> None:
        self.mail_root.mkdir(parents=True, exist_ok=True)
        os.chown(self.mail_root, owner.pw_uid, owner.pw_gid)
        for place in self.mail_root.parents:
            if not place.stat().st_mode & 0o001:
                message = f"{place} is closed to other users, so mail cannot be stored in {self.mail_root}"
                raise ServerError(message)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.logs())
        self._resources.close()

    def logs(self) -> str:
        """The ends of both mail logs, for people who read a failed test."""
        return f"--- Postfix\n{tail(self.postfix.log)}\n--- Dovecot\n{tail(self.dovecot.log)}"

    def send(
        self,
        sender: str,
        recipients: Sequence[str],
        subject: str,
        *,
        inside: bool = False,
        size: int = 0,
        timeout_s: float = TIMEOUT_S,
    ) -> dict[str, Reply]:
        """Hand a mail over on port 25, as a stranger or as a client of mynetworks; a reply per recipient.

        The subject is also in the body: use a `new_token()`. `size` fills the body up to so many bytes.
        """
        source = (INSIDE if inside else OUTSIDE, 0)
        with smtplib.SMTP("127.0.0.1", self.smtp_port, "client.test", timeout_s, source) as client:
            return transfer(client, sender, recipients, subject, size)

    def submit(
        self,
        login: str,
        password: str,
        sender: str,
        recipients: Sequence[str],
        subject: str = "",
        *,
        size: int = 0,
    ) -> dict[str, Reply]:
        """Hand a mail over on the submission port; smtplib.SMTPAuthenticationError for a wrong password."""
        with smtplib.SMTP("127.0.0.1", self.submission_port, "client.test", TIMEOUT_S) as client:
            client.ehlo()
            token = base64.b64encode(plain(login, password)).decode()
            code, text = client.docmd("AUTH", f"PLAIN {token}")
            if code != 235:
                raise smtplib.SMTPAuthenticationError(code, text)
            return transfer(client, sender, recipients, subject or new_token(), size)

    def imap_login(self, login: str, password: str) -> imaplib.IMAP4:
        """A signed-in connection, to be used in a `with`; imaplib.IMAP4.error for a wrong password."""
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, TIMEOUT_S)
        try:
            client.authenticate("PLAIN", lambda _challenge: plain(login, password))
        except BaseException:
            client.shutdown()
            raise
        return client

    def pop3_login(self, login: str, password: str) -> poplib.POP3:
        """A signed-in connection, to be ended by `quit()`; poplib.error_proto for a wrong password."""
        client = poplib.POP3("127.0.0.1", self.pop3_port, TIMEOUT_S)
        try:
            client.user(login)
            client.pass_(password)
        except BaseException:
            client.close()
            raise
        return client

    def wait_for_mail(self, place: str | Path, token: str, timeout_s: float = 15.0) -> bytes:
        """The delivered message with the token, in a login's home or below a directory; or TimeoutError."""
        home = place if isinstance(place, Path) else self.home(place)
        file = dovecot.wait_for_file(home, token, timeout_s)
        if file is None:
            message = f"no mail with {token!r} below {home}\n{self.logs()}"
            raise TimeoutError(message)
        return file.read_bytes()

    def has_mail(self, place: str | Path, token: str) -> bool:
        """Whether it is there now; wait for another mail's delivery before you conclude from False."""
        home = place if isinstance(place, Path) else self.home(place)
        return dovecot.maildir_file(home, token) is not None

    def home(self, login: str) -> Path:
        fields = self.doveadm_user(login)
        if fields is None:
            message = f"{login} is not known to Dovecot"
            raise LookupError(message)
        return Path(fields["home"])

    def table(self, file: str | Path) -> str:
        """What `postmap` calls a map: `file` is a path, or a name in this stack's copy of the maps."""
        return table_name(self.driver, self.postfix.maps / file)

    def postmap(self, file: str | Path, key: bytes | str) -> str | None:
        """Ask Postfix's driver; None when nothing is found, ServerError when the query is broken."""
        return postmap(self.postfix.config, self.table(file), key)

    def postmap_many(self, file: str | Path, keys: Iterable[bytes | str]) -> list[str | None]:
        """The answers in the order of the keys; one process for all but empty and many-line keys."""
        return postmap_many(self.postfix.config, self.table(file), keys)

    def reload_postfix(self) -> None:
        """Have its processes begin anew."""
        run([program("postfix"), "-c", str(self.postfix.config), "reload"])

    def doveadm(self, *arguments: str) -> str:
        return dovecot.doveadm(self.dovecot, *arguments)[1]

    def doveadm_user(self, address: str) -> dict[str, str] | None:
        """Userdb fields; None for nobody; ServerError when the lookup failed (exit code 75)."""
        return dovecot.user(self.dovecot, address)

    def doveadm_auth(self, login: str, password: str) -> bool:
        return dovecot.accepts(self.dovecot, login, password)


def plain(login: str, password: str) -> bytes:
    """SASL PLAIN (RFC 4616) in UTF-8, which neither smtplib nor imaplib can do by themselves."""
    return f"\0{login}\0{password}".encode()


def transfer(
    client: smtplib.SMTP, sender: str, recipients: Sequence[str], subject: str, size: int
) -> dict[str, Reply]:
    client.ehlo()
    options = []
    if not "".join((sender, *recipients)).isascii():
        client.command_encoding = "utf-8"
        options = ["SMTPUTF8", "BODY=8BITMIME"]
    refusal = reply(client.mail(sender, options))
    if not refusal.accepted:
        return dict.fromkeys(recipients, refusal)
    # As it is: `client.rcpt` takes a source route apart.
    replies = {name: reply(client.docmd("RCPT", f"TO:<{name}>")) for name in recipients}
    if any(answer.accepted for answer in replies.values()):
        verdict = reply(client.data(compose(sender, recipients, subject, size)))
        replies = {name: verdict if answer.accepted else answer for name, answer in replies.items()}
    return replies


def reply(answer: tuple[int, bytes]) -> Reply:
    return Reply(answer[0], answer[1].decode(errors="replace"))


def compose(sender: str, recipients: Sequence[str], subject: str, size: int) -> bytes:
    head = (
        f"From: <{sender}>\r\nTo: {', '.join(f'<{name}>' for name in recipients)}\r\nSubject: {subject}\r\n"
    )
    start = f"{head}Message-ID: <{uuid4().hex}@client.test>\r\n\r\n{subject}\r\n".encode()
    return start + LINE * (max(0, size - len(start)) // len(LINE) + bool(size))
