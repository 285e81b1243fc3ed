"""Renaming and deleting mail directories: how many a second, what it costs, and how much memory.

    python bench/directories.py [--engine postgresql|sqlite] [--orders 10000] [--deletes 2000] [--profile]

Every directory is a Maildir with five files. The command runs as a process of its own, as cron starts it. Deletions are
compared to a loop of ``shutil.rmtree`` over as many equal directories on the same disk, which takes turns with them;
once without purging (what a deletion costs until the address is free) and once with it (until the disk is). Goals:
1,000 renames a second, deletions at 0.8 of the loop, as much memory for 10,000 orders as for 1,000.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import panel

if __name__ == "__main__":
    panel.enter(panel.engine_asked_for())

from django.db import connection, transaction
from django.utils import timezone

from admin import publication
from admin.gateways.mail_root import MailRoot, initialize
from admin.models import Account, Mailbox, MailboxOperation, MailUser
from admin.operations import (
    AccountSpec,
    MailboxSpec,
    create_accounts,
    create_domains,
    delete_accounts,
    directories,
)
from admin.operations.domains import DomainSpec
from bench import data
from bench.measuring import Table, cost, heading, met
from core.actor import Actor
from core.models import User
from parameters.operations import update_parameters
from tests.servers.database import Engine
from tests.servers.processes import short_directory

TOP = Path(__file__).resolve().parent.parent
GOAL_RENAMES, GOAL_DELETES, GOAL_MEMORY = 1_000.0, 0.8, 1.05
PER_DOMAIN = 1_000
_LOOK_S = 0.01
FILES = ("cur/1", "cur/2", "cur/3", "dovecot.index", "dovecot-uidlist")
_numbers = iter(range(1_000_000_000))


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    wall_s: float
    cpu_s: float
    rss_mb: float


def maildir(path: Path) -> None:
    """A directory like that of a mailbox."""
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    for name in FILES:
        (path / name).write_bytes(b"x" * 4000)


def run(root: Path) -> Run:
    """The command, as cron starts it."""
    command = [sys.executable, str(TOP / "manage.py"), "handle_mailbox_operations", "--mail-root", str(root)]
    began = time.perf_counter()
    process = subprocess.Popen(command)  # noqa: S603  ours
    # not what wait4 says of memory: that begins with what this process has
    peak_kb = _peak_kb(process.pid)
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        time.sleep(_LOOK_S)
    _pid, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"the command ended with {process.returncode}"
        raise RuntimeError(message)
    return Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, peak_kb / 1024)


def _peak_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def people(actor: Actor, root: Path, number: int) -> list[Mailbox]:
    """Mailboxes with directories."""
    mark = next(_numbers)
    names = [f"m{mark}-{each}.example" for each in range(-(-number // PER_DOMAIN))]
    create_domains(actor, [DomainSpec(name=name) for name in names])
    for turn, name in enumerate(names):
        some = range(min(PER_DOMAIN, number - turn * PER_DOMAIN))
        addresses = [f"old{each}@{name}" for each in some]
        create_accounts(
            actor,
            [AccountSpec(username=address, mailbox=MailboxSpec(address=address)) for address in addresses],
        )
        for address in addresses:
            maildir(root / name / address.partition("@")[0])
    return list(
        Mailbox.objects.filter(domain__name__in=names).select_related("domain", "user").order_by("pk")
    )


def order_renames(boxes: list[Mailbox]) -> None:
    """As the operation leaves them, for all of them at once: the operation is measured elsewhere."""
    now = timezone.now()
    orders = []
    for box in boxes:
        local = box.address.replace("old", "new")
        old, new = box.full_address, f"{local}@{box.domain.name}"
        orders.append(
            MailboxOperation(
                kind="rename",
                mailbox_id=box.pk,
                old_address=old,
                new_address=new,
                source=f"{box.domain.name}/{box.address}",
                target=f"{box.domain.name}/{local}",
                next_attempt_at=now,
            )
        )
        box.address = local
        box.user.email = box.user.username = new
    MailboxOperation.objects.bulk_create(orders, batch_size=500)
    Mailbox.objects.bulk_update(boxes, ["address"], batch_size=500)
    User.objects.bulk_update([box.user for box in boxes], ["email", "username"], batch_size=500)
    addresses = {address for order in orders for address in (order.old_address, order.new_address)}
    some = sorted(addresses)
    for start in range(0, len(some), 1_000):
        with transaction.atomic():
            publication.publish(publication.Keys(addresses=set(some[start : start + 1_000])))
    analyze()


def analyze() -> None:
    """As autovacuum does, which is off here."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def renames(actor: Actor, root: Path, number: int) -> Run:
    """So many, in one run."""
    order_renames(people(actor, root, number))
    found = run(root)
    left = MailboxOperation.objects.unfinished().count()
    served = MailUser.objects.filter(address__startswith="new").count()
    if left or served < number:
        message = f"{left} orders are left, {served} of {number} are served"
        raise RuntimeError(message)
    return found


