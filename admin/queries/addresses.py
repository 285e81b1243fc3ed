"""Everything about one address: what it is, where its mail goes and why, who may send from it, what leads to it.

The way comes from the published tables (``admin.queries.tracing``), the reasons from what people manage. Domains that
the reader does not see are beyond the horizon: nothing is said about them that would differ if they did not exist.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from admin.models import (
    Account,
    Alias,
    AliasRecipient,
    Domain,
    DomainAlias,
    DomainName,
    Mailbox,
    MailTransport,
    SenderAddress,
)
from admin.models.domain import DomainKind
from admin.queries.directories import MovingNotice, moving_notice
from admin.queries.events import Event, recent_events_of
from admin.queries.searching import pasted_address, search_text
from admin.queries.tracing import End, Node, addresses_in, domain_of, trace, who_may_send
from admin.queries.usage import used_bytes
from core.addresses import canonical_sender_address, is_catch_all, without_extension
from core.presentation import host_and_port, unicode_domain

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor

_LEADING_SHOWN: Final = 50
_LEFT_OUT_SHOWN: Final = 20


class What(StrEnum):
    """What an address is to its reader."""

    MAILBOX = "mailbox"
    FORWARD = "forward"
    ALIAS = "alias"
    CATCH_ALL = "catch_all"
    VIA_DOMAIN_ALIAS = "domain_alias"
    NOBODY = "nobody"
    NOT_KNOWN = "not_known"


_LABELS: Final[dict[What, _StrOrPromise]] = {
    What.MAILBOX: gettext_lazy("Mailbox"),
    What.FORWARD: gettext_lazy("Mailbox with a forward"),
    What.ALIAS: gettext_lazy("Alias"),
    What.CATCH_ALL: gettext_lazy("Catch-all"),
    What.VIA_DOMAIN_ALIAS: gettext_lazy("Address under another name of a domain"),
    What.NOBODY: gettext_lazy("Nobody has this address"),
    What.NOT_KNOWN: gettext_lazy("Not known here"),
}
_NOBODY_HERE: Final = gettext_lazy("Nobody here has this address")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the way: *code* says why, *end* what becomes of mail when the way ends here."""

    depth: int
    address: str
    code: str
    sentences: list[str]
    end: End | None
    url: str


@dataclass(frozen=True, slots=True)
class Sender:
    """A login that may send from the address; *reason* in words."""

    login: str
    reason: str
    url: str


@dataclass(frozen=True)
class AddressPage:
    """Context of the page. *mailbox*, *alias* and *person* are there only for whoever may see them."""

    address: str
    what: What
    label: _StrOrPromise
    domain: Domain | None
    mailbox: Mailbox | None
    person: Account | None
    used_bytes: int
    alias: Alias | None
    summary: str
    tone: str
    steps: list[Step]
    senders: list[Sender]
    leading: list[Alias]
    leading_more: bool
    events: list[Event]
    account_url: str
    alias_url: str
    create_account_url: str
    create_alias_url: str
    moving: MovingNotice | None


def canonical_address(typed: str) -> str:
    """The stored form of what was typed or pasted: an address or ``@domain``; raises AddressError."""
    text = pasted_address(search_text(typed))
    return canonical_sender_address(text, utf8=bool(settings.MODOBOA_UTF8_LOCAL_PARTS))


def address_url(address: str) -> str:
    """The page about an address."""
    return f"{reverse('admin:address_detail')}?{urlencode({'address': address})}"


