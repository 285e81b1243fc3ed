"""What a change of many things brings about, in sentences: counted, not listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Count, QuerySet, Sum
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from admin.bulk_changes import Ids, Kind
from admin.models import Account, Alias, AliasRecipient, Domain, DomainAlias, Mailbox, MailboxOperation, Quota
from admin.publication import chunks
from admin.queries.directories import fate_of_directories
from core.models import User
from core.presentation import size_text, unicode_domain
from core.roles import Role
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from collections.abc import Callable


def of_disabling(ids: Ids) -> list[str]:
    """Nothing is lost; but nothing works either."""
    return [
        *_counted(
            len(ids.get(Kind.ACCOUNT, ())),
            lambda n: ngettext(
                "%(number)s person will not be able to sign in, and mail to the mailbox will be refused.",
                "%(number)s people will not be able to sign in, and mail to their mailboxes will be refused.",
                n,
            ),
        ),
        *_counted(
            len(ids.get(Kind.ALIAS, ())),
            lambda n: ngettext(
                "Mail to %(number)s alias will be refused.",
                "Mail to %(number)s aliases will be refused.",
                n,
            ),
        ),
        *_counted(
            len(ids.get(Kind.DOMAIN, ())),
            lambda n: ngettext(
                "Mail to %(number)s domain will be refused, and no mail program signs in there.",
                "Mail to %(number)s domains will be refused, and no mail program signs in there.",
                n,
            ),
        ),
    ]


def of_deletion(ids: Ids) -> list[str]:
    """Mailboxes with their mail, aliases, what leads to them from elsewhere, and who else is concerned."""
    domains, accounts = set(ids.get(Kind.DOMAIN, ())), set(ids.get(Kind.ACCOUNT, ()))
    losing_mailboxes = accounts | _found(Mailbox.objects.all(), "domain", domains, "user_id")
    ending = accounts | _ending_with(domains)
    addresses = _found(Mailbox.objects.all(), "user", losing_mailboxes, "user__email")
    chosen = set(ids.get(Kind.ALIAS, ()))
    aliases = (
        chosen
        | _found(Alias.objects.all(), "address", addresses)
        | _found(Alias.objects.all(), "domain", domains)
    )
    changed, emptied = _elsewhere(aliases, losing_mailboxes)
    names = len(_found(DomainAlias.objects.all(), "target", domains))
    return [
        *_of_mailboxes(addresses),
        *fate_of_directories(len(addresses)),
        *_of_people(len(ending - accounts), len(losing_mailboxes - ending)),
        *_of_aliases(names, len(aliases - chosen), changed, emptied),
        *_passing_on(ending, domains),
    ]


def of_retrying(_ids: Ids) -> list[str]:
    """What failed is tried again."""
    return [
        gettext("The command tries again with its next run, and as often as if this were new."),
        gettext(
            "Mend first what the reason names: nothing on the disk is ever overwritten, so it fails again while "
            "something is in the way."
        ),
    ]


def of_giving_up(ids: Ids) -> list[str]:
    """Directories stay where they are; no mail is lost."""
    pks = ids.get(Kind.ORDER, ())
    kinds = Counter[str]()
    for some in chunks(pks):
        kinds.update(MailboxOperation.objects.filter(pk__in=some).values_list("kind", flat=True))
    kind = MailboxOperation.Kind
    return [
        *_counted(
            kinds[kind.RENAME],
            lambda n: ngettext(
                "%(number)s renamed mailbox answers again at once, and keeps the directory that it has. What was "
                "ordered for it afterwards is given up, or follows.",
                "%(number)s renamed mailboxes answer again at once, and keep the directories that they have. What was "
                "ordered for them afterwards is given up, or follows.",
                n,
            ),
        ),
        *_counted(
            kinds[kind.DELETE],
            lambda n: ngettext(
                "%(number)s directory of a deleted mailbox stays on the disk; no new mailbox gets it.",
                "%(number)s directories of deleted mailboxes stay on the disk; no new mailbox gets them.",
                n,
            ),
        ),
        *_counted(
            kinds[kind.RESTORE],
            lambda n: ngettext(
                "%(number)s directory stays in the trash; its mailbox answers again without it.",
                "%(number)s directories stay in the trash; their mailboxes answer again without them.",
                n,
            ),
        ),
        gettext("No mail is deleted. What was moved already stays at its new place and counts as done."),
    ]


def of_restoring(ids: Ids) -> list[str]:
    """Directories come back from the trash."""
    return [
        *_nobody_to_restore_for(ids.get(Kind.ORDER, ())),
        gettext("What was deleted becomes the directory of the mailbox that has the old address now."),
        gettext("Until the command has moved it, mail for that mailbox waits and no mail program signs in."),
        gettext(
            "A mailbox that has a directory already gets no other: the order then ends, and what was deleted stays in "
            "the trash."
        ),
    ]


def _nobody_to_restore_for(pks: Sequence[int]) -> Iterator[str]:
    wanted = [
        order.wanted_by for some in chunks(pks) for order in MailboxOperation.objects.filter(pk__in=some)
    ]
    present = _found(Mailbox.objects.all(), "user__email", wanted, "user__email")
    missing = [address for address in wanted if address not in present]
    if missing and len(wanted) == 1:
        shown = {"address": unicode_domain(missing[0])}
        yield gettext("Nobody has %(address)s now: say below which mailbox it is for.") % shown
        return
    yield from _counted(
        len(missing),
        lambda n: ngettext(
            "%(number)s is left out, because nobody has its address now: restore it alone, and say for which mailbox.",
            "%(number)s are left out, because nobody has their addresses now: restore them one by one, and say for "
            "which mailboxes.",
            n,
        ),
    )


def _of_mailboxes(addresses: set[str]) -> Iterator[str]:
    used = sum(
        Quota.objects.filter(username__in=some).aggregate(used=Sum("bytes"))["used"] or 0
        for some in chunks(addresses)
    )
    for sentence in _counted(
        len(addresses),
        lambda n: ngettext(
            "%(number)s mailbox stops receiving and sending at once.",
            "%(number)s mailboxes stop receiving and sending at once.",
            n,
        ),
    ):
        yield sentence
        if used:
            yield gettext("%(size)s of mail lie there.") % {"size": size_text(used)}


def _of_people(ending: int, staying: int) -> Iterator[str]:
    """Only where domains are deleted: accounts with a mailbox in them."""
    yield from _counted(
        ending,
        lambda n: ngettext(
            "%(number)s account in there is deleted.", "%(number)s accounts in there are deleted.", n
        ),
    )
    yield from _counted(
        staying,
        lambda n: ngettext(
            "%(number)s administrator has the mailbox in there: it goes, the account stays.",
            "%(number)s administrators have their mailboxes in there: these go, the accounts stay.",
            n,
        ),
    )


def _of_aliases(names: int, taken_along: int, changed: int, emptied: int) -> Iterator[str]:
    yield from _counted(
        names,
        lambda n: ngettext(
            "%(number)s domain alias stops working.", "%(number)s domain aliases stop working.", n
        ),
    )
    yield from _counted(
        taken_along,
        lambda n: ngettext(
            "%(number)s alias or forward goes with them.", "%(number)s aliases and forwards go with them.", n
        ),
    )
    yield from _counted(
        changed,
        lambda n: ngettext(
            "%(number)s other alias loses a recipient.", "%(number)s other aliases lose a recipient.", n
        ),
    )
    yield from _counted(
        emptied,
        lambda n: ngettext(
            "%(number)s other alias loses its last recipient and is deleted too.",
            "%(number)s other aliases lose their last recipient and are deleted too.",
            n,
        ),
    )


def _passing_on(accounts: set[int], domains: set[int]) -> Iterator[str]:
    """What deleted accounts own."""
    yield from _counted(
        len(_found(Domain.objects.all(), "owner", accounts) - domains),
        lambda n: ngettext(
            "%(number)s domain passes to the owner of the account that has it.",
            "%(number)s domains pass to the owners of the accounts that have them.",
            n,
        ),
    )
    yield from _counted(
        len(_found(User.objects.all(), "owner", accounts) - accounts),
        lambda n: ngettext(
            "%(number)s account passes to the owner of the account that made it.",
            "%(number)s accounts pass to the owners of the accounts that made them.",
            n,
        ),
    )


# --- rows that go, in chunks -----------------------------------------------------------------------------------


def _found(rows: QuerySet[Any], lookup: str, values: Iterable[Any], column: str = "pk") -> set[Any]:
    """*column* of the rows whose *lookup* is one of *values*."""
    return {
        found
        for some in chunks(values)
        for found in rows.filter(**{f"{lookup}__in": some}).values_list(column, flat=True)
    }


def _ending_with(domains: Iterable[int]) -> set[int]:
    """Accounts that are deleted along with domains: administrators stay, unless a parameter says otherwise."""
    people = Account.objects.all()
    if not get_global_parameter("auto_account_removal", "admin"):
        people = people.filter(role=Role.SIMPLE_USER)
    return _found(people, "mailbox__domain", domains)


def _elsewhere(aliases: set[int], accounts: set[int]) -> tuple[int, int]:
    """Other aliases that lose a recipient and go on, and those that end with their last one, however far away."""
    doomed = set(aliases)
    lost = _feeding("mailbox__user", accounts) + _feeding("target_alias", aliases)
    while emptied := _without_recipients(lost, doomed):
        doomed |= emptied
        lost += _feeding("target_alias", emptied)
    return len(lost.keys() - doomed), len(doomed - aliases)


def _feeding(lookup: str, ids: Iterable[int]) -> Counter[int]:
    """How many recipients each alias has among *ids*."""
    found = Counter[int]()
    for some in chunks(ids):
        rows = AliasRecipient.objects.filter(**{f"{lookup}__in": some}).values("alias_id").order_by()
        found.update(dict(rows.annotate(number=Count("pk")).values_list("alias_id", "number")))
    return found


def _without_recipients(lost: Counter[int], doomed: set[int]) -> set[int]:
    """Aliases, not doomed yet, that lose as many recipients as they have."""
    present = Counter[int]()
    for some in chunks(lost.keys() - doomed):
        rows = AliasRecipient.objects.filter(alias__in=some).values("alias_id").order_by()
        present.update(dict(rows.annotate(number=Count("pk")).values_list("alias_id", "number")))
    return {pk for pk, number in present.items() if lost[pk] >= number}


def _counted(number: int, words: Callable[[int], str]) -> Iterator[str]:
    """The sentence, unless there is nothing to say."""
    if number:
        yield words(number) % {"number": number_format(number, use_l10n=True, force_grouping=True)}
