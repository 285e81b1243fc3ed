"""The search everywhere, the page about an address and the page of quotas, as requests through Django's test client.

    python bench/search.py [--mailboxes 100000] [--domains 500] [--rounds 7]

The rival is the page of one account, found by its primary key, in the same rounds and by the same person. Goals: a
search by exact address or by prefix takes at most three times as long, whoever asks; so does the page about an address,
in at most 15 statements; the pages of quotas take the same number of statements, first and last.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter()

from django.test import Client
from django.urls import reverse

from admin.models import Account, Domain
from admin.queries.quotas import quota_list
from bench import data
from bench.measuring import Cost, Table, cost, heading, median_cost, met
from core.actor import Actor
from core.models import User
from core.roles import Role

GOAL_RATIO = 3.0
GOAL_STATEMENTS = 15
QUOTA_STATEMENTS = 10
RIVAL = "account, by primary key"
DIALOG: Mapping[str, str] = {"HX-Request": "true"}
SORTS = ("address", "used", "limit", "usage")


@dataclass(frozen=True, slots=True)
class Page:
    """One request."""

    name: str
    url: str
    given: tuple[tuple[str, str], ...] = ()
    in_dialog: bool = False

    def request(self, client: Client) -> Cost:
        """Its cost."""
        with cost() as spent:
            answer = client.get(self.url, dict(self.given), headers=DIALOG if self.in_dialog else None)
        if answer.status_code != 200:  # noqa: PLR2004 - the status of a page
            message = f"{self.name}: status {answer.status_code}"
            raise RuntimeError(message)
        return spent


def pages(account: Account, domain: str) -> list[Page]:
    """What people ask; the first one is the rival."""
    search, address = reverse("admin:search"), reverse("admin:address_detail")
    local = account.username.partition("@")[0]
    texts = {
        "exact address": account.username,
        "exact address, nobody's": f"nobody@{domain}",
        "address with an extension": f"{local}+x@{domain}",
        "beginning of an address": f"{local}@{domain[:3]}",
        "beginning of a name": local[:5],
        "one letter": "m",
        "name of a domain": domain,
        "nothing like it": "zzzz",
    }
    about = {
        "of a mailbox": account.username,
        "of nobody": f"nobody@{domain}",
        "elsewhere": "friend@elsewhere.example",
    }
    return [
        Page(RIVAL, reverse("admin:account_detail", args=[account.pk])),
        *(Page(f"search, {name}", search, (("q", text),), in_dialog=True) for name, text in texts.items()),
        Page("search, beginning of a name, whole page", search, (("q", local[:5]),)),
        *(Page(f"address, {name}", address, (("address", text),)) for name, text in about.items()),
    ]


def quota_pages(actor: Actor, domain: str) -> dict[str, tuple[Page, Page]]:
    """First and last page of each order and of some filters."""
    url = reverse("admin:quota_list")
    views: dict[str, tuple[tuple[str, str], ...]] = {
        **{f"by {sort}": (("sort", sort),) for sort in SORTS},
        **{f"by {sort}, descending": (("sort", f"-{sort}"),) for sort in SORTS},
        "over 80 %": (("usage", "over80"),),
        "one domain by usage": (("domain", domain), ("sort", "-usage")),
        "search": (("q", "marie.weber"),),
    }
    found = {}
    for name, given in views.items():
        last = quota_list(actor, dict(given)).page.pages
        found[name] = (Page(name, url, given), Page(name, url, (*given, ("page", str(last)))))
    return found


def main() -> int:
    """Load, measure, print; 0 when every goal is met."""
    parser = argparse.ArgumentParser(description="Search, addresses and quotas.")
    parser.add_argument("--mailboxes", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    actor = data.super_admin()
    data.load(data.Size(given.mailboxes, given.domains), actor)
    data.publish()
    panel.vacuum()
    domain = Domain.objects.filter(enabled=True).order_by("name")[given.domains // 2]
    account = Account.objects.filter(mailbox__domain=domain, is_active=True).order_by("pk")[3]
    heading(
        f"Search and quotas: {given.mailboxes:,} mailboxes in {given.domains:,} domains, {given.rounds} rounds"
    )
    people = {"super administrator": actor.user, "administrator of one domain": _administrator(domain)}
    misses = 0
    for who, user in people.items():
        client = Client()
        client.force_login(user)
        print(f"\n{who}:\n")
        misses += _searches(client, pages(account, domain.name), given.rounds)
    client = Client()
    client.force_login(actor.user)
    print("\nquotas:\n")
    misses += _quotas(client, quota_pages(actor, domain.name), given.rounds)
    print(f"\n{misses} goals missed.")
    return 1 if misses else 0


def _administrator(domain: Domain) -> User:
    user = User(username="dora", role=Role.DOMAIN_ADMIN)
    user.set_unusable_password()
    user.save()
    domain.administrators.add(user)
    return user


def _searches(client: Client, wanted: list[Page], rounds: int) -> int:
    costs = _costs(client, wanted, rounds)
    rival = costs[wanted[0]]
    table = Table(("page", "statements", "CPU ms", "wall ms", "time / account page", "met"))
    misses = 0
    for page, spent in costs.items():
        ratio = spent.wall_s / rival.wall_s
        good = ratio <= GOAL_RATIO and spent.statements <= GOAL_STATEMENTS
        misses += not good
        figures = (f"{spent.cpu_s * 1000:.0f}", f"{spent.wall_s * 1000:.0f}", f"{ratio:.2f}")
        table.add(page.name, spent.statements, *figures, met(0 if good else 1, 0))
    table.show()
    return misses


def _quotas(client: Client, wanted: dict[str, tuple[Page, Page]], rounds: int) -> int:
    costs = _costs(client, [page for pair in wanted.values() for page in pair], rounds)
    table = Table(("quotas", "statements", "CPU ms first", "last", "wall ms first", "last", "met"))
    misses = 0
    for name, pair in wanted.items():
        first, last = (costs[page] for page in pair)
        good = first.statements == last.statements <= QUOTA_STATEMENTS
        misses += not good
        cpu, wall = ([f"{each * 1000:.0f}" for each in figures] for figures in _figures(first, last))
        table.add(name, first.statements, *cpu, *wall, met(0 if good else 1, 0))
    table.show()
    return misses


def _figures(first: Cost, last: Cost) -> tuple[tuple[float, float], tuple[float, float]]:
    return (first.cpu_s, last.cpu_s), (first.wall_s, last.wall_s)


def _costs(client: Client, wanted: list[Page], rounds: int) -> dict[Page, Cost]:
    """Medians; all pages take turns."""
    for page in wanted:
        page.request(client)
    costs: dict[Page, list[Cost]] = {page: [] for page in wanted}
    for _round in range(rounds):
        for page in wanted:
            costs[page].append(page.request(client))
    return {page: median_cost(each) for page, each in costs.items()}


if __name__ == "__main__":
    sys.exit(main())
