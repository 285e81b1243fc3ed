"""Parts of pages that plugins describe with dictionaries: links in menus, widgets, notices at the top."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from core.hooks import Hook, guarded, trusted

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.functional import _StrOrPromise

T = TypeVar("T")

_ICON: Final = "puzzle"
# Words of Bootstrap 3, which older plugins say, and tones of the design system.
_TONES: Final = {
    "success": "good",
    "warning": "warn",
    "danger": "bad",
    "error": "bad",
    "info": "brand",
    "primary": "brand",
}


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A link that a plugin adds to a menu; *icon* is a name in the sprite."""

    label: _StrOrPromise
    url: str
    icon: str = _ICON


@dataclass(frozen=True, slots=True)
class Widget:
    """A part of a page that a plugin renders; *source* is the receiver that described it."""

    column: str
    template: str
    context: Mapping[str, Any]
    source: Any

    def render(self, request: HttpRequest | None) -> SafeString:
        """Its HTML; nothing when the plugin fails."""
        html = guarded(
            self.source, self.template, lambda: render_to_string(self.template, dict(self.context), request)
        )
        return trusted(html or "")


@dataclass(frozen=True)
class Columns:
    """The widgets of a page, for its two columns."""

    left: list[Widget] = field(default_factory=list)
    right: list[Widget] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that somebody should look at; *counter* says how many."""

    text: _StrOrPromise
    url: str
    tone: str
    counter: int | None


def tone_of(word: str) -> str:
    """The tone of a colour as a plugin names it."""
    return _TONES.get(word, "plain")


def made_of(hook: Hook, make: Callable[[Any, Any], T | None], **sent: Any) -> list[T]:
    """What *make* makes of the receiver and each entry of its list; None is left out, and a list with a fault in it."""
    made: list[T] = []
    for receiver, given in hook.answered(**sent):
        each = guarded(receiver, "answer", partial(_made, make, receiver, given))
        made += [part for part in each or () if part is not None]
    return made


def _made(make: Callable[[Any, Any], T | None], receiver: Any, given: Iterable[Any]) -> list[T | None]:
    return [make(receiver, entry) for entry in given]


def menu_items(hook: Hook, **sent: Any) -> list[MenuItem]:
    """Links: dictionaries with ``label`` (or ``title``), ``url``, and maybe ``img``, the name of an icon."""
    return made_of(hook, _menu_item, **sent)


def _menu_item(_receiver: Any, given: Mapping[str, Any]) -> MenuItem:
    icon = str(given.get("img") or _ICON)
    # Older plugins give classes of Font Awesome.
    known = icon.replace("-", "").isalnum() and not icon.startswith("fa-")
    return MenuItem(str(given.get("label") or given["title"]), str(given["url"]), icon if known else _ICON)


def widgets(hook: Hook, **sent: Any) -> Columns:
    """Parts of a page: dictionaries with ``column`` (left or right), ``template`` and ``context``."""
    found = made_of(hook, _widget, **sent)
    right = [each for each in found if each.column == "right"]
    return Columns([each for each in found if each.column != "right"], right)


def _widget(receiver: Any, given: Mapping[str, Any]) -> Widget:
    return Widget(
        str(given.get("column", "left")), given["template"], dict(given.get("context") or {}), receiver
    )


def notices(hook: Hook, **sent: Any) -> list[Notice]:
    """Notices: dictionaries with ``id``, ``text``, ``url``, ``level``, maybe ``counter``; an id alone: it is over."""
    return made_of(hook, _notice, **sent)


def notice_news(hook: Hook, **sent: Any) -> list[dict[str, Any]]:
    """As :func:`notices`, for somebody's script: dictionaries, those that are over among them."""
    return made_of(hook, _news, **sent)


def _news(_receiver: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: str(given[name]) for name in ("url", "text", "level") if given.get(name) is not None}
    counter = {} if given.get("counter") is None else {"counter": int(given["counter"])}
    return {"id": str(given["id"]), **words, **counter}


def _notice(_receiver: Any, given: Mapping[str, Any]) -> Notice | None:
    if "text" not in given:
        return None
    return Notice(
        str(given["text"]),
        str(given.get("url") or ""),
        tone_of(str(given.get("level", ""))),
        given.get("counter"),
    )
