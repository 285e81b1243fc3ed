"""crypt(3) of the C library, several times faster than Python and without the interpreter's lock while it works.

The standard library's ``crypt`` module is gone from Python 3.13 and warns before that; ctypes releases the lock
around the call, and ``crypt_r`` keeps its state in a buffer of the caller.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Final

_NAMES: Final = ("libcrypt.so.1", "libcrypt.so.2")
_STATE_BYTES: Final = 1 << 18  # struct crypt_data: 32 KiB in libxcrypt, 128 KiB in old versions of glibc


def _load() -> ctypes.CDLL | None:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            library.crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
            library.crypt_r.restype = ctypes.c_char_p
        except (OSError, AttributeError):
            continue
        return library
    return None


class _State(threading.local):
    """One zeroed buffer per thread."""

    def __init__(self) -> None:
        self.buffer = ctypes.create_string_buffer(_STATE_BYTES)


_library: Final = _load()
_state: Final = _State()


def is_available() -> bool:
    """Whether this system has a library with crypt_r."""
    return _library is not None


def crypt(secret: bytes, setting: str) -> str | None:
    """The hash of ``secret`` with the method and salt of ``setting``, or None when the library cannot make it.

    That is: no library, an unknown method, an unfit salt, or a secret beyond its limit (511 bytes in libxcrypt).
    """
    if _library is None:
        return None
    hashed: bytes | None = _library.crypt_r(secret, setting.encode(), _state.buffer)
    # Failure is a text that no setting starts with ("*0"), lest a careless caller take it for the stored hash.
    if hashed is None or hashed.startswith(b"*"):
        return None
    return hashed.decode("ascii", "replace")