def profile(actor: Actor, root: Path, number: int) -> None:
    """Where the time of one run goes, and its statements."""
    import cProfile  # noqa: PLC0415  only here
    import pstats  # noqa: PLC0415  as above

    order_renames(people(actor, root, number))
    profiler = cProfile.Profile()
    with MailRoot(str(root)) as opened, cost() as spent:
        profiler.runcall(directories.work_off, opened)
    print(
        f"{number} renames: {spent.statements} statements, {spent.wall_s:.2f} s wall, {spent.cpu_s:.2f} s CPU"
    )
    statistics = pstats.Stats(profiler).strip_dirs()
    statistics.sort_stats("cumulative").print_stats(45)
    statistics.sort_stats("tottime").print_stats(30)


def removed(root: Path, number: int) -> float:
    """Seconds of a plain loop over as many directories."""
    top = root.parent / f"plain{next(_numbers)}"
    for each in range(number):
        maildir(top / str(each))
    os.sync()
    began = time.perf_counter()
    for each in range(number):
        shutil.rmtree(top / str(each))
    return time.perf_counter() - began


def deleted(actor: Actor, root: Path, number: int) -> tuple[float, float]:
    """Seconds until all are in the trash, and until they are gone; without the start of the interpreter."""
    boxes = people(actor, root, number)
    accounts = [box.user_id for box in boxes]
    for start in range(0, number, 500):
        delete_accounts(actor, list(Account.objects.filter(pk__in=accounts[start : start + 500])))
    analyze()
    os.sync()
    with MailRoot(str(root)) as opened:
        began = time.perf_counter()
        directories.work_off(opened)
        trashed = time.perf_counter() - began
        MailboxOperation.objects.filter(trash="kept").update(finished_at=timezone.now() - timedelta(days=99))
        began = time.perf_counter()
        report = directories.work_off(opened)
    if report.purged != number:
        message = f"{report.purged} of {number} were purged"
        raise RuntimeError(message)
    return trashed, trashed + time.perf_counter() - began


def main() -> int:
    """Measure and print; 0 when the goals are met."""
    parser = argparse.ArgumentParser(description="Renaming and deleting mail directories.")
    parser.add_argument("--engine", type=Engine, default=Engine.POSTGRESQL)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--deletes", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    actor = data.super_admin()
    owner = pwd.getpwuid(os.geteuid()).pw_name
    update_parameters(actor, {"admin": {"handle_mailboxes": True, "mailboxes_owner": owner}})
    with short_directory("mb-") as directory:
        root = directory / "vmail"
        root.mkdir()
        initialize(str(root))
        if given.profile:
            profile(actor, root, given.orders)
            return 0
        heading(f"Mail directories on {given.engine}, load as it is")
        idle = run(root)
        few, many = (renames(actor, root, number) for number in (given.orders // 10, given.orders))
        table = Table(("renames in one run", "wall s", "CPU s of the command", "a second", "peak MB"))
        for name, number, found in (
            ("none", 0, idle),
            (f"{given.orders // 10:,}", given.orders // 10, few),
            (f"{given.orders:,}", given.orders, many),
        ):
            rate = f"{number / (found.wall_s - idle.wall_s):,.0f}" if number else ""
            table.add(name, f"{found.wall_s:.2f}", f"{found.cpu_s:.2f}", rate, f"{found.rss_mb:.0f}")
        table.show()
        rate = given.orders / (many.wall_s - idle.wall_s)
        memory = many.rss_mb / few.rss_mb
        print(
            f"\nRenames a second, without the start of Python: {rate:,.0f} (goal {GOAL_RENAMES:,.0f}: "
            f"{met(rate, GOAL_RENAMES, at_least=True)})"
        )
        print(
            f"Memory, ten times as many orders: {memory:.3f} times (goal {GOAL_MEMORY}: {met(memory, GOAL_MEMORY)})"
        )
        table = Table(
            ("deletions", "rmtree s", "to the trash s", "purged as well s", "ratio", "ratio with purging")
        )
        best = [0.0, 0.0]
        ratios: list[tuple[float, float]] = []
        for turn in range(given.rounds):
            plain = removed(root, given.deletes)
            trashed, purged = deleted(actor, root, given.deletes)
            ratios.append((plain / trashed, plain / purged))
            table.add(
                f"{given.deletes:,}, round {turn + 1}",
                *(f"{each:.2f}" for each in (plain, trashed, purged, *ratios[-1])),
            )
        table.show()
        best = [sorted(each)[len(ratios) // 2] for each in zip(*ratios, strict=True)]
        print(
            f"\nDeletions against rmtree, median: {best[0]:.2f} to the trash, {best[1]:.2f} with purging "
            f"(goal {GOAL_DELETES}: {met(best[0], GOAL_DELETES, at_least=True)}, "
            f"{met(best[1], GOAL_DELETES, at_least=True)})"
        )
    return 0 if rate >= GOAL_RENAMES and memory <= GOAL_MEMORY and min(best) >= GOAL_DELETES else 1


if __name__ == "__main__":
    sys.exit(main())