def address_page(actor: Actor, address: str) -> AddressPage:
    """Everything that *actor* may know about a canonical address."""
    sources = _Sources(actor, trace(address))
    domain = sources.domain_behind(domain_of(address))
    what = sources.what_is(address)
    known = domain is not None
    own = without_extension(address)
    mailbox = sources.mailboxes.get(own) if known else None
    alias = (sources.aliases.get(address) or sources.aliases.get(own)) if known else None
    account = Account.objects.visible_to(actor).filter(pk=mailbox.user_id).first() if mailbox else None
    leading = _leading_here(actor, {address, own}, mailbox, alias)
    steps = _steps(sources) if known else [sources.beyond(0, address)]
    summary, tone = _summary(steps)
    label = _NOBODY_HERE if what is What.NOBODY and _is_relayed(domain) else _LABELS[what]
    free = what in {What.NOBODY, What.VIA_DOMAIN_ALIAS} and not is_catch_all(address)
    free_for_account = free and what is What.NOBODY and address == own
    return AddressPage(
        address=address,
        what=what,
        label=label,
        domain=domain,
        mailbox=mailbox if account else None,
        person=account,
        used_bytes=getattr(mailbox, "used", 0) if account else 0,
        alias=alias,
        summary=summary,
        tone=tone,
        steps=steps,
        senders=_senders(actor, address, known=known),
        leading=leading[:_LEADING_SHOWN],
        leading_more=len(leading) > _LEADING_SHOWN,
        events=_events(account, alias),
        account_url=_url("account_detail", account),
        alias_url=_url("alias_detail", alias),
        create_account_url=_new("account_create", address) if free_for_account else "",
        create_alias_url=_new("alias_create", address) if what is What.NOBODY else "",
        moving=moving_notice(actor, own) if known else None,
    )


def _is_relayed(domain: Domain | None) -> bool:
    return domain is not None and domain.type == DomainKind.RELAY


# --- sources ---------------------------------------------------------------------------------------------------


class _Sources:
    """What people manage, as far as the actor sees it, for every address on the way: at most five statements."""

    def __init__(self, actor: Actor, start: Node) -> None:
        self.actor, self.start = actor, start
        addresses = addresses_in(start) | {without_extension(start.address)}
        addresses |= {without_extension(address) for address in addresses}
        names = {domain_of(address) for address in addresses}
        self.domains, self.domain_aliases = _visible_domains(actor, names)
        ids = [domain.pk for domain in self.domains.values()]
        mailboxes = Mailbox.objects.filter(user__email__in=addresses, domain__in=ids)
        mailboxes = mailboxes.select_related("user", "domain").annotate(used=used_bytes("user__email"))
        self.mailboxes = {mailbox.user.email: mailbox for mailbox in mailboxes}
        wanted = addresses | {f"@{name}" for name in names}
        self.aliases = {
            alias.address: alias for alias in Alias.objects.filter(address__in=wanted, domain__in=ids)
        }
        self.left_out = self._left_out() if self.aliases else {}

    def _left_out(self) -> dict[int, list[str]]:
        """Recipients that take no mail now, by alias, with the reason where the actor may know it."""
        closed_mailbox = Q(mailbox__user__is_active=False) | Q(mailbox__domain__enabled=False)
        closed_alias = Q(target_alias__enabled=False) | Q(target_alias__domain__enabled=False)
        rows = AliasRecipient.objects.filter(
            closed_mailbox | closed_alias, alias__in=[alias.pk for alias in self.aliases.values()]
        ).select_related("mailbox__domain", "target_alias__domain")
        sentences: dict[int, list[str]] = defaultdict(list)
        for row in rows.order_by("address")[: _LEFT_OUT_SHOWN * 5]:
            place = row.mailbox or row.target_alias
            values = {"address": unicode_domain(row.address)}
            if place is None or domain_of(row.address) not in self.visible_names:
                words = _("%(address)s is left out: it takes no mail now.")
            elif not place.domain.enabled:
                words = _("%(address)s is left out: its domain is disabled.")
            else:
                words = _("%(address)s is left out: it is disabled.")
            sentences[row.alias_id].append(words % values)
        return {pk: lines[:_LEFT_OUT_SHOWN] for pk, lines in sentences.items()}

    @property
    def visible_names(self) -> set[str]:
        """Names that the actor looks after."""
        return self.domains.keys() | self.domain_aliases.keys()

    @cached_property
    def targets(self) -> dict[str, str]:
        """Hosts that take the mail of relay domains of the actor, by the names of these."""
        ends = {domain_of(node.address) for _d, node in self.start.walk() if node.end is End.RELAYED}
        rows = MailTransport.objects.filter(
            address__in=ends & self.visible_names, kind=MailTransport.Kind.RELAY
        )
        return {row.address: host_and_port(row.host, row.port) for row in rows}

    def domain_behind(self, name: str) -> Domain | None:
        """The domain of that name or of that alias."""
        alias = self.domain_aliases.get(name)
        return alias.target if alias else self.domains.get(name)

    def what_is(self, address: str) -> What:
        """What the address is by itself, whether or not it works."""
        own = without_extension(address)
        name = domain_of(address)
        alias = self.aliases.get(address) or self.aliases.get(own)
        if name not in self.visible_names:
            return What.NOT_KNOWN
        if own in self.mailboxes:
            return What.MAILBOX if alias is None else What.FORWARD
        if name in self.domain_aliases:
            return What.VIA_DOMAIN_ALIAS
        if alias is not None:
            return What.CATCH_ALL if alias.is_catch_all else What.ALIAS
        return What.NOBODY

    def beyond(self, depth: int, address: str, *, passed_on: bool = False) -> Step:
        """An address in a domain that the actor does not look after, or that nobody here does."""
        name = unicode_domain(domain_of(address))
        if not self.actor.is_super:
            words = _("%(domain)s is not one of your domains: what happens to its mail is not known here.")
        elif passed_on:
            words = _(
                "%(domain)s is not a domain of this server: mail is handed to the server of that domain."
            )
        else:
            words = _("%(domain)s is not a domain of this server: other servers receive its mail.")
        return Step(
            depth, address, "beyond", [words % {"domain": name}], End.OUTSIDE, _page_url(depth, address)
        )


