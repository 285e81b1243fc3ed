"""The forward of one's own mailbox: the alias at its address, set by the person whose mailbox it is.

What an administrator switched off stays off: as long as that alias is disabled, its owner neither changes nor removes
it (mail stays in the mailbox meanwhile). Everything else about it, such as its description, stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin import policies, publication
from admin.models import Alias, AliasRecipient, Mailbox
from admin.operations.aliases import (
    LocalAddresses,
    canonical_recipients,
    check_loops,
    check_recipients,
    remove_aliases,
    save_recipients,
)
from admin.operations.ground import lock_domains
from core.addresses import split_address, without_extension
from core.models import Log
from core.operation import operation, record
from core.operations.seen import check_seen
from core.presentation import unicode_domain
from core.refusals import WHOLE_OBJECT, Refusal, Refusals
from limits.operations import Owned, give_back

if TYPE_CHECKING:
    from core.actor import Actor


@operation("forward.update", allow=policies.may_set_own_forward)
def set_own_forward(
    actor: Actor, /, *, recipients: Sequence[str], keep_copy: bool, seen: int | None = None
) -> Alias | None:
    """Send one's own mail on to *recipients*, none for no forward; the alias, or None.

    Without *keep_copy* nothing is delivered to the mailbox. *seen*: the last event about the alias that one knew.
    Codes: those of the grammar, ``unknown_recipient``, ``points_to_itself``, ``no_recipient``, ``loop``,
    ``too_many``, ``switched_off``, ``changed_meanwhile``.
    """
    refusals = Refusals()
    given = canonical_recipients({0: recipients}, refusals)[0]
    address = _locked_address(actor, given)
    alias = Alias.objects.filter(address=address).first()
    meanwhile = Refusals()
    check_seen("alias", {0: (alias.pk if alias else _seen_alias(seen), seen)}, meanwhile)
    meanwhile.raise_if_any()
    if alias is not None and not alias.enabled:
        message = _("An administrator switched off the forward of this mailbox. Ask them to switch it on.")
        raise Refusal.single(WHOLE_OBJECT, "switched_off", message)
    others = _others(address, given, refusals, keep_copy=keep_copy)
    wanted = (*others, address) if keep_copy else others
    local = LocalAddresses.behind([address, *wanted])
    if given:
        check_recipients(address, wanted, local, {address}, refusals, 0)
        check_loops([(0, address, wanted)], local, refusals)
    refusals.raise_if_any()
    if not given:
        return None if alias is None else _end(actor, alias)
    return _begin(actor, address, wanted, local) if alias is None else _change(actor, alias, wanted, local)


def _locked_address(actor: Actor, recipients: Sequence[str]) -> str:
    """Address of the own mailbox; its domain and those that its mail goes to are locked."""
    mailboxes = Mailbox.objects.filter(user=actor.pk)
    own = set(mailboxes.values_list("domain_id", flat=True))
    rows = AliasRecipient.objects.filter(alias__address=actor.user.email)
    present = rows.values_list("mailbox__domain", "target_alias__domain")  # None for outside: nothing to lock
    lock_domains(
        actor,
        ids=own.union(*present),
        names={split_address(recipient)[1] for recipient in recipients},
    )
    mailbox = mailboxes.select_related("user", "domain").first()
    if mailbox is None or mailbox.domain_id not in own:
        raise PermissionDenied  # deleted, or moved to another domain, at this moment
    return mailbox.user.email


def _seen_alias(seen: int | None) -> int:
    """The alias that event *seen* was about, which is gone; 0 when there was none."""
    return Log.objects.filter(pk=seen or 0, kind="alias").values_list("object_id", flat=True).first() or 0


def _others(address: str, given: Sequence[str], refusals: Refusals, *, keep_copy: bool) -> tuple[str, ...]:
    """Recipients beside the mailbox itself."""
    others = tuple(each for each in given if without_extension(each) != address)
    for recipient in given:
        if without_extension(recipient) == address and not (recipient == address and keep_copy):
            message = _("“%(recipient)s” is this mailbox itself. Keep a copy here instead.")
            shown = {"recipient": unicode_domain(recipient)}
            refusals.add(0, "recipients", "points_to_itself", message % shown)
    if given and not others and not list(refusals):
        message = _("Enter an address elsewhere, or nothing at all for no forward.")
        refusals.add(0, "recipients", "no_recipient", message)
    return others


@operation("alias.create", allow=policies.may_set_own_forward)
def _begin(_actor: Actor, /, address: str, recipients: Sequence[str], local: LocalAddresses) -> Alias:
    mailbox = Mailbox.objects.get(pk=local.mailboxes[address])
    alias = Alias.objects.create(address=address, domain_id=mailbox.domain_id)
    save_recipients([(alias, recipients)], local)
    publication.publish(publication.Keys(addresses={address}))
    record(alias)
    return alias


@operation("alias.update", allow=policies.may_set_own_forward)
def _change(_actor: Actor, /, alias: Alias, recipients: Sequence[str], local: LocalAddresses) -> Alias:
    present = dict(alias.recipients.values_list("address", "pk"))
    gone = [pk for address, pk in present.items() if address not in recipients]
    new = [address for address in recipients if address not in present]
    if gone or new:
        AliasRecipient.objects.filter(pk__in=gone).delete()
        save_recipients([(alias, new)], local)
        alias.last_modification = timezone.now()
        alias.save(update_fields=["last_modification"])
        publication.publish(publication.keys_of_aliases([alias.pk]))
        record(alias, changed=["recipients"])
    return alias


@operation("alias.delete", allow=policies.may_set_own_forward)
def _end(_actor: Actor, /, alias: Alias) -> None:
    returned = Owned()
    publication.publish(remove_aliases(Alias.objects.filter(pk=alias.pk), returned))
    give_back(returned)
