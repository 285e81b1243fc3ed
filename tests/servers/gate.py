"""A way to a database that can be shut: for the servers behind it the database is down."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

CHUNK = 65_536


class Gate:
    """A context manager: connections to `port` lead to the database's `host` and `port` while it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._is_open = True
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def shut(self) -> None:
        """End every connection, and whatever comes."""
        with self._lock:
            self._is_open = False
            ended, self._sockets = self._sockets, set()
        for each in ended:
            end(each)

    def open(self) -> None:
        with self._lock:
            self._is_open = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut()
        end(self._listener)
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:  # the end
                return
            with self._lock:
                if not self._is_open:
                    end(client)
                    continue
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    end(client)
                    continue
                self._sockets |= {client, server}
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
        with self._lock:
            self._sockets -= {source, sink}
        end(source)
        end(sink)


def end(connection: socket.socket) -> None:
    """Both sides learn of it, also one that waits."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
