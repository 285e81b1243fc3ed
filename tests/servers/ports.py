"""Free loopback ports that two test processes never choose at the same time."""

import errno
import fcntl
import os
import random
import socket
from types import TracebackType
from typing import Self

from .processes import private_directory

# Below 32768: above, the kernel may hand the port to an outgoing connection between choice and bind.
FIRST, LAST = 20_000, 32_000
ATTEMPTS = 1_000


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


class ReservedPort:
    """A port that stays ours until released or until this process ends: the kernel drops the lock."""

    def __init__(self) -> None:
        # Workers are seeded alike by pytest-randomly; the system's source keeps them apart.
        choices = random.SystemRandom()
        for _ in range(ATTEMPTS):
            number = choices.randint(FIRST, LAST)
            descriptor = os.open(private_directory("ports") / str(number), os.O_CREAT | os.O_RDWR, 0o600)
            if lock(descriptor) and is_free(number):
                self.number, self._descriptor = number, descriptor
                return
            os.close(descriptor)
        message = "no free port"
        raise OSError(message)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
