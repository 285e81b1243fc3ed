"""An SMTP server that keeps what it is given: the outside world, for a private Postfix."""

import socketserver
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

LINE_LIMIT = 8192


@dataclass(frozen=True)
class SunkMail:
    """One message that left: `recipients` in the order of the envelope, `data` without dot-stuffing."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


class Sink:
    """A context manager; the port is known from the start.

    `refusals` maps an address to the whole reply that it gets at RCPT: {"nobody@a.test": "550 5.1.1 No"}.
    """

    def __init__(self) -> None:
        self.refusals: dict[str, str] = {}
        self._mails: list[SunkMail] = []
        self._changed = threading.Condition()
        self._server = SinkServer(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def mails(self) -> list[SunkMail]:
        with self._changed:
            return list(self._mails)

    def keep(self, mail: SunkMail) -> None:
        with self._changed:
            self._mails.append(mail)
            self._changed.notify_all()

    def find(self, token: str) -> SunkMail | None:
        wanted = token.encode()
        return next((mail for mail in self.mails if wanted in mail.data), None)

    def wait_for(self, token: str, timeout_s: float = 15.0) -> SunkMail:
        """The first message with the token; raise TimeoutError when none comes."""
        with self._changed:
            self._changed.wait_for(lambda: self.find(token) is not None, timeout_s)
        mail = self.find(token)
        if mail is None:
            message = f"no mail with {token!r} left; {len(self.mails)} others did"
            raise TimeoutError(message)
        return mail

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class SinkServer(socketserver.ThreadingTCPServer):
    """One thread per connection, on a port that the kernel chooses: it is bound at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        super().__init__(("127.0.0.1", 0), Conversation)


class Conversation(socketserver.StreamRequestHandler):
    """The server's side of RFC 5321, as far as Postfix speaks it."""

    server: SinkServer

    def handle(self) -> None:
        self.sender, self.recipients = "", list[str]()
        try:
            self.reply("220 sink.test ESMTP")
            while (line := self.rfile.readline(LINE_LIMIT)) and self.obey(line.decode().strip()):
                pass
        except ConnectionError:
            return  # Postfix hangs up on connections that it keeps for reuse

    def reply(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def obey(self, line: str) -> bool:
        verb = line[:4].upper()
        if verb == "EHLO":
            self.reply("250-sink.test", "250-8BITMIME", "250-PIPELINING", "250 SMTPUTF8")
        elif verb == "MAIL":
            self.sender, self.recipients = path_of(line), []
            self.reply("250 2.1.0 Ok")
        elif verb == "RCPT":
            self.recipient(path_of(line))
        elif verb == "DATA":
            self.data()
        elif verb == "QUIT":
            self.reply("221 2.0.0 Bye")
        elif verb in {"HELO", "RSET", "NOOP"}:
            self.reply("250 2.0.0 Ok")
        else:
            self.reply("500 5.5.2 Unknown")
        return verb != "QUIT"

    def recipient(self, address: str) -> None:
        refusal = self.server.sink.refusals.get(address)
        if refusal is None:
            self.recipients.append(address)
        self.reply(refusal or "250 2.1.5 Ok")

    def data(self) -> None:
        if not self.recipients:
            self.reply("554 5.5.1 No valid recipients")
            return
        self.reply("354 Go ahead")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b"."))
        self.server.sink.keep(SunkMail(self.sender, tuple(self.recipients), b"".join(lines)))
        self.reply("250 2.0.0 Ok")


def path_of(line: str) -> str:
    """The address in `MAIL FROM:<a@b> SIZE=1`."""
    return line.partition("<")[2].partition(">")[0]