def _visible_domains(actor: Actor, names: set[str]) -> tuple[dict[str, Domain], dict[str, DomainAlias]]:
    """Domains and domain aliases of these names by their names, and the domains that the aliases stand for."""
    holders = DomainName.objects.filter(name__in=names).select_related("domain", "alias__target")
    if not actor.is_super:
        visible = Domain.objects.visible_to(actor)
        holders = holders.filter(Q(domain__in=visible) | Q(alias__target__in=visible))
    aliases = {holder.name: holder.alias for holder in holders if holder.alias is not None}
    domains = {holder.name: holder.domain for holder in holders if holder.domain is not None}
    return {alias.target.name: alias.target for alias in aliases.values()} | domains, aliases


# --- the way, in words -----------------------------------------------------------------------------------------


def _steps(sources: _Sources) -> list[Step]:
    return list(_lines(sources, sources.start, 0))


def _lines(sources: _Sources, node: Node, depth: int) -> list[Step]:
    name = domain_of(node.address)
    if name not in sources.visible_names:
        return [sources.beyond(depth, node.address, passed_on=True)]
    if node.repeated:
        seen = [_("Already reached on another way; every recipient gets one copy.")]
        return [Step(depth, node.address, "repeated", seen, None, _page_url(depth, node.address))]
    code, sentences = _why(sources, node)
    end = node.end
    if end is End.OUTSIDE:  # a domain of the actor that is switched off
        end = End.REFUSED
    has_extension = node.address != without_extension(node.address) and node.address not in sources.aliases
    if has_extension and code not in {"alias", "catch_all", "nobody"}:
        sentences.insert(0, _("What follows the + is for sorting and does not change where mail goes."))
    if node.more:
        words = ngettext(
            "%(number)d more recipient is not shown.", "%(number)d more recipients are not shown.", node.more
        )
        sentences.append(words % {"number": node.more})
    lines = [Step(depth, node.address, code, sentences, end, _page_url(depth, node.address))]
    for each in node.onward:
        if each.address == node.address:  # the copy that stays is said in words
            kept = _lines(sources, each, depth + 1)
            lines += [Step(one.depth, one.address, "copy", one.sentences, one.end, "") for one in kept]
        else:
            lines += _lines(sources, each, depth + 1)
    return lines


