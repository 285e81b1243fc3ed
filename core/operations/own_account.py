"""What people change of themselves: profile, language, password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from core import policies, throttling
from core.models import User
from core.operation import operation, record
from core.operations.notices import tell_about_new_password, tell_about_new_secondary_address
from core.operations.passwords import (
    Secret,
    check_password_is_ours,
    check_secret,
    hashed_secrets,
    replace_hash,
    tell_plugins_of_password,
)
from core.operations.profile import check_profile
from core.operations.seen import check_seen
from core.passwords import verify_password
from core.refusals import WHOLE_OBJECT, Refusal, Refusals

if TYPE_CHECKING:
    from core.actor import Actor


def confirm_password(actor: Actor, typed: str) -> str:
    """The stored hash when *typed* is the actor's password.

    Refusal ``wrong_password`` for a blank or a wrong one; too many wrong ones raise
    :class:`core.throttling.Throttled`. Runs outside of operations: a refusal must not take back the count.
    """
    wrong = Refusal.single("current_password", "wrong_password", _("This is not your current password."))
    if not typed:
        raise wrong  # not a guess: nothing to count
    attempt = throttling.begin(throttling.Thing.PASSWORD, actor.user.username, actor.address)
    stored = User.objects.values_list("password", flat=True).get(pk=actor.pk)
    if not verify_password(typed, stored):
        attempt.failed()
        raise wrong
    attempt.succeeded()
    return stored


# --- profile and language --------------------------------------------------------------------------------------


def update_own_profile(
    actor: Actor,
    /,
    *,
    first_name: str | None = None,
    last_name: str | None = None,
    phone_number: str | None = None,
    secondary_email: str | None = None,
    current_password: str = "",
    seen: int | None = None,
) -> User:
    """Change one's own profile; None leaves a field alone. *seen*: the last event about the account that one knew.

    A new secondary address needs the current password: it opens the way to a new one. Codes: ``wrong_password``,
    ``too_long``, ``hidden_character``, ``invalid_email``, ``changed_meanwhile``, ``conflict``.
    """
    before = User.objects.values_list("secondary_email", flat=True).get(pk=actor.pk)
    given = {
        "first_name": first_name,
        "last_name": last_name,
        "phone_number": phone_number,
        "secondary_email": secondary_email,
    }
    values = {name: value for name, value in given.items() if value is not None}
    is_new = secondary_email is not None and secondary_email.strip() != before
    if is_new:
        confirm_password(actor, current_password)
    account = _update_own_profile(actor, values, before, seen)
    if is_new and before:
        tell_about_new_secondary_address(account, before)
    return account


@operation("profile.update", allow=policies.may_change_oneself)
def _update_own_profile(
    actor: Actor, /, values: Mapping[str, str], secondary_email: str, seen: int | None
) -> User:
    account = User.objects.select_for_update().get(pk=actor.pk)
    refusals = Refusals()
    check_seen("account", {0: (account.pk, seen)}, refusals)
    refusals.raise_if_any()
    if account.secondary_email != secondary_email:
        raise _conflict()  # what the password was, or was not, asked for is not what would be replaced
    return _save(account, values)


@operation("language.update", allow=policies.may_change_oneself)
def update_own_language(actor: Actor, /, language: str) -> User:
    """Choose the language of the panel; blank follows the browser. Code: ``unknown_language``."""
    return _save(User.objects.select_for_update().get(pk=actor.pk), {"language": language})


def _save(account: User, values: Mapping[str, str]) -> User:
    changed = [name for name, value in values.items() if value.strip() != getattr(account, name)]
    for name in changed:
        setattr(account, name, values[name].strip())
    refusals = Refusals()
    check_profile(account, refusals, 0)
    refusals.raise_if_any()
    if changed:
        account.save(update_fields=changed)
        record(account, changed=changed)
    return account


# --- password --------------------------------------------------------------------------------------------------


def change_own_password(actor: Actor, /, *, current_password: str, password: str) -> User:
    """Give oneself a new password; the old one is always asked for. Other sessions end with it.

    Codes: ``wrong_password``, those of the password validators, ``not_local``, ``conflict``.
    """
    stored = confirm_password(actor, current_password)
    [secret] = hashed_secrets([password])
    account = _change_own_password(actor, stored, secret)
    tell_about_new_password(account)
    return account


@operation("password.update", allow=policies.may_change_oneself)
def _change_own_password(actor: Actor, /, stored: str, secret: Secret) -> User:
    account = User.objects.select_for_update().get(pk=actor.pk)
    refusals = Refusals()
    check_secret(account, secret, refusals, 0)
    check_password_is_ours(account, refusals, 0)
    if not account.is_local:
        message = _("The password of this account is kept by another system. Change it there.")
        refusals.add(0, WHOLE_OBJECT, "not_local", message)
    refusals.raise_if_any()
    if not replace_hash(account, stored, secret.hashed):
        raise _conflict()
    account.password = secret.hashed
    record(account, changed=["password"])
    tell_plugins_of_password(account, secret, created=False)
    return account


def _conflict() -> Refusal:
    message = _("Somebody else changed this account at this moment. Look at it again and repeat your change.")
    return Refusal.single(WHOLE_OBJECT, "conflict", message)
