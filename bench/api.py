"""The API with a token, as a super administrator, beside a view that returns the same bytes from memory.

    python bench/api.py [--mailboxes 100000] [--domains 500] [--rounds 15]

gunicorn with two workers in the production setting, as docs/installation.md has it, over HTTP on loopback. Questions
take turns in rounds. Wall time is that of the client, a new connection for each request (as from nginx); CPU is that
of both workers. Statements are counted in this process. The list of everything is read as it streams; its memory is
the highest that a worker ever had, beside that after a list of a tenth.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter()

from django.conf import settings
from django.test import Client

from admin.models import Account
from bench import data
from bench.measuring import Table, cost, heading, met
from bench.process import production
from core.actor import Credential
from core.models import Scope
from core.operations.tokens import create_token
from tests.servers.ports import ReservedPort
from tests.servers.processes import Server, short_directory

TOP: Final = Path(__file__).resolve().parent.parent
API: Final = "/api/v1"
_SIZE: Final = 50
_WORKERS: Final = 2
_AT_ONCE: Final = 10  # requests of one question in a round
_WRITTEN: Final = 20
_ENOUGH_S: Final = 60
Headers = dict[str, str]


# --- the server ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Site:
    """A gunicorn, asked by a client that closes its connection, as gunicorn's sync workers do."""

    port: int
    workers: tuple[int, ...]
    headers: Headers

    def ask(self, path: str, body: Any = None) -> tuple[float, int]:
        """Seconds, and bytes of the answer; reads it in pieces, and keeps none."""
        start = time.perf_counter()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ENOUGH_S)
        method, sent = ("GET", None) if body is None else ("POST", json.dumps(body))
        link.request(method, path, sent, self.headers | {"Content-Type": "application/json"})
        answer = link.getresponse()
        size = 0
        while piece := answer.read(65_536):
            size += len(piece)
        link.close()
        if answer.status not in {200, 201}:
            raise RuntimeError(path, answer.status)
        return time.perf_counter() - start, size

    def cpu_s(self) -> float:
        """Of all workers so far; nanoseconds, where /proc/<pid>/stat has hundredths of a second."""
        read = [Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii") for pid in self.workers]
        return sum(int(text.split()[0]) for text in read) / 1e9

    def peak_mb(self) -> float:
        """The most that a worker ever had in memory."""
        read = [Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in self.workers]
        return max(int(re.findall(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)[0]) for text in read) / 1024


@contextmanager
def site(directory: Path, token: str) -> Iterator[Site]:
    """The site, with a database and settings as in production; the throttle counts, and lets through."""
    env = production(directory) | {
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "DJANGO_SETTINGS_MODULE": "modoboa_site.settings",
        "MODOBOA_API_REQUESTS_PER_MINUTE": str(10**9),
        "MODOBOA_SECRET_KEY": settings.SECRET_KEY,  # that of the hash of the token
        "BENCH_ANSWERS": str(directory),
    }
    (directory / "sitestatic").mkdir()
    headers = {"Host": "localhost", "X-Forwarded-Proto": "https", "Authorization": f"Token {token}"}
    with ReservedPort() as port:
        place = ["--bind", f"127.0.0.1:{port.number}", "--workers", str(_WORKERS), "--no-control-socket"]
        command = [sys.executable, "-m", "gunicorn", *place, "--chdir", str(TOP), "bench.api_site"]
        server = Server("gunicorn", command, log=directory / "gunicorn.log", env=env)
        try:
            server.wait_until(lambda: server.log.read_text().count("Booting worker") == _WORKERS)
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii")
            yield Site(port.number, tuple(map(int, children.split())), headers)
        finally:
            server.stop()


# --- what is measured ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Question:
    """An address, and what it cost: milliseconds of the client for each request, CPU of the workers for each round."""

    path: str
    statements: int = 0
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def ask(self, asked: Site) -> None:
        """One round."""
        before = asked.cpu_s()
        self.wall_ms += [1000 * asked.ask(self.path)[0] for _request in range(_AT_ONCE)]
        self.cpu_ms.append(1000 * (asked.cpu_s() - before) / _AT_ONCE)


def count(ask: Callable[[], Any]) -> int:
    """Statements; the first request loads what later ones have."""
    ask()
    with cost() as spent:
        answer = ask()
    if answer.status_code not in {200, 201}:
        raise RuntimeError(answer.status_code, answer.content)
    return spent.statements


def creations(domain: str) -> Iterator[Any]:
    """Bodies of new accounts."""
    number = 0
    while True:
        number += 1
        name = f"bench-{os.getpid()}-{number}@{domain}"
        yield {
            "username": name,
            "role": "SimpleUsers",
            "password": data.PASSWORD,
            "mailbox": {"full_address": name, "quota": 100},
        }


def main() -> int:
    """Exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    root = data.super_admin()
    data.load(data.Size(given.mailboxes, given.domains), root)
    data.publish()
    owner = replace(root, credential=Credential.COMMAND)
    token = create_token(owner, name="bench", scopes=Scope.values).clear
    some = Account.objects.exclude(email="").select_related("mailbox__domain").order_by("pk")
    one = some[given.mailboxes // 2]
    last = -(-Account.objects.count() // _SIZE)
    page = f"{API}/accounts/?page_size={_SIZE}&page="
    questions = {
        "accounts, first page": Question(f"{page}1"),
        "accounts, last page": Question(f"{page}{last}"),
        "aliases, first page": Question(f"{API}/aliases/?page_size={_SIZE}"),
        "domains, first page": Question(f"{API}/domains/?page_size={_SIZE}"),
        "one account": Question(f"{API}/accounts/{one.pk}/"),
        "search, a whole address": Question(f"{API}/accounts/?search={one.email}"),
        "search, a beginning": Question(f"{page}1&search={one.email[:6]}"),
    }
    # The throttle counts as in production: in one of twelve requests.
    client = Client(headers={"Authorization": f"Token {token}"})
    for question in questions.values():
        question.statements = count(lambda path=question.path: client.get(path))
    bodies = creations(one.mailbox.domain.name)
    created = count(lambda: client.post(f"{API}/accounts/", next(bodies), content_type="application/json"))
    questions["the first page from memory"] = Question("/bare/page/")
    heading(f"API: {given.mailboxes:,} mailboxes in {given.domains:,} domains, {given.rounds} rounds")
    with short_directory("mb-") as directory:
        (directory / "page.json").write_bytes(client.get(f"{page}1").content)
        with site(directory, token) as asked:
            for _load in range(given.rounds):
                asked.ask(f"{page}1")
            for question in questions.values():
                question.ask(asked)
                question.wall_ms.clear()
                question.cpu_ms.clear()
            for _round in range(given.rounds):
                for question in questions.values():
                    question.ask(asked)
            create_ms = median(
                1000 * asked.ask(f"{API}/accounts/", next(bodies))[0] for _n in range(_WRITTEN)
            )
            everything = stream(asked, given.mailboxes)
    return tell(questions, created, create_ms, everything)


@dataclass(frozen=True, slots=True)
class Stream:
    """An unpaged list: how long it took, how large it was, and the highest memory of a worker until then."""

    rows: int
    seconds: float
    size: int
    peak_mb: float


def stream(asked: Site, mailboxes: int) -> list[Stream]:
    """A tenth of the accounts, all of them, all of them again: whichever worker answers, several times each."""
    tenth = f"{API}/aliases/"  # one for four mailboxes
    found = []
    for path, rows in (
        (tenth, mailboxes // 4),
        (f"{API}/accounts/", mailboxes),
        (f"{API}/accounts/", mailboxes),
    ):
        measured = [asked.ask(path) for _worker in range(2 * _WORKERS)]
        found.append(Stream(rows, median(s for s, _size in measured), measured[0][1], asked.peak_mb()))
    return found


def tell(questions: dict[str, Question], created: int, create_ms: float, everything: list[Stream]) -> int:
    """Print what was found; 1 when a goal is missed."""
    table = Table(("question", "statements", "CPU ms", "wall ms, p50"))
    for name, each in questions.items():
        table.add(name, each.statements, f"{median(each.cpu_ms):.1f}", f"{median(each.wall_ms):.1f}")
    table.add("create an account", created, "", f"{create_ms:.1f}")
    table.show()
    print()
    lists = Table(("unpaged list", "MB", "seconds", "peak RSS of a worker, MB"))
    for some in everything:
        lists.add(f"{some.rows:,}", f"{some.size / 1e6:.1f}", f"{some.seconds:.1f}", f"{some.peak_mb:.0f}")
    lists.show()
    print()

    def wall(name: str) -> float:
        return median(questions[name].wall_ms)

    first, bare = questions["accounts, first page"], questions["the first page from memory"]
    goals = {
        "statements of a page": (max(each.statements for each in questions.values()), 8),
        "CPU of a page above the same bytes from memory, ms": (
            median(first.cpu_ms) - median(bare.cpu_ms),
            15,
        ),
        "last page / first page": (wall("accounts, last page") / wall("accounts, first page"), 2),
        "statements of one account": (questions["one account"].statements, 5),
        "statements of a creation": (created, 25),
        "search for an address above one account, ms": (
            wall("search, a whole address") - wall("one account"),
            15,
        ),
        "search for a beginning above one account, ms": (
            wall("search, a beginning") - wall("one account"),
            15,
        ),
        "peak of a worker, all / a part": (everything[-1].peak_mb / everything[0].peak_mb, 1.2),
    }
    verdicts = Table(("goal", "measured", "at most", "met"))
    for name, (value, goal) in goals.items():
        verdicts.add(name, f"{value:.3g}", goal, met(value, goal))
    verdicts.show()
    return 1 if any(value > goal for value, goal in goals.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
