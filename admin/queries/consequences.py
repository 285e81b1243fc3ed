"""What a deletion takes with it, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext, ngettext

from admin.models import Account, Alias, AliasRecipient, Domain, DomainAlias
from admin.queries.accounts import mailbox_of
from core.models import User
from core.presentation import unicode_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def of_domain(domain: Domain) -> list[str]:
    """Deleting a domain: its mail, its aliases, and what leads to them from elsewhere."""
    sentences = [
        gettext("Mail to %(name)s is refused from now on.") % {"name": unicode_domain(domain.name)},
        *_counted(
            domain.mailboxes.count(),
            lambda n: ngettext(
                "%(number)d mailbox is still here: its account must be deleted first.",
                "%(number)d mailboxes are still here: their accounts must be deleted first.",
                n,
            ),
        ),
        *_counted(
            Alias.objects.filter(domain=domain).count(),
            lambda n: ngettext("%(number)d alias is deleted.", "%(number)d aliases are deleted.", n),
        ),
        *_counted(
            DomainAlias.objects.filter(target=domain).count(),
            lambda n: ngettext(
                "%(number)d domain alias stops working.", "%(number)d domain aliases stop working.", n
            ),
        ),
    ]
    feeding = AliasRecipient.objects.filter(target_alias__domain=domain).exclude(alias__domain=domain)
    return [*sentences, *_losing(feeding)]


def of_account(account: Account) -> list[str]:
    """Deleting an account: its mailbox, its forward, its places in aliases, and what it owns."""
    mailbox = mailbox_of(account)
    if mailbox is None:
        sentences = [gettext("Nobody signs in as %(name)s any more.") % {"name": account.username}]
    else:
        address = mailbox.full_address
        shown = {"address": unicode_domain(address)}
        sentences = [gettext("%(address)s stops receiving and sending mail at once.") % shown]
        if Alias.objects.filter(address=address).exists():
            sentences.append(gettext("Its forward is deleted with it."))
        feeding = AliasRecipient.objects.filter(mailbox=mailbox).exclude(alias__address=address)
        sentences += _losing(feeding)
    owned = (
        (
            Domain.objects.filter(owner=account.pk).count(),
            lambda n: ngettext(
                "%(number)d domain passes to the owner of this account.",
                "%(number)d domains pass to the owner of this account.",
                n,
            ),
        ),
        (
            User.objects.filter(owner=account.pk).count(),
            lambda n: ngettext(
                "%(number)d account passes to the owner of this account.",
                "%(number)d accounts pass to the owner of this account.",
                n,
            ),
        ),
    )
    return [*sentences, *(sentence for number, words in owned for sentence in _counted(number, words))]


def of_alias(alias: Alias) -> list[str]:
    """Deleting an alias: its recipients, and the aliases that lead to it."""
    number = alias.recipients.count()
    shown = {"address": unicode_domain(alias.address), "number": number}
    words = ngettext(
        "Mail to %(address)s reaches its %(number)d recipient no longer.",
        "Mail to %(address)s reaches its %(number)d recipients no longer.",
        number,
    )
    feeding = AliasRecipient.objects.filter(target_alias=alias).exclude(alias=alias)
    return [words % shown, *_losing(feeding)]


def _losing(feeding: QuerySet[AliasRecipient]) -> Iterator[str]:
    """Aliases that lose a recipient, and those of them that end with their last one."""
    losing = Alias.objects.filter(pk__in=feeding.values("alias_id"))
    others = AliasRecipient.objects.filter(alias=OuterRef("pk")).exclude(pk__in=feeding.values("pk"))
    ending = losing.exclude(Exists(others)).count()
    yield from _counted(
        losing.count() - ending,
        lambda n: ngettext(
            "%(number)d other alias loses a recipient.", "%(number)d other aliases lose a recipient.", n
        ),
    )
    yield from _counted(
        ending,
        lambda n: ngettext(
            "%(number)d other alias loses its last recipient and is deleted too.",
            "%(number)d other aliases lose their last recipient and are deleted too.",
            n,
        ),
    )


def _counted(number: int, words: Callable[[int], str]) -> Iterator[str]:
    """The sentence, unless there is nothing to say."""
    if number:
        yield words(number) % {"number": number}