def _why(sources: _Sources, node: Node) -> tuple[str, list[str]]:
    """Code and sentences for one address."""
    if node.end is End.LATER:
        return "moving", [_("The mailbox is being moved: senders are asked to try again in a few minutes.")]
    if node.end is End.UNFOLLOWED:
        return "unfollowed", [_("The way goes on from here; open the address to follow it.")]
    if node.onward:
        return _why_onward(sources, node)
    if node.end is End.KEPT:
        return "mailbox", [_("Delivered to the mailbox.")]
    if node.end is End.RELAYED:
        return "relay", [_handed_to(sources.targets.get(domain_of(node.address), ""))]
    return _why_refused(sources, node)


def _handed_to(target: str) -> str:
    if not target:
        return _("Handed to another mail server.")
    return _("Handed to the mail server %(target)s.") % {"target": target}


def _why_onward(sources: _Sources, node: Node) -> tuple[str, list[str]]:
    name = domain_of(node.address)
    alias = sources.aliases.get(node.key)
    if name in sources.domain_aliases:
        target = sources.domain_behind(name)
        values = {"name": unicode_domain(name), "target": unicode_domain(target.name if target else "")}
        return "domain_alias", [_("%(name)s is another name of %(target)s.") % values]
    left_out = sources.left_out.get(alias.pk, []) if alias else []
    if is_catch_all(node.key):
        if is_catch_all(node.address):
            return "catch_all", [_("Takes what nobody else in the domain takes."), *left_out]
        return "catch_all", [
            _("Nobody has this address: the catch-all of the domain takes its mail."),
            *left_out,
        ]
    if node.key in sources.mailboxes:
        if any(each.address == node.address for each in node.onward):
            return "forward", [_("The mailbox passes mail on and keeps a copy."), *left_out]
        return "forward", [_("The mailbox passes all mail on and keeps nothing."), *left_out]
    return "alias", [_("The alias passes mail on."), *left_out]


def _why_refused(sources: _Sources, node: Node) -> tuple[str, list[str]]:
    name, own = domain_of(node.address), without_extension(node.address)
    code, words = _closed_domain(sources, name)
    if code:
        return code, [words]
    mailbox = sources.mailboxes.get(own)
    alias = sources.aliases.get(node.address) or sources.aliases.get(own)
    if mailbox is not None and not mailbox.user.is_active:
        return "account_disabled", [_("Refused: the account is disabled.")]
    if mailbox is None and alias is not None:
        code, words = _closed_alias(alias)
        return code, [words, *sources.left_out.get(alias.pk, [])]
    if mailbox is None and node.end is End.REFUSED:
        return "nobody", _nobody(sources, node.address)
    return "unexplained", [
        _(
            "Refused. The tables that the mail servers read seem to be out of date: run “modo publish --check”."
        )
    ]


def _closed_domain(sources: _Sources, name: str) -> tuple[str, str]:
    alias, domain = sources.domain_aliases.get(name), sources.domain_behind(name)
    if domain is not None and not domain.enabled:
        values = {"domain": unicode_domain(domain.name)}
        return "domain_disabled", _("Refused: the domain %(domain)s is disabled.") % values
    if alias is not None and not alias.enabled:
        values = {"domain": unicode_domain(name)}
        return "domain_alias_disabled", _("Refused: the domain alias %(domain)s is disabled.") % values
    return "", ""


def _closed_alias(alias: Alias) -> tuple[str, str]:
    if not alias.enabled:
        return "alias_disabled", _("Refused: the alias is disabled.")
    if alias.is_expired():
        return "alias_expired", _("Refused: the alias has expired.")
    return "no_recipient", _("Refused: none of the recipients can take mail.")


