"""The API of a gunicorn with two workers, asked by a super administrator's token, beside a bare view of the framework.

    python bench/api.py [--engine postgresql] [--mailboxes 100000] [--domains 500] [--rounds 15]

The bare view returns the first page of accounts from memory. Questions take turns; of each the median counts. CPU is
that of the workers; memory is how far the peak of a worker rises while it streams the list of everything.
Statements are counted in this process, through Django's test client.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    os.environ["MODOBOA_API_REQUESTS_PER_MINUTE"] = "1000000"
    panel.enter(panel.engine_asked_for())

from django.test import Client

from admin.models import Account
from bench import data
from bench.measuring import Table, cost, heading, met
from core.actor import Credential
from core.models import Scope
from core.operations.tokens import create_token
from tests.servers.ports import ReservedPort
from tests.servers.processes import Server

_SIZE: Final = 50
_AT_ONCE: Final = 10
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Gunicorn:
    """Two workers, as docs/installation.md starts them."""

    port: int
    workers: list[int]
    token: str

    def ask(self, path: str) -> tuple[int, float]:
        """Bytes of the answer, which must be 200, and the seconds that it took."""
        started = time.perf_counter()
        link = http.client.HTTPConnection("localhost", self.port, timeout=300)
        link.request("GET", path, headers={"Authorization": f"Token {self.token}"})
        answer = link.getresponse()
        size = sum(len(part) for part in iter(lambda: answer.read(65536), b""))
        link.close()
        if answer.status != http.client.OK:
            raise RuntimeError(path, answer.status)
        return size, time.perf_counter() - started

    def cpu_s(self) -> float:
        """Of both workers, since they began."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.workers]
        return sum(int(each[11]) + int(each[12]) for each in stats) / _TICKS

    def peaks_mb(self) -> list[float]:
        """The most that each worker held at once."""
        lines = [Path(f"/proc/{pid}/status").read_text().splitlines() for pid in self.workers]
        return [int(next(line for line in each if "VmHWM" in line).split()[1]) / 1024 for each in lines]

    def forget_peaks(self) -> None:
        """From now on the peak is that of what follows."""
        for pid in self.workers:
            Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def gunicorn(token: str, bare: str) -> Iterator[Gunicorn]:
    """Running, with *bare* for the bare view."""
    with TemporaryDirectory() as name, ReservedPort() as port:
        directory = Path(name)
        (directory / "bare.json").write_text(bare, encoding="utf-8")
        top = str(Path(__file__).resolve().parent.parent)
        place = ["--bind", f"127.0.0.1:{port.number}", "--workers", "2", "--no-control-socket"]
        command = [sys.executable, "-m", "gunicorn", *place, "--chdir", top, "modoboa_site.wsgi"]
        env = {
            "DJANGO_SETTINGS_MODULE": "bench.api_settings",
            "MODOBOA_BENCH_BARE": str(directory / "bare.json"),
        }
        server = Server("gunicorn", command, log=directory / "gunicorn.log", env=env)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        try:
            server.wait_until(lambda: server.log.read_text().count("Booting worker") > 1)
            yield Gunicorn(port.number, [int(pid) for pid in children.read_text().split()], token)
        finally:
            server.stop()


