"""What was changed, by whom, when: from the event log, with values from the version history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.db.models import Q
from django.utils.translation import gettext as _
from reversion.models import Version

from core.editing import Edited, Meanwhile, newest_event
from core.hooks import guarded
from core.models import Log
from core.paging import Page, page_of
from parameters.models import Preferences, SiteParameters
from parameters.registry import Level, NotDefined, default_of, is_secret, registry
from parameters.wording import value_in_words

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.utils.functional import _StrOrPromise

    from core.actor import Actor
    from core.models import User
    from parameters.models import StoredParameters
    from parameters.registry import Declaration

PER_PAGE: Final = 50
# Values by app and name; None where they are not known.
State: TypeAlias = dict[str, dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter that somebody changed. The words are blank where nobody knows the values any more."""

    at: datetime
    actor: str
    name: str
    label: _StrOrPromise
    old: str
    new: str


@dataclass(frozen=True)
class History:
    """One page of changes, newest first."""

    rows: list[Change]
    page: Page
    query: str


def recent_changes(actor: Actor, level: Level, most: int) -> list[Change]:
    """The newest changes: of the site's parameters, or of one's own."""
    return _told(actor, level, _events(actor, level)[:most])


def history(actor: Actor, level: Level, asked: Mapping[str, str]) -> History:
    """All changes; ``q`` is a part of a parameter's or a person's name."""
    query = asked.get("q", "").strip()
    events = _events(actor, level)
    if query:
        events = events.filter(Q(object_name__icontains=query) | Q(actor_name__icontains=query))
    page = page_of(asked.get("page", ""), events.count(), PER_PAGE)
    rows = events[max(page.first - 1, 0) : page.last]
    return History(_told(actor, level, rows), page, query)


def edited_parameters(actor: Actor, level: Level) -> Callable[[str], Edited]:
    """What the forms about the parameters of each app need to tell changes meanwhile; one query for all of them."""
    model, key = _model(level), _key(actor, level)
    seen = newest_event(model.event_kind, key)

    def of_app(app: str) -> Edited:
        def since(number: int) -> list[Meanwhile]:
            rows = (
                _events(actor, level).filter(object_name__startswith=f"{app}.", pk__gt=number).order_by("pk")
            )
            return [Meanwhile(row.actor_name, (row.object_name.removeprefix(f"{app}."),)) for row in rows]

        return Edited(f"{model.event_kind}.{app}", key, seen, since)

    return of_app


def may_see(declaration: Declaration, user: User) -> bool:
    """Whether the parameters of an app are shown to somebody: as its form says."""
    form_class = declaration.form_class
    return bool(guarded(form_class, "has_access", lambda: form_class.has_access(user=user)))


def _model(level: Level) -> type[StoredParameters]:
    return SiteParameters if level == "global" else Preferences


def _key(actor: Actor, level: Level) -> int:
    return SiteParameters.THE_ROW if level == "global" else actor.pk


def _events(actor: Actor, level: Level) -> QuerySet[Log]:
    # Before there was one row for all, each parameter had a number of its own.
    events = Log.objects.filter(kind=_model(level).event_kind)
    for declaration in registry.declarations(level):
        if not may_see(declaration, actor.user):
            events = events.exclude(object_name__startswith=f"{declaration.app}.")
    return events.visible_to(actor) if level == "global" else events.filter(object_id=actor.pk)


def _told(actor: Actor, level: Level, events: QuerySet[Log]) -> list[Change]:
    rows = list(events)
    states = _states(actor, level, rows)
    return [_change(level, row, *states.get(row.date_created, (None, None))) for row in rows]


def _states(actor: Actor, level: Level, rows: Sequence[Log]) -> dict[datetime, tuple[State, State]]:
    """Values before and after, by the instant that a version shares with its events."""
    if not rows:
        return {}
    newest, oldest = rows[0].date_created, rows[-1].date_created
    versions = Version.objects.get_for_object_reference(_model(level), _key(actor, level))
    versions = versions.select_related("revision")
    found = [
        *versions.filter(revision__date_created__range=(oldest, newest)),
        *versions.filter(revision__date_created__lt=oldest)[:1],
    ]
    states: list[State] = [version.field_dict["parameters"] for version in found]
    instants = [version.revision.date_created for version in found]
    if states:
        # Nothing is known of what was there before the first version, unless there was nothing.
        was_anything = _events(actor, level).filter(date_created__lt=instants[-1]).exists()
        states.append(None if was_anything else {})
    return dict(zip(instants, zip(states[1:], states, strict=False), strict=True))


def _change(level: Level, row: Log, old: State, new: State) -> Change:
    app, _dot, name = row.object_name.partition(".")
    label: _StrOrPromise = row.object_name
    words = ["", ""]
    try:
        field = registry.field(level, app, name)
    except NotDefined:
        pass
    else:
        label = field.label or name
        if old is not None and new is not None:
            default = None if is_secret(field) else default_of(field)
            values = [state.get(app, {}).get(name, default) for state in (old, new)]
            words = [value_in_words(field, value) for value in values]
            if is_secret(field) and all(values):
                words[1] = _("another one")
    return Change(row.date_created, row.actor_name, row.object_name, label, *words)
