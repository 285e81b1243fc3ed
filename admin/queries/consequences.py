"""What a deletion takes with it, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext, ngettext

from admin.models import Account, Alias, AliasRecipient, Domain, DomainAlias
from admin.queries.accounts import mailbox_of
from admin.queries.directories import fate_of_directories
from core.models import User
from core.presentation import unicode_domain
from core.roles import Role
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.actor import Actor


def of_domain(domain: Domain) -> list[str]:
    """Deleting a domain: its mail, its aliases, and what leads to them from elsewhere."""
    sentences = [
        gettext("Mail to %(name)s is refused from now on.") % {"name": unicode_domain(domain.name)},
        *_of_people(domain),
        *fate_of_directories(domain.mailboxes.count()),
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


def _of_people(domain: Domain) -> Iterator[str]:
    """Who goes with his mailbox, and who stays without one."""
    people = User.objects.filter(mailbox__domain=domain)
    staying = User.objects.none() if _ends_everybody() else people.exclude(role=Role.SIMPLE_USER)
    stay = staying.count()
    yield from _counted(
        people.count() - stay,
        lambda n: ngettext(
            "%(number)d account is deleted with its mailbox.",
            "%(number)d accounts are deleted with their mailboxes.",
            n,
        ),
    )
    yield from _counted(
        stay,
        lambda n: ngettext(
            "%(number)d administrator loses the mailbox here and keeps the account.",
            "%(number)d administrators lose the mailbox here and keep the account.",
            n,
        ),
    )


def _ends_everybody() -> bool:
    """Whether administrators go with their mailboxes, too."""
    return bool(get_global_parameter("auto_account_removal", "admin"))


def obstacle_of_domain(actor: Actor, domain: Domain) -> str:
    """Why the deletion of a domain will be refused; "" when nothing is known."""
    shown = {"name": unicode_domain(domain.name)}
    if User.objects.filter(pk=actor.pk, mailbox__domain=domain).exists():
        return gettext("Your own mailbox is in “%(name)s”. Ask another administrator.") % shown
    people = Account.objects.filter(mailbox__domain=domain)
    within = Account.objects.within_reach_of(actor).filter(mailbox__domain=domain)
    if not actor.is_super and people.exclude(pk__in=within.values("pk")).exists():
        words = gettext("In “%(name)s” is the mailbox of an account that is not yours to administer.")
        return words % shown
    return ""


def of_account(account: Account) -> list[str]:
    """Deleting an account: its mailbox, its forward, its places in aliases, and what it owns."""
    mailbox = mailbox_of(account)
    if mailbox is None:
        sentences = [gettext("Nobody signs in as %(name)s any more.") % {"name": account.username}]
    else:
        address = mailbox.full_address
        shown = {"address": unicode_domain(address)}
        sentences = [
            gettext("%(address)s stops receiving and sending mail at once.") % shown,
            *fate_of_directories(1),
        ]
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