@dataclass
class Measured:
    """Of one question: seconds by request, CPU seconds of the workers by round, statements."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    statements: int = 0

    @property
    def wall_ms(self) -> float:
        """The median."""
        return 1000 * median(self.wall_s)

    @property
    def cpu_ms(self) -> float:
        """Of one request: the mean of all rounds, because the clock ticks every 10 ms."""
        return 1000 * sum(self.cpu_s) / len(self.cpu_s) / _AT_ONCE


def main() -> int:
    """Exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine")
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    root = data.super_admin()
    data.load(data.Size(given.mailboxes, given.domains), root)
    owner = replace(root, credential=Credential.COMMAND)
    token = create_token(owner, name="bench", scopes=Scope.values).clear
    here = Client(headers={"Authorization": f"Token {token}"})
    some = Account.objects.exclude(email="").order_by("pk")[given.mailboxes // 2]
    page = f"/api/v1/accounts/?page_size={_SIZE}&page="
    paths = {
        "bare view": "/bare/",
        "accounts, first page": f"{page}1",
        "accounts, last page": f"{page}{-(-Account.objects.count() // _SIZE)}",
        "aliases, first page": f"/api/v1/aliases/?page_size={_SIZE}",
        "domains, first page": f"/api/v1/domains/?page_size={_SIZE}",
        "an account": f"/api/v1/accounts/{some.pk}/",
        "search, a whole address": f"{page}1&search={some.email}",
        "search, a beginning": f"{page}1&search={some.email[:8]}",
        "search, a first name": f"{page}1&search={some.email[:6]}",
    }
    with gunicorn(token, here.get(f"{page}1").content.decode()) as server:
        found = {name: Measured() for name in paths}
        for number in range(given.rounds + 1):
            for name, path in paths.items():
                before = server.cpu_s()
                walls = [server.ask(path)[1] for _request in range(_AT_ONCE)]
                if number:  # the first one loads
                    found[name].wall_s += walls
                    found[name].cpu_s.append(server.cpu_s() - before)
        grown, streamed, took_s = everything(server)
    for name in found.keys() - {"bare view"}:
        found[name].statements = statements(lambda path=paths[name]: here.get(path))  # type: ignore[misc]  # a default
    return report(given, found, created(here, some.email.partition("@")[2]), (grown, streamed, took_s))


def everything(server: Gunicorn) -> tuple[float, int, float]:
    """MB by which a worker's peak rises above what it held, bytes, seconds."""
    server.forget_peaks()
    before = server.peaks_mb()
    size, took_s = server.ask("/api/v1/accounts/")
    grown = max(after - each for each, after in zip(before, server.peaks_mb(), strict=True))
    return grown, size, took_s


def statements(work: Callable[[], Any]) -> int:
    """Through Django, the second time: what is read once in a process does not count."""
    work()
    with cost() as spent:
        work()
    return spent.statements


def created(here: Client, domain: str) -> int:
    """Statements of a new account with a mailbox."""
    numbers = iter(range(2))

    def create() -> None:
        address = f"new{next(numbers)}@{domain}"
        body = {"username": address, "role": "SimpleUsers", "password": data.PASSWORD}
        answer = here.post("/api/v1/accounts/", json.dumps(body), content_type="application/json")
        if answer.status_code != http.client.CREATED:
            raise RuntimeError(answer.content)

    return statements(create)


def report(
    given: argparse.Namespace, found: dict[str, Measured], create: int, whole: tuple[float, int, float]
) -> int:
    """Print it; 1 when a goal is missed."""
    heading(f"API: {given.mailboxes:,} mailboxes in {given.domains:,} domains, {given.rounds} rounds")
    table = Table(("question", "statements", "CPU ms", "wall ms"))
    for name, each in found.items():
        table.add(name, each.statements, f"{each.cpu_ms:.1f}", f"{each.wall_ms:.1f}")
    table.show()
    grown, size, took_s = whole
    print(f"\nThe list of everything: {size:,} bytes in {took_s:.1f} s; a worker grew by {grown:.0f} MB.\n")
    first, account = found["accounts, first page"], found["an account"]
    goals = {
        "statements of a page": (first.statements, 8),
        "CPU ms of a page beside the bare view": (first.cpu_ms - found["bare view"].cpu_ms, 15),
        "last page / first page": (found["accounts, last page"].wall_ms / first.wall_ms, 2),
        "statements of an account": (account.statements, 5),
        "statements of a new account": (create, 25),
        "search for an address - account, ms": (
            found["search, a whole address"].wall_ms - account.wall_ms,
            15,
        ),
        "search for a beginning - account, ms": (found["search, a beginning"].wall_ms - account.wall_ms, 15),
        "MB that the list of everything needs": (grown, 40),
    }
    verdicts = Table(("goal", "measured", "at most", "met"))
    for name, (value, goal) in goals.items():
        verdicts.add(name, f"{value:.1f}", goal, met(value, goal))
    verdicts.show()
    return 1 if any(value > goal for value, goal in goals.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
