"""Run every scene with every fault, or with one in so many.

    python -m tests.sweep [--engine sqlite|postgresql|mariadb] [--every 5] [--shift 2] [--scene NAME]...
                          [--no-errors | --no-kills]

Prints tables as docs/reliability.md has them; ends with 1 when anything was violated. Needs strace, and for scenes
that cross devices the right to mount, which root has.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.core.management import call_command
from django.db import connection

from tests.servers.database import Database, Engine, database_from_url
from tests.servers.engines import private_server
from tests.servers.packages import program
from tests.servers.processes import end_leftovers, short_directory

if TYPE_CHECKING:
    from tests.sweep.sweeping import Sweep
    from tests.sweep.tracing import Fault

_MARK = "MODOBOA_SWEEP"


def asked_for(words: Sequence[str]) -> argparse.Namespace:
    """What the caller wants."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sweep", description="Faults at every call to the system."
    )
    parser.add_argument("--engine", type=Engine, default=Engine.SQLITE)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th fault")
    parser.add_argument("--shift", type=int, default=0, metavar="K", help="beginning with the K-th")
    parser.add_argument("--scene", action="append", metavar="NAME", help="only this one (may be repeated)")
    parser.add_argument("--no-errors", action="store_true", help="kill only")
    parser.add_argument("--no-kills", action="store_true", help="errors only")
    parser.add_argument(
        "--call", action="append", metavar="NAME", help="only at calls of this name (may be repeated)"
    )
    parser.add_argument("--broken", default="", metavar="HOW", help="break the runner (see broken.py)")
    parser.add_argument("--verbose", action="store_true", help="a line for each fault")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Start the database, and this program once more beside it, where it may mount things that nobody else sees."""
    given = asked_for(words)
    if _MARK in os.environ:
        return sweep(given, Path(os.environ[_MARK]))
    end_leftovers()
    with short_directory("ms-") as directory, private_server(given.engine, directory) as database:
        env = {
            **os.environ,
            _MARK: str(directory),
            "DATABASE_URL": database.url,
            "DJANGO_SETTINGS_MODULE": "modoboa_site.settings",
            "MODOBOA_SECRET_KEY": "only-for-tests",
        }
        command = [sys.executable, "-m", "tests.sweep", *words]
        apart = [program("unshare"), "--mount", "--propagation", "private"]
        if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0:  # noqa: S603  ours
            command = [*apart, *command]
        return subprocess.run(command, env=env, check=False).returncode  # noqa: S603  ours


def sweep(given: argparse.Namespace, directory: Path) -> int:
    """Work through the scenes; 0 when nothing was violated."""
    django.setup()
    from tests.sweep import sweeping  # noqa: PLC0415  models need Django
    from tests.sweep.broken import BROKEN  # noqa: PLC0415  as above
    from tests.sweep.fixture import may_mount  # noqa: PLC0415  as above
    from tests.sweep.scenes import SCENES  # noqa: PLC0415  as above

    call_command("migrate", verbosity=0)
    database = database_from_url(os.environ["DATABASE_URL"])
    base = _settled(database) if database.engine is Engine.SQLITE else None
    connection.close()
    sweeping.prepare()
    print(
        f"| scene ({given.engine}) | calls: root + database | killed | errors | waited for a person | violations | s |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    total: Counter[str] = Counter()
    position = 0
    for scene in SCENES:
        if given.scene and scene.name not in given.scene:
            continue
        if scene.crosses and not may_mount():
            print(f"| {scene.name} | not run: mounting is not allowed here |")
            continue
        began = time.monotonic()
        work = sweeping.Sweep(scene, directory / "scene", database, BROKEN[given.broken])
        work.directory.mkdir(exist_ok=True)
        work.build(base)
        if not position:
            work.warm_up()
        clean, wrong = work.clean_run()
        for line in wrong:
            print(f"{scene.name}, undisturbed: {line}")
        root, others = work.points(clean)
        every = list(sweeping.faults(root, others, kills=not given.no_kills, errors=not given.no_errors))
        if given.call:
            every = [fault for fault in every if fault.call.name in given.call]
        # So that scenes of any length go on where the one before stopped.
        chosen = every[(given.shift - position) % given.every :: given.every]
        position += len(every)
        counts = tried(work, chosen, verbose=given.verbose)
        counts["violations"] += bool(wrong)
        total += counts
        print(
            f"| {scene.name} | {len(root)} + {len(others)} | {counts['killed']} | {counts['errors']} "
            f"| {counts['failed']} | {counts['violations']} | {time.monotonic() - began:.0f} |",
            flush=True,
        )
    print(f"| all | | {total['killed']} | {total['errors']} | {total['failed']} | {total['violations']} | |")
    if total["missed"]:
        print(f"\n{total['missed']} faults were not reached.")
    return 1 if total["violations"] else 0


def tried(work: Sweep, faults: Sequence[Fault], *, verbose: bool) -> Counter[str]:
    """Let every one of *faults* happen; says what was violated."""
    counts: Counter[str] = Counter()
    for fault in faults:
        outcome = work.outcome(fault)
        kind = "killed" if "SIGKILL" in fault.what else "errors"
        counts[kind if outcome.was_reached else "missed"] += 1
        counts["failed"] += bool(outcome.failed)
        counts["violations"] += bool(outcome.violations)
        if outcome.violations or verbose:
            print(f"{work.scene.name}: {fault.option} ({outcome.ending}) at {fault.call.line}")
        for line in outcome.violations:
            print(f"    {line}")
        if outcome.violations:
            print(f"    said: {outcome.said[-1500:]}", flush=True)
    return counts


def _settled(database: Database) -> Path:
    """The file with nothing beside it."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(database.name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
