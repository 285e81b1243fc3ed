"""The API with a token, as a super administrator, beside a view that returns the same bytes from memory.

    python bench/api.py [--mailboxes 100000] [--domains 500] [--rounds 15]

Through Django's test client: the whole request but the socket. Goals: a page of 50 at most 8 statements and 15 ms CPU
more than the bare view, the last page at most twice the first, an account at most 5 statements, searches at most 15 ms
more than an account. The list of everything is read as it streams; its memory is that of the growth of this process.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter()

from django.test import Client, RequestFactory
from rest_framework.response import Response
from rest_framework.views import APIView

from admin.models import Account
from bench import data
from bench.measuring import Cost, Table, cost, heading, median_cost, met
from core.actor import Credential
from core.models import Scope
from core.operations.tokens import create_token

_SIZE: Final = 50


class Bare(APIView):
    """The same bytes from memory."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    value: Any = None

    def get(self, _request: Any) -> Response:
        """Render them."""
        return Response(self.value)


def main() -> int:
    """Exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    root = data.super_admin()
    data.load(data.Size(given.mailboxes, given.domains), root)
    owner = replace(root, credential=Credential.COMMAND)
    token = create_token(owner, name="bench", scopes=Scope.values).clear
    client = Client(headers={"Authorization": f"Token {token}"})
    some = Account.objects.exclude(email="").order_by("pk")[given.mailboxes // 2]
    last = -(-Account.objects.count() // _SIZE)
    page = f"/api/v1/accounts/?page_size={_SIZE}&page="
    questions: dict[str, Callable[[], Any]] = {
        "first page": lambda: client.get(f"{page}1"),
        "last page": lambda: client.get(f"{page}{last}"),
        "aliases": lambda: client.get(f"/api/v1/aliases/?page_size={_SIZE}"),
        "domains": lambda: client.get(f"/api/v1/domains/?page_size={_SIZE}"),
        "account": lambda: client.get(f"/api/v1/accounts/{some.pk}/"),
        "search, exact": lambda: client.get(f"/api/v1/accounts/?search={some.email}"),
        "search, prefix": lambda: client.get(f"{page}1&search={some.email[:6]}"),
    }
    bare = Bare.as_view(value=client.get(f"{page}1").json())
    request = RequestFactory().get("/")
    questions["bare"] = lambda: bare(request).render()
    heading(f"API: {given.mailboxes:,} mailboxes in {given.domains:,} domains, {given.rounds} rounds")
    costs: dict[str, list[Cost]] = {name: [] for name in questions}
    for number in range(given.rounds + 1):
        for name, ask in questions.items():
            with cost() as spent:
                answer = ask()
            if answer.status_code != 200:  # noqa: PLR2004 - the status of an answer
                raise RuntimeError(name, answer.status_code)
            if number:  # the first one loads
                costs[name].append(spent)
    middle = {name: median_cost(some) for name, some in costs.items()}
    table = Table(("question", "statements", "CPU ms", "wall ms"))
    for name, each in middle.items():
        table.add(name, each.statements, f"{each.cpu_s * 1000:.1f}", f"{each.wall_s * 1000:.1f}")
    table.show()
    print()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with cost() as spent:
        everything: Any = client.get("/api/v1/accounts/")
        size = sum(len(part) for part in everything.streaming_content)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"Everything: {size:,} bytes in {spent.wall_s:.1f} s, memory grew by {grown:.0f} MB.\n")
    goals = {
        "statements of a page": (middle["first page"].statements, 8),
        "CPU ms of a page beside the bare view": (
            1000 * (middle["first page"].cpu_s - middle["bare"].cpu_s),
            15,
        ),
        "last page / first page": (middle["last page"].wall_s / middle["first page"].wall_s, 2),
        "statements of an account": (middle["account"].statements, 5),
        "exact search - account, ms": (
            1000 * (middle["search, exact"].wall_s - middle["account"].wall_s),
            15,
        ),
        "prefix search - account, ms": (
            1000 * (middle["search, prefix"].wall_s - middle["account"].wall_s),
            15,
        ),
        "MB that everything needs": (grown, 40),
    }
    verdicts = Table(("goal", "measured", "at most", "met"))
    for name, (value, goal) in goals.items():
        verdicts.add(name, f"{value:.1f}", goal, met(value, goal))
    verdicts.show()
    return 1 if any(value > goal for value, goal in goals.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
