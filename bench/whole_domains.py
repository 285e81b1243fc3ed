"""Renaming and deleting a domain with all its mailboxes.

    python bench/whole_domains.py [--engine postgresql] [--mailboxes 1000 10000] [--rounds 3] [--present 100000]

--profile tells where the time goes. Every mailbox has its usage row; one in ten has a forward, one in ten is in a list
elsewhere, one in twenty has an alias and a sender address. On PostgreSQL, --present mailboxes of other domains are
there already. Goals at 1,000 mailboxes: at most 60 statements and 0.5 s for either; at 10,000 the same statements,
chunks aside.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter(panel.engine_asked_for())

from admin import publication
from admin.models import Domain
from admin.operations import (
    AccountSpec,
    AliasSpec,
    MailboxSpec,
    create_accounts,
    create_aliases,
    create_domain,
    delete_domains,
    update_domain,
)
from bench import data
from bench.measuring import Cost, Table, cost, heading, median_cost
from core.actor import Actor
from core.passwords import MIN_ROUNDS
from parameters.operations import update_parameters
from tests.servers.database import Engine

GOAL_STATEMENTS = 60
GOAL_S = 0.5
# Mailboxes for which the goals hold.
MEASURED = 1_000


def populate(actor: Actor, name: str, count: int, elsewhere: str) -> Domain:
    """A domain with *count* people and what they usually have."""
    domain = create_domain(actor, name=name, default_mailbox_quota=500)
    people = [f"u{number}@{name}" for number in range(count)]
    for some in publication.chunks(enumerate(people), size=2_000):
        create_accounts(
            actor,
            [
                AccountSpec(
                    username=address,
                    password=data.PASSWORD,
                    mailbox=MailboxSpec(
                        address=address,
                        sender_addresses=(f"sales{number}@out.example",) if number % 20 == 0 else (),
                    ),
                )
                for number, address in some
            ],
        )
    aliases = [
        AliasSpec(address=each, recipients=(each, f"x@{number}.out.example"))
        for number, each in enumerate(people[::10])
    ]
    aliases += [
        AliasSpec(address=f"alias{number}@{name}", recipients=(each,))
        for number, each in enumerate(people[::20])
    ]
    aliases.append(
        AliasSpec(address=f"list-{name}@{elsewhere}", recipients=(*people[::10][:1_000], "y@out.example"))
    )
    create_aliases(actor, aliases)
    return domain


def timed(work: Callable[[], object], *, profiled: bool) -> Cost:
    """The cost of *work*; with *profiled*, where it goes."""
    profiler = cProfile.Profile()
    with cost() as spent:
        profiler.runcall(work) if profiled else work()
    if profiled:
        pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(35)
    return spent


def main() -> int:
    """Measure and print; 0 when the goals are met."""
    parser = argparse.ArgumentParser(description="Renaming and deleting whole domains.")
    parser.add_argument("--engine", type=Engine, default=Engine.POSTGRESQL)
    parser.add_argument("--mailboxes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--present", type=int, default=100_000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    actor = data.super_admin()
    if given.engine is Engine.POSTGRESQL:
        data.load(data.Size(given.present, 500), actor)
        data.publish()
    update_parameters(actor, {"core": {"password_scheme": "sha512crypt", "rounds_number": MIN_ROUNDS}})
    create_domain(actor, name="elsewhere.example")
    populate(actor, "warm.example", 10, "elsewhere.example")
    heading(
        f"Whole domains on {given.engine}, {given.present:,} other mailboxes, median of {given.rounds} rounds"
    )
    table = Table(("operation", "mailboxes", "statements", "wall s", "CPU s of the panel"))
    kept = True
    for count in given.mailboxes:
        costs: dict[str, list[Cost]] = {"rename": [], "rename, old name kept": [], "delete": []}
        for turn in range(given.rounds):
            domain = populate(actor, f"r{turn}-{count}.example", count, "elsewhere.example")
            steps: dict[str, Callable[[], object]] = {
                "rename": partial(update_domain, actor, domain, name=f"s{turn}-{count}.example"),
                "rename, old name kept": partial(
                    update_domain, actor, domain, name=f"t{turn}-{count}.example", keep_old_name=True
                ),
                "delete": partial(delete_domains, actor, [domain]),
            }
            for name, work in steps.items():
                costs[name].append(timed(work, profiled=given.profile))
        for name, spent in costs.items():
            middle = median_cost(spent)
            table.add(name, f"{count:,}", middle.statements, f"{middle.wall_s:.2f}", f"{middle.cpu_s:.2f}")
            if count == MEASURED:
                kept &= middle.statements <= GOAL_STATEMENTS and middle.wall_s <= GOAL_S
    table.show()
    goal = f"at most {GOAL_STATEMENTS} statements and {GOAL_S} s"
    print(f"\nAt {MEASURED:,} mailboxes {goal}: {'yes' if kept else 'no'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
