"""Statements that are carried out while the program goes on: PostgreSQL works on another core than Python."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import ContextVar
from operator import methodcaller
from typing import Any, Final

from django.db import connection

# What is done with a cursor of the driver.
Work = Callable[[Any], object]

# So many may be on their way, each with the rows that it brings.
_MOST: Final = 16
# Nothing is told by it that has to be waited for.
_END_OF_SAVEPOINT: Final = "RELEASE SAVEPOINT "


class _Queue:
    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._pending = deque[Future[None]]()

    def put(self, work: Work) -> None:
        while len(self._pending) >= _MOST:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(_carry_out, connection.connection, work))

    def wait(self) -> None:
        while self._pending:
            self._pending.popleft().result()

    def before(self, execute: Callable[..., Any], *statement: Any) -> Any:
        """Wrap a statement of Django: it comes after what is on its way."""
        with connection.wrap_database_errors:
            if statement[0].startswith(_END_OF_SAVEPOINT):
                return self.put(methodcaller("execute", statement[0]))
            self.wait()
        return execute(*statement)


_queue: ContextVar[_Queue | None] = ContextVar("queue", default=None)


@contextmanager
def writing_behind() -> Iterator[None]:
    """Within a transaction, let :func:`send` come back at once, on PostgreSQL.

    What fails is raised where the next statement is due, at the latest at the end of the block, which therefore lies
    inside the transaction.
    """
    if connection.vendor != "postgresql":
        yield
        return
    # Leaving the pool waits, also on the way out of an error.
    with ThreadPoolExecutor(1, thread_name_prefix="behind") as pool:
        queue = _Queue(pool)
        token = _queue.set(queue)
        try:
            with connection.execute_wrapper(queue.before):
                yield
                with connection.wrap_database_errors:
                    queue.wait()
        finally:
            _queue.reset(token)


def is_on() -> bool:
    """What is sent comes back at once."""
    return _queue.get() is not None


def send(work: Work) -> None:
    """Do *work*, which reads nothing, with a cursor of PostgreSQL's driver."""
    queue = _queue.get()
    with connection.wrap_database_errors:
        if queue is None:
            connection.ensure_connection()
            _carry_out(connection.connection, work)
        else:
            queue.put(work)


def check_keys() -> None:
    """Have foreign keys checked meanwhile which would otherwise be at the end of the transaction."""
    queue = _queue.get()
    if queue is not None:
        queue.put(_check_keys)


def _check_keys(cursor: Any) -> None:
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def _carry_out(driver: Any, work: Work) -> None:
    with closing(driver.cursor()) as cursor:
        work(cursor)
