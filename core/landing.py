"""The first page after sign-in. An app above says which one."""

from collections.abc import Callable

from core.actor import Actor

_choose: Callable[[Actor], str] | None = None


def choose_with(choose: Callable[[Actor], str]) -> None:
    """Let *choose* say the address of an actor's first page, or its name."""
    global _choose  # noqa: PLW0603  set once, when the apps are ready
    _choose = choose


def page_of(actor: Actor) -> str:
    """The page to open, by its address or its name."""
    if _choose is None:
        msg = "Nobody signs in before the apps are ready."
        raise RuntimeError(msg)
    return _choose(actor)
