"""A new password through the secondary address, for whoever cannot sign in any more.

A link is a keyed digest of what it depends on, and stands nowhere in the database. It ends after
``PASSWORD_RESET_TIMEOUT``, with its use, and with any change of the password, the secondary address or the state of the
account, and when the person signs in to the panel. (``last_login`` would not do: Dovecot moves it with every
mail program that still knows the password.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db.models import Q
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core import background, mailing, policies, throttling
from core.actor import Actor, Credential
from core.authentication import canonical_login
from core.models import ApiToken, Log, User
from core.models.log import Level
from core.operation import operation, record
from core.operations.notices import send_notice, tell_about_new_password
from core.operations.passwords import (
    Secret,
    check_password_is_ours,
    check_secret,
    hashed_secrets,
    is_kept_elsewhere,
    replace_hash,
    tell_plugins_of_password,
)
from core.operations.tokens import remove_tokens_of
from core.refusals import WHOLE_OBJECT, Refusal, Refusals

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

_MAX_NAME = 320


class ResetLinks(PasswordResetTokenGenerator):
    """Makes and checks the secret part of a link."""

    key_salt = "core.operations.resets.ResetLinks"

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        """What a link depends on."""
        account = User.objects.get(pk=user.pk) if not isinstance(user, User) else user
        facts = (
            account.pk,
            timestamp,
            account.password,
            account.secondary_email,
            account.is_active,
            account.is_local,
            _last_sign_in(account),
        )
        return "\0".join(map(str, facts))


links = ResetLinks()

# Whether mail to the secondary address of an account reaches nobody who should not act on the account. Who
# receives mail on this server is known above the core.
_judges: list[Callable[[User], bool]] = []


def trust_by(judge: Callable[[User], bool]) -> None:
    """Send links only to accounts for which *judge* is true as well."""
    if judge not in _judges:
        _judges.append(judge)


def _last_sign_in(account: User) -> int | None:
    sign_ins = Log.objects.filter(kind="session", object_id=account.pk, verb="session.login")
    return sign_ins.order_by("-date_created", "-pk").values_list("pk", flat=True).first()


# --- asking ----------------------------------------------------------------------------------------------------


def request_reset(name: str, address: str | None) -> None:
    """Send a link to whoever is meant by *name*, if anybody can get one; raises :class:`core.throttling.Throttled`.

    Whether there is such an account is found out after the answer: nothing that the asker sees or measures depends
    on it.
    """
    canonical = canonical_login(name[:_MAX_NAME])
    throttling.count(throttling.Thing.RESET, canonical, address)
    background.later(_send_links, canonical, address, translation.get_language() or settings.LANGUAGE_CODE)


def _send_links(name: str, address: str | None, language: str) -> None:
    meant = User.objects.active().filter(Q(username=name) | Q(email=name), is_local=True)
    for account in meant.exclude(secondary_email="").order_by("pk"):
        if not _may_have_link(account):
            continue
        with translation.override(account.language or language):
            subject = _("A new password for your account at %(site)s") % {"site": settings.SITE_HOST}
            minutes = settings.PASSWORD_RESET_TIMEOUT // 60
            send_notice(
                account,
                account.secondary_email,
                subject,
                "core/mail/password_reset.txt",
                link=link_of(account),
                minutes=minutes,
                address=address,
            )
        Log.objects.create(
            level=Level.INFO,
            logger="modoboa.auth",
            message=f"A reset link was sent for '{account}', asked for from {address}"[:255],
            credential="",
            address=address,
            verb="password.link",
            kind=account.event_kind,
            object_id=account.pk,
            object_name=str(account),
        )


def link_of(account: User) -> str:
    """A link that is good from now on."""
    uid = urlsafe_base64_encode(force_bytes(account.pk))
    return mailing.absolute(reverse("core:password_reset_confirm", args=[uid, links.make_token(account)]))


# --- using -----------------------------------------------------------------------------------------------------


def account_of_link(uid: str, token: str) -> User | None:
    """Whose link this is; None for one that is not good (any more)."""
    try:
        pk = int(urlsafe_base64_decode(uid).decode("ascii"))
    except ValueError:
        return None
    account = User.objects.filter(pk=pk).first() if 0 < pk < 2**63 else None
    return account if account is not None and _is_good(account, token) else None


def _may_have_link(account: User) -> bool:
    return not is_kept_elsewhere(account) and all(judge(account) for judge in _judges)


def _is_good(account: User, token: str) -> bool:
    may_have_one = account.is_active and account.is_local and bool(account.secondary_email)
    return may_have_one and links.check_token(account, token) and _may_have_link(account)


def reset_password(actor: Actor, /, *, token: str, password: str) -> User:
    """Give oneself a new password by a link. All sessions end, and all API tokens.

    Codes: ``link_not_good`` (also for the second of two who use it at once), those of the password validators.
    """
    [secret] = hashed_secrets([password])
    account = _reset_password(actor, token, secret)
    tell_about_new_password(account)
    return account


@operation("password.reset", allow=policies.may_reset_own_password)
def _reset_password(actor: Actor, /, token: str, secret: Secret) -> User:
    account = User.objects.select_for_update().filter(pk=actor.pk).first()
    if account is None or not _is_good(account, token):
        message = gettext_lazy("This link is not good any more. Ask for a new one.")
        raise Refusal.single(WHOLE_OBJECT, "link_not_good", message)
    refusals = Refusals()
    check_secret(account, secret, refusals, 0)
    check_password_is_ours(account, refusals, 0)
    refusals.raise_if_any()
    replace_hash(account, account.password, secret.hashed)
    _revoke_tokens(actor)
    account.password = secret.hashed
    record(account)
    tell_plugins_of_password(account, secret, created=False)
    return account


@operation("token.delete", allow=policies.may_reset_own_password)
def _revoke_tokens(actor: Actor, /) -> None:
    for token in ApiToken.objects.filter(owner=actor.pk):
        record(token, versions=())
    remove_tokens_of([actor.pk])


def actor_of_link(account: User, address: str | None) -> Actor:
    """Whoever holds a good link acts as the account."""
    return Actor(account, Credential.RESET_LINK, address)
