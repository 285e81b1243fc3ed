"""Given and random passwords on their way to a hash, and a hash on its way to where mail servers read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core import passwords, signals
from core.hashing_policy import hashing_policy
from core.models import User

if TYPE_CHECKING:
    from core.actor import Actor
    from core.refusals import Refusals

# What has to follow a new hash (the published tables live above the core).
_listeners: list[Callable[[User], None]] = []


def on_new_hash(listener: Callable[[User], None]) -> None:
    """Call *listener* in the transaction that replaced the hash of an account."""
    if listener not in _listeners:
        _listeners.append(listener)


def replace_hash(user: User, stored: str, hashed: str) -> bool:
    """Write a new hash, also where mail servers read it; False when *stored* is not the present one any more."""
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, password=stored).update(password=hashed) == 1
        if changed:
            for listener in _listeners:
                listener(user)
    return changed


@dataclass(frozen=True, slots=True)
class Secret:
    """A password and its hash, made before the transaction begins: hashing is slow on purpose.

    Of a hash that *is_given* nobody knows the password.
    """

    clear: str
    hashed: str
    is_random: bool = False
    is_given: bool = False
    error: passwords.PasswordError | None = None


def random_password() -> str:
    """Letters and digits, as many as the parameter says, drawn again until the validators are content."""
    length = hashing_policy().random_length
    while True:
        secret = passwords.random_password(length)
        try:
            validate_password(secret)
        except ValidationError:
            continue
        return secret


def hashed_secrets(given: Sequence[str | None]) -> list[Secret]:
    """Hashes of the given or of random passwords; the C library hashes outside the interpreter's lock."""
    policy = hashing_policy()

    def hashed(clear: str, is_random: bool) -> Secret:  # noqa: FBT001  mapped over two lists
        try:
            result = passwords.hash_password(clear, policy.scheme, policy.rounds)
        except passwords.PasswordError as error:
            return Secret(clear, "", error=error)
        return Secret(clear, result, is_random=is_random)

    # Drawn here: a thread of the pool would open a database connection of its own to read parameters.
    clear = [random_password() if password is None else password for password in given]
    random = [password is None for password in given]
    if len(given) == 1:
        return [hashed(clear[0], random[0])]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(hashed, clear, random))


def given_hash(stored: str) -> Secret:
    """A hash that was made elsewhere, if it can be stored."""
    if passwords.is_acceptable(stored):
        return Secret("", stored, is_given=True)
    return Secret("", "", is_given=True, error=passwords.PasswordError("hash_unacceptable"))


def unhashed(clear: str) -> Secret:
    """A password without its hash, for a rehearsal: it is judged as any other, and opens nothing."""
    try:
        passwords.check_secret(clear, hashing_policy().scheme)
    except passwords.PasswordError as error:
        return Secret(clear, "", error=error)
    return Secret(clear, passwords.unusable_password())


def tell_plugins_of_password(account: User, secret: Secret, *, created: bool) -> None:
    """Once the transaction is over, of a password that is known. What a rehearsal undoes is told to nobody."""
    if secret.is_given or not signals.account_password_updated.has_listeners():
        return
    news = partial(
        signals.account_password_updated.tell, account=account, password=secret.clear, created=created
    )
    transaction.on_commit(news)


def is_kept_elsewhere(account: User) -> bool:
    """A plugin says that the password of this account is not changed here (the name of its hook misleads)."""
    return any(answer is True for answer in signals.allow_password_change.answers(user=account))


def has_password_here(actor: Actor) -> bool:
    """Whether an actor changes his own password in the panel."""
    return not is_kept_elsewhere(actor.user)


def check_password_is_ours(account: User, refusals: Refusals, position: int) -> None:
    """No plugin keeps the password. Code: ``kept_elsewhere``."""
    if is_kept_elsewhere(account):
        message = _("The password of this account is kept by another system. Change it there.")
        refusals.add(position, "password", "kept_elsewhere", message)


def check_secret(account: User, secret: Secret, refusals: Refusals, position: int) -> None:
    """The rules of the schemes and of the validators; a random password keeps them by itself."""
    if secret.is_random:
        return
    if secret.error is not None:
        refusals.add(position, "password", secret.error.code, secret.error.message)
        return
    if secret.is_given:
        return
    try:
        validate_password(secret.clear, account)
    except ValidationError as error:
        for each in error.error_list:
            message = " ".join(each.messages)
            refusals.add(position, "password", each.code or "weak_password", message)
