"""The lists of domains and of identities, as a super administrator sees them in the browser.

    python bench/lists.py [--mailboxes 100000] [--domains 500] [--rounds 7]

First, middle and last page of each list, plain, sorted, filtered and searched, through Django's test client: the
whole request but the socket. Wall times contain the database, CPU is the panel's alone. Goals: at most 10 statements,
and the last page takes at most twice as long as the first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter()

from django.test import Client
from django.urls import reverse

from admin.models import Domain
from admin.queries.domains import domain_list
from admin.queries.identities import identity_list
from admin.queries.listing import Listing
from bench import data
from bench.measuring import Cost, Table, cost, heading, median_cost, met
from core.actor import Actor

GOAL_STATEMENTS = 10
GOAL_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class View:
    """A list with what stands in its URL besides the page."""

    name: str
    url_name: str
    rows: Callable[[Actor, dict[str, str]], Listing[Any]]
    asked: tuple[tuple[str, str], ...] = ()

    def pages(self, actor: Actor) -> int:
        """How many there are; raises when the list ignores the order that it is asked for."""
        listing = self.rows(actor, dict(self.asked))
        if listing.sort != dict(self.asked).get("sort", ""):
            message = f"{self.name}: there is no such order"
            raise ValueError(message)
        return listing.page.pages

    def request(self, client: Client, page: int) -> Cost:
        """Cost of one page."""
        given = {**dict(self.asked), "page": str(page)}
        with cost() as spent:
            answer = client.get(reverse(self.url_name), given)
        if answer.status_code != 200:  # noqa: PLR2004 - the status of a page
            message = f"{self.name}: status {answer.status_code}"
            raise RuntimeError(message)
        return spent


def views(domain: str) -> list[View]:
    """What people do with the lists; *domain* is the name of one."""
    of_domains = [
        ("plain", ()),
        ("sorted by mailboxes", (("sort", "-mailboxes"),)),
        ("sorted by age", (("sort", "-created"),)),
        ("disabled", (("status", "disabled"),)),
        ("search, part of a name", (("q", "a1"),)),
    ]
    of_identities = [
        ("plain", ()),
        ("sorted by kind", (("sort", "kind"),)),
        ("sorted by name", (("sort", "name"),)),
        ("sorted by storage", (("sort", "-storage"),)),
        ("accounts", (("kind", "account"),)),
        ("aliases", (("kind", "alias"),)),
        ("forwards", (("kind", "forward"),)),
        ("catch-alls", (("kind", "catchall"),)),
        ("disabled", (("status", "disabled"),)),
        ("simple users", (("role", "SimpleUsers"),)),
        ("one domain", (("domain", domain),)),
        ("search, many found", (("q", "weber"),)),
        ("search, one found", (("q", "sofia.costa7 " + domain),)),
        ("search, none found", (("q", "zzzz"),)),
        ("search in one domain", (("domain", domain), ("q", "marie"))),
    ]
    return [
        *(View(f"domains, {name}", "admin:domain_list", domain_list, asked) for name, asked in of_domains),
        *(
            View(f"identities, {name}", "admin:identity_list", identity_list, asked)
            for name, asked in of_identities
        ),
    ]


def main() -> int:
    """Load, measure, print; 0 when every goal is met."""
    parser = argparse.ArgumentParser(description="Pages of the lists.")
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    actor = data.super_admin()
    data.load(data.Size(given.mailboxes, given.domains), actor)
    client = Client()
    client.force_login(actor.user)
    wanted = views(Domain.objects.values_list("name", flat=True)[given.domains // 2])
    places = {}
    for view in wanted:
        pages = view.pages(actor)
        places[view] = {"first": 1, "middle": (pages + 1) // 2, "last": pages}
        view.request(client, 1)
    heading(f"Lists: {given.mailboxes:,} mailboxes in {given.domains:,} domains, {given.rounds} rounds")
    costs: dict[tuple[View, str], list[Cost]] = {}
    for _round in range(given.rounds):
        for view, pages_of in places.items():
            for place, page in pages_of.items():
                costs.setdefault((view, place), []).append(view.request(client, page))
    columns = (
        "list",
        "pages",
        "statements",
        "CPU ms first",
        "middle",
        "last",
        "wall ms first",
        "middle",
        "last",
    )
    table = Table((*columns, "last / first", "met"))
    misses = 0
    for view, pages_of in places.items():
        middles = [median_cost(costs[view, place]) for place in pages_of]
        statements = max(each.statements for each in middles)
        ratio = middles[2].wall_s / middles[0].wall_s
        good = statements <= GOAL_STATEMENTS and ratio <= GOAL_RATIO
        misses += not good
        table.add(
            view.name,
            pages_of["last"],
            statements,
            *(f"{each.cpu_s * 1000:.0f}" for each in middles),
            *(f"{each.wall_s * 1000:.0f}" for each in middles),
            f"{ratio:.2f}",
            met(0 if good else 1, 0),
        )
    table.show()
    print(f"\n{len(places) - misses} of {len(places)} lists meet both goals.")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
