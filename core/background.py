"""Small work that no answer waits for: mail to a person.

A few threads of the process that answered, with room for a bounded number of jobs. What a job does, and how long
it takes, cannot be read off the answer; so a page that must not tell whether an account exists leaves all of its
looking up to a job. A process that ends in good order finishes its jobs first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, ContextVar
from functools import cache
from threading import Condition
from typing import Final, ParamSpec

from django.db import connections

P = ParamSpec("P")
ROOM: Final = 200
_THREADS: Final = 2
_log = logging.getLogger("modoboa.background")
_changed = Condition()
_jobs = 0
_muted: ContextVar[bool] = ContextVar("muted", default=False)


@contextmanager
def muted() -> Iterator[None]:
    """Leave undone what the block wants to be done later: it is a rehearsal."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="background")


def later(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Do *work* soon, in another thread; False (and a line in the log) when too much waits already."""
    global _jobs  # noqa: PLW0603  the number of jobs of this process
    if _muted.get():
        return True
    with _changed:
        if _jobs >= ROOM:
            _log.error("Too much work waits: %s was dropped.", work.__name__)
            return False
        _jobs += 1

    def run() -> None:
        global _jobs  # noqa: PLW0603  the number of jobs of this process
        try:
            # A context of its own: nothing that an earlier job read, a parameter for example, is seen again.
            Context().run(work, *args, **kwargs)
        except Exception:  # noqa: BLE001  there is nobody above who could be told
            _log.exception("%s failed.", work.__name__)
        finally:
            connections.close_all()
            with _changed:
                _jobs -= 1
                _changed.notify_all()

    _pool().submit(run)
    return True


def wait_until_idle(timeout_s: float) -> bool:
    """True when every job is done; tests ask."""
    with _changed:
        return _changed.wait_for(lambda: _jobs == 0, timeout_s)
