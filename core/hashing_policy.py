"""Which scheme new password hashes use, and how long random passwords are.

The choice is a parameter, and the parameters live above the core: the app ``parameters`` hands its reader in.
"""

from collections.abc import Callable
from dataclasses import dataclass

from core import passwords


@dataclass(frozen=True, slots=True)
class HashingPolicy:
    """Scheme of new hashes; ``rounds`` counts for the schemes that have them."""

    scheme: str = "sha512crypt"
    rounds: int = 70_000
    # Characters of a random password.
    random_length: int = 12


_source: Callable[[], HashingPolicy] = HashingPolicy


def read_from(source: Callable[[], HashingPolicy]) -> None:
    """Ask *source* for the policy from now on."""
    global _source  # noqa: PLW0603  set once, when the apps are ready
    _source = source


def hashing_policy() -> HashingPolicy:
    """The policy in force."""
    return _source()


def hash_secret(secret: str) -> str:
    """``{SCHEME}hash`` of *secret*; raises :class:`core.passwords.PasswordError` for one that cannot be hashed."""
    policy = hashing_policy()
    return passwords.hash_password(secret, policy.scheme, policy.rounds)


def is_outdated(stored: str) -> bool:
    """True when *stored* should be replaced at the next sign-in."""
    policy = hashing_policy()
    return passwords.needs_rehash(stored, policy.scheme, policy.rounds)
