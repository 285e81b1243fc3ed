"""Creation of accounts with a mailbox: as one batch, and one by one.

    python bench/creation.py [--engine postgresql|sqlite] [--accounts 1000] [--rounds 3] [--present 10000] [--profile]

Passwords are given in clear and hashed with the fewest rounds that there are; the time of the hashes alone is
measured too, and is contained in the other figures. On PostgreSQL, --present mailboxes are there already. Each
account created one by one reads the parameters anew, as a request does. Goal: at most 25 statements for one account.
--profile prints where the batch spends its time instead.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter(panel.engine_asked_for())

from admin.operations import AccountSpec, MailboxSpec, create_account, create_accounts, create_domains
from admin.operations.domains import DomainSpec
from bench import data
from bench.measuring import Cost, Table, cost, heading, median_cost, met
from core.actor import Actor
from core.passwords import MIN_ROUNDS, hash_password
from parameters import tools
from parameters.operations import update_parameters
from tests.servers.database import Engine

GOAL_STATEMENTS = 25
DOMAINS = 10


def specs(count: int, mark: str) -> list[AccountSpec]:
    """New people, spread over the new domains."""
    addresses = [f"{mark}-{number}@new{number % DOMAINS}.example" for number in range(count)]
    return [
        AccountSpec(
            username=address,
            password=data.PASSWORD,
            first_name="Marie",
            last_name="Weber",
            mailbox=MailboxSpec(address=address, quota=500),
        )
        for address in addresses
    ]


def as_batch(actor: Actor, wanted: list[AccountSpec]) -> Cost:
    """All at once."""
    tools.forget()
    with cost() as spent:
        create_accounts(actor, wanted)
    return spent


def one_by_one(actor: Actor, wanted: list[AccountSpec]) -> Cost:
    """A transaction for each."""
    with cost() as spent:
        for spec in wanted:
            tools.forget()
            create_account(
                actor,
                username=spec.username,
                password=spec.password,
                first_name=spec.first_name,
                last_name=spec.last_name,
                mailbox=spec.mailbox,
            )
    return spent


def hashes(count: int) -> Cost:
    """The passwords alone, without threads."""
    with cost() as spent:
        for _number in range(count):
            hash_password(data.PASSWORD, "sha512crypt", MIN_ROUNDS)
    return spent


def profile(actor: Actor, wanted: list[AccountSpec]) -> None:
    """Print the dearest functions, by their own and by their whole time."""
    profiler = cProfile.Profile()
    profiler.runcall(create_accounts, actor, wanted)
    statistics = pstats.Stats(profiler)
    statistics.strip_dirs().sort_stats("cumulative").print_stats(60)
    statistics.sort_stats("tottime").print_stats(40)


def main() -> int:
    """Measure and print; 0 when the goal is met."""
    parser = argparse.ArgumentParser(description="Creation of accounts, as one batch and one by one.")
    parser.add_argument("--engine", type=Engine, default=Engine.POSTGRESQL)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--present", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    actor = data.super_admin()
    if given.engine is Engine.POSTGRESQL:
        data.load(data.Size(given.present, 50), actor)
        data.publish()
    update_parameters(actor, {"core": {"password_scheme": "sha512crypt", "rounds_number": MIN_ROUNDS}})
    create_domains(actor, [DomainSpec(name=f"new{number}.example") for number in range(DOMAINS)])
    as_batch(actor, specs(DOMAINS, "warm"))
    if given.profile:
        profile(actor, specs(given.accounts, "profiled"))
        return 0
    heading(f"Creation of {given.accounts:,} accounts with mailbox on {given.engine}, {given.rounds} rounds")
    batches, singles, bare = [], [], []
    for turn in range(given.rounds):
        batches.append(as_batch(actor, specs(given.accounts, f"batch{turn}")))
        singles.append(one_by_one(actor, specs(given.accounts, f"single{turn}")))
        bare.append(hashes(given.accounts))
    table = Table(("way", "statements per account", "wall ms", "CPU ms of the panel", "accounts/s"))
    for name, costs in (("one batch", batches), ("one by one", singles), ("hashes alone", bare)):
        middle = median_cost(costs)
        table.add(
            name,
            f"{middle.statements / given.accounts:.3g}",
            f"{middle.wall_s / given.accounts * 1000:.2f}",
            f"{middle.cpu_s / given.accounts * 1000:.2f}",
            f"{given.accounts / middle.wall_s:,.0f}",
        )
    table.show()
    each = median_cost(singles).statements / given.accounts
    whole = median_cost(batches).statements
    print(f"\nThe batch ran {whole} statements.")
    print(
        f"One account: {each:.1f} statements (goal: at most {GOAL_STATEMENTS}: {met(each, GOAL_STATEMENTS)})"
    )
    return 0 if each <= GOAL_STATEMENTS else 1


if __name__ == "__main__":
    sys.exit(main())