def _nobody(sources: _Sources, address: str) -> list[str]:
    """Refused because nobody has it; and why no catch-all helps."""
    catch_all = sources.aliases.get(f"@{domain_of(address)}")
    if is_catch_all(address):
        return [_("There is no catch-all: mail for addresses that nobody has is refused.")]
    if catch_all is None:
        return [_("Refused: nobody has this address, and the domain has no catch-all.")]
    _code, words = _closed_alias(catch_all)
    return [_("Refused: nobody has this address."), _("About the catch-all: %(reason)s") % {"reason": words}]


def _summary(steps: list[Step]) -> tuple[str, str]:
    """One sentence about all ends, and its tone."""
    if steps[0].code == "beyond":
        return "", "plain"
    number = Counter(step.end for step in steps if step.end is not None)
    parts = [words % {"number": number[end]} for end, words in _summary_words(number) if number[end]]
    tone = "good"
    if number[End.REFUSED] or number[End.LATER]:
        tone = "bad" if number[End.REFUSED] == number.total() else "warn"
    return " ".join(parts), tone


def _summary_words(number: Counter[End]) -> list[tuple[End, str]]:
    kept, outside = number[End.KEPT], number[End.OUTSIDE]
    return [
        (End.KEPT, ngettext("Kept in %(number)d mailbox.", "Kept in %(number)d mailboxes.", kept)),
        (
            End.OUTSIDE,
            ngettext(
                "Passed on to %(number)d address elsewhere.",
                "Passed on to %(number)d addresses elsewhere.",
                outside,
            ),
        ),
        (End.RELAYED, _("Handed to another mail server.")),
        (End.LATER, _("Senders are asked to try again later.")),
        (
            End.REFUSED,
            _("Mail is refused.") if number.total() == number[End.REFUSED] else _("Refused at one end."),
        ),
        (End.UNFOLLOWED, _("The way is longer than shown.")),
    ]


# --- senders, aliases, events ----------------------------------------------------------------------------------


def _senders(actor: Actor, address: str, *, known: bool) -> list[Sender]:
    if known:
        pairs = who_may_send(address)
        if not actor.is_super:
            accounts = Account.objects.visible_to(actor).filter(email__in={login for _key, login in pairs})
            visible = set(accounts.values_list("email", flat=True))
            pairs = [(key, login) for key, login in pairs if login in visible]
    else:  # in a domain of others only what the actor gave to his own people
        rows = SenderAddress.objects.filter(address__in={address, f"@{domain_of(address)}"})
        if not actor.is_super:
            rows = rows.filter(mailbox__user__in=Account.objects.visible_to(actor))
        pairs = sorted(rows.values_list("address", "mailbox__user__email"))
    return [Sender(login, _sender_reason(address, key, login), address_url(login)) for key, login in pairs]


def _sender_reason(address: str, key: str, login: str) -> str:
    if login == without_extension(address):
        return _("own address")
    if is_catch_all(key) and key != address:
        return _("may send from every free address of the domain")
    return ""


def _leading_here(
    actor: Actor, addresses: set[str], mailbox: Mailbox | None, alias: Alias | None
) -> list[Alias]:
    """Aliases with the address, or an extension of it, among their recipients; not its own forward."""
    here = Q(address__in=addresses)
    if mailbox is not None:
        here |= Q(mailbox=mailbox)
    if alias is not None:
        here |= Q(target_alias=alias)
    found = Alias.objects.filter(pk__in=AliasRecipient.objects.filter(here).values("alias_id"))
    visible = found.visible_to(actor).exclude(address__in=addresses)
    return list(visible.order_by("address")[: _LEADING_SHOWN + 1])


def _events(account: Account | None, alias: Alias | None) -> list[Event]:
    objects = [("account", account.pk)] if account else []
    return recent_events_of([*objects, *([("alias", alias.pk)] if alias else [])])


def _url(name: str, thing: Account | Alias | None) -> str:
    return reverse(f"admin:{name}", args=[thing.pk]) if thing else ""


def _new(name: str, address: str) -> str:
    return f"{reverse(f'admin:{name}')}?{urlencode({'address': address})}"


def _page_url(depth: int, address: str) -> str:
    return address_url(address) if depth else ""
