"""What the search at the top of every page finds.

Every question is a range over one indexed column and ends after a handful of rows; names of people are left to the
list of identities, which reads all of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from admin.models import Account, Alias, AliasRecipient, Domain, DomainAlias, SenderAddress
from admin.queries.addresses import address_url, canonical_address
from admin.queries.searching import beginning_with, domain_beginnings, pasted_address, search_text
from core.addresses import AddressError, without_extension
from core.presentation import unicode_domain

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor

_SHOWN: Final = 5
# Half a label in another script narrows down less than it should: more rows are read, and compared here.
_READ_OF_ANOTHER_SCRIPT: Final = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the result."""

    label: str
    url: str
    note: _StrOrPromise = ""
    off: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Hits of one kind; *all_url* leads to the list that has the others, too."""

    name: str
    label: _StrOrPromise
    icon: str
    hits: list[Hit]
    all_url: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Context of the search: *exact* is the page about the address that was typed; *is_known* when something has it."""

    query: str
    groups: list[Group]
    exact: Hit | None
    is_known: bool
    list_url: str

    @property
    def number(self) -> int:
        """Number of lines to choose from."""
        return sum(len(group.hits) for group in self.groups) + (self.exact is not None)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was typed, as columns hold it."""

    text: str

    @property
    def domain(self) -> str:
        """The domain, or its beginning."""
        return self._parts[2]

    @property
    def _parts(self) -> tuple[str, str, str]:
        return self.text.rpartition("@")

    @property
    def of_names(self) -> list[str]:
        """Beginnings of domain names."""
        return domain_beginnings(self.domain)

    @property
    def of_addresses(self) -> list[str]:
        """Beginnings of addresses and login names; what stands behind a + is looked for with and without it."""
        local, at_sign, domain = self._parts
        if not at_sign:
            return [self.text]
        locals_ = {local, without_extension(f"{local}@")[:-1]}
        return sorted(f"{one}@{name}" for one in locals_ for name in domain_beginnings(domain))

    @property
    def number(self) -> int:
        """How many rows to read."""
        return _SHOWN + 1 if self.text.isascii() else _READ_OF_ANOTHER_SCRIPT

    def first(self, found: QuerySet[Any, Any], column: str, beginnings: list[str]) -> QuerySet[Any, Any]:
        """The first rows of *found* whose *column* begins as wanted."""
        return found.filter(beginning_with(column, *beginnings)).order_by(column)[: self.number]

    def fits_name(self, name: str) -> bool:
        """Whether the name of a domain, as people read it, begins as wanted."""
        return self.domain.isascii() or unicode_domain(name).startswith(self.domain)

    def fits(self, address: str) -> bool:
        """Whether an address, as people read it, begins like the text."""
        if self.text.isascii():
            return True
        shown = unicode_domain(address)
        local, at_sign, domain = self._parts
        return shown.startswith((self.text, f"{without_extension(local + at_sign)}{domain}"))


def search_everywhere(actor: Actor, typed: str) -> Found:
    """A handful of everything that *actor* sees and that begins with the text; one statement for each kind of thing."""
    query = pasted_address(search_text(typed))
    if not query:
        return Found(query, [], None, is_known=False, list_url="")
    wanted = _Wanted(unicodedata.normalize("NFC", query).lower())
    domains = _domains(actor, wanted) if wanted.domain else []
    # Asked for by their ids, databases know how few rows they have.
    scope = [] if actor.is_super else list(Domain.objects.visible_to(actor).values_list("pk", flat=True))
    accounts, aliases = _accounts(actor, wanted, scope), _aliases(actor, wanted, scope)
    seen = {*accounts, *aliases}
    others = _other_addresses(actor, wanted, scope, seen)
    groups = [
        Group("domains", _("Domains"), "globe2", domains, _list("domain_list", query)),
        Group(
            "accounts",
            _("Accounts"),
            "person",
            list(accounts.values()),
            _list("identity_list", query, kind="account"),
        ),
        Group("aliases", _("Aliases"), "at", list(aliases.values()), _list("identity_list", query)),
        Group("others", _("Other addresses"), "envelope", list(others.values())),
    ]
    cut = [_cut(group) for group in groups if group.hits]
    exact, is_known = _exact(query, {*seen, *others})
    return Found(query, cut, exact, is_known=is_known, list_url=_list("identity_list", query))


def _exact(query: str, known: set[str]) -> tuple[Hit | None, bool]:
    try:
        address = canonical_address(query)
    except AddressError:
        return None, False
    hit = Hit(unicode_domain(address), address_url(address), _("Everything about this address"))
    return hit, bool({address, without_extension(address)} & known)


def _domains(actor: Actor, wanted: _Wanted) -> list[Hit]:
    names = wanted.of_names
    domains = wanted.first(Domain.objects.visible_to(actor), "name", names)
    aliases = wanted.first(DomainAlias.objects.visible_to(actor).select_related("target"), "name", names)
    hits = [
        Hit(unicode_domain(one.name), _page("domain_detail", one.pk), off=not one.enabled)
        for one in domains
        if wanted.fits_name(one.name)
    ]
    return hits + [
        Hit(
            unicode_domain(one.name),
            _page("domain_detail", one.target_id),
            _("another name of %(domain)s") % {"domain": unicode_domain(one.target.name)},
            off=not one.enabled,
        )
        for one in aliases
        if wanted.fits_name(one.name)
    ]


def _accounts(actor: Actor, wanted: _Wanted, domains: list[int]) -> dict[str, Hit]:
    """By login name and by the address of the mailbox, which an administrator may have besides."""
    if actor.is_super:
        everybody = Account.objects.visible_to(actor)
        by_name = wanted.first(everybody, "username", wanted.of_addresses)
        by_address = wanted.first(everybody, "email", wanted.of_addresses)
        pairs = _both(by_name, by_address)
    else:
        pairs = _within_scope(actor, wanted, domains)
    hits: dict[str, Hit] = {}
    for account, address in sorted(pairs, key=lambda pair: pair[1]):
        if address not in hits and wanted.fits(address):
            note = account.full_name
            if address != account.username:
                note = ", ".join(filter(None, (account.username, note)))
            url = _page("account_detail", account.pk)
            hits[address] = Hit(unicode_domain(address), url, note, off=not account.is_active)
    return hits


def _within_scope(actor: Actor, wanted: _Wanted, domains: list[int]) -> list[tuple[Account, str]]:
    """A few that may be visible, from where indexes lead; then those of them that are.

    ``visible_to`` first would look at every account that begins so, in whosever domain.
    """
    texts = wanted.of_addresses
    tenants = Account.objects.filter(mailbox__domain__in=domains)
    own = Account.objects.filter(Q(pk=actor.pk) | Q(owner_id=actor.pk, mailbox__isnull=True))
    by_name = set(wanted.first(tenants.values_list("pk", flat=True), "username", texts))
    by_name.update(wanted.first(own.values_list("pk", flat=True), "username", texts))
    by_address = set(wanted.first(tenants.values_list("pk", flat=True), "email", texts))
    visible = list(Account.objects.visible_to(actor).filter(pk__in=by_name | by_address))
    return _both(
        [account for account in visible if account.pk in by_name],
        [account for account in visible if account.pk in by_address],
    )


def _both(by_name: Iterable[Account], by_address: Iterable[Account]) -> list[tuple[Account, str]]:
    pairs = [(account, account.username) for account in by_name]
    pairs += [(account, account.email) for account in by_address if account.email != account.username]
    return pairs


def _aliases(actor: Actor, wanted: _Wanted, domains: list[int]) -> dict[str, Hit]:
    found = wanted.first(Alias.objects.visible_to(actor, domains), "address", wanted.of_addresses)
    return {
        alias.address: Hit(
            unicode_domain(alias.address),
            _page("alias_detail", alias.pk),
            alias.description.partition("\n")[0].strip(),
            off=not alias.enabled or alias.is_expired(),
        )
        for alias in found
        if wanted.fits(alias.address)
    }


def _other_addresses(actor: Actor, wanted: _Wanted, domains: list[int], known: set[str]) -> dict[str, Hit]:
    """Where aliases lead to, and what people may send from, beyond what has a page of its own."""
    recipients, senders = AliasRecipient.objects.all(), SenderAddress.objects.all()
    if not actor.is_super:  # who sees everything needs no joins
        recipients = recipients.filter(alias__domain__in=domains)
        # Accounts of higher rank are not visible, wherever their mailbox is.
        senders = senders.filter(mailbox__domain__in=domains, mailbox__user__role__in=actor.role.up_to_here())
    hits: dict[str, Hit] = {}
    for rows, words in ((recipients, _("Recipient of an alias")), (senders, _("Sender address"))):
        addresses = wanted.first(
            rows.values_list("address", flat=True).distinct(), "address", wanted.of_addresses
        )
        for address in addresses:
            if address not in known and wanted.fits(address):
                hits.setdefault(address, Hit(unicode_domain(address), address_url(address), words))
    return hits


def _cut(group: Group) -> Group:
    """A handful; a group that shows everything it has needs no link to the others."""
    more = len(group.hits) > _SHOWN
    return Group(group.name, group.label, group.icon, group.hits[:_SHOWN], group.all_url if more else "")


def _page(name: str, pk: int) -> str:
    return reverse(f"admin:{name}", args=[pk])


def _list(name: str, query: str, **filters: str) -> str:
    return f"{reverse(f'admin:{name}')}?{urlencode({'q': query, **filters})}"
