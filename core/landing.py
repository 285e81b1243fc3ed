"""The first page after sign-in. Apps above say which one."""

from collections.abc import Callable

from core.actor import Actor

_choices: list[tuple[Callable[[Actor], bool], str]] = []


def add(visible: Callable[[Actor], bool], url_name: str) -> None:
    """Offer *url_name* to actors for whom *visible* is true; the first offer wins."""
    if (visible, url_name) not in _choices:
        _choices.append((visible, url_name))


def page_of(actor: Actor) -> str:
    """Name of the URL to open."""
    return next(url_name for visible, url_name in _choices if visible(actor))
