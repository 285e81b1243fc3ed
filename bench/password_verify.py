"""Compare the verification of a SHA512-CRYPT password with crypt(3) itself.

    python bench/password_verify.py [rounds of measurement]

Both are measured in turns, so that a busy machine slows both. Goal: ratio ≤ 1.3.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.passwords import DEFAULT_ROUNDS, hash_password, libcrypt, verify_password

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = 1.3
SECRET = "a password of usual length"  # noqa: S105 - nobody's


def seconds(action: Callable[[], object]) -> float:
    """Time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main(turns: int) -> int:
    """Measure and print; 0 when the goal is met."""
    if not libcrypt.is_available():
        print("There is no libcrypt here to compare with.")
        return 1
    stored = hash_password(SECRET, "sha512crypt", DEFAULT_ROUNDS)
    setting = stored.partition("}")[2]
    raw = SECRET.encode()
    ours, theirs = [], []
    for _turn in range(turns):
        theirs.append(seconds(lambda: libcrypt.crypt(raw, setting)))
        ours.append(seconds(lambda: verify_password(SECRET, stored)))
    ratio = median(ours) / median(theirs)
    print(f"sha512crypt, {DEFAULT_ROUNDS} rounds, median of {turns} turns")
    print(f"crypt(3)         {median(theirs) * 1000:8.2f} ms")
    print(f"verify_password  {median(ours) * 1000:8.2f} ms")
    print(f"ratio            {ratio:8.3f}    (goal: at most {GOAL})")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
