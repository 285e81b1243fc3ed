"""Asking plugins: the one place that collects what receivers of signals answer.

Nobody may listen, receivers may return nothing, and they may fail: then they are told of and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.dispatch import Signal
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from core import plugins
from core.exceptions import ModoboaException
from core.refusals import Refusal


class Hook(Signal):
    """A signal that plugins answer; *arguments* are what it is sent with."""

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self.arguments = arguments

    def answers(self, **sent: Any) -> list[Any]:
        """What receivers said, those left out that said nothing."""
        return [answer for _receiver, answer in self.answered(**sent)]

    def answered(self, **sent: Any) -> Iterator[tuple[Any, Any]]:
        """Receivers with what they said."""
        return self._ask(sent, lambda _error: False)

    def listed(self, kind: type = object, /, **sent: Any) -> list[Any]:
        """The lists that receivers returned as one; what is no list, or no *kind* in a list, counts as broken."""
        found: list[Any] = []
        for receiver, answer in self.answered(**sent):
            if not isinstance(answer, list | tuple):
                self._report(receiver, TypeError(f"a list was expected, not {type(answer).__name__}"))
                continue
            fitting = [each for each in answer if isinstance(each, kind)]
            if len(fitting) < len(answer):
                self._report(receiver, TypeError(f"a list of {kind.__name__} was expected"))
            found += fitting
        return found

    def merged(self, **sent: Any) -> dict[Any, Any]:
        """The dictionaries that receivers returned as one."""
        found: dict[Any, Any] = {}
        for receiver, answer in self.answered(**sent):
            if isinstance(answer, Mapping):
                found |= answer
            else:
                self._report(receiver, TypeError(f"a dictionary was expected, not {type(answer).__name__}"))
        return found

    def html(self, **sent: Any) -> SafeString:
        """The HTML, texts or lists of them, that receivers returned. Plugins are trusted to escape what is in it."""
        found = [
            guarded(receiver, "answer", partial(_joined, answer))
            for receiver, answer in self.answered(**sent)
        ]
        return trusted("".join(filter(None, found)))

    def tell(self, **sent: Any) -> None:
        """Send the news; answers mean nothing."""
        self.answers(**sent)

    def objections(self, **sent: Any) -> list[str]:
        """Why receivers are against it: what they raise as a refusal. Any other exception is a fault, and no veto."""
        found: list[str] = []

        def heard(error: Exception) -> bool:
            words = objection(error)
            found.extend([] if words is None else [words])
            return words is not None

        for _answer in self._ask(sent, heard):
            pass
        return found

    def _ask(self, sent: Mapping[str, Any], heard: Callable[[Exception], bool]) -> Iterator[tuple[Any, Any]]:
        if not self.receivers:
            return
        if set(sent) != set(self.arguments):
            msg = f"This hook is sent with {', '.join(self.arguments)}."
            raise TypeError(msg)
        receivers, _asynchronous = self._live_receivers(None)
        for receiver in receivers:
            if plugins.is_disabled(module_of(receiver)):
                continue
            try:
                # A failed statement must not spoil the transaction of whoever asks.
                with transaction.atomic() if transaction.get_connection().in_atomic_block else nullcontext():
                    answer = receiver(signal=self, sender=None, **sent)
            except Exception as error:  # noqa: BLE001  a plugin's, whatever it is
                if not heard(error):
                    self._report(receiver, error)
            else:
                if answer is not None:
                    yield receiver, answer

    def _report(self, receiver: Any, error: Exception) -> None:
        plugins.report(module_of(receiver), getattr(receiver, "__qualname__", repr(receiver)), error)


def _joined(answer: Any) -> str:
    return "".join(map(str, answer if isinstance(answer, list | tuple) else [answer]))


def trusted(html: str) -> SafeString:
    """HTML of a plugin as it is: its code runs here anyway. What it shows of people, it has to escape."""
    return mark_safe(html)  # noqa: S308  see above


def guarded(source: Any, place: str, work: Callable[[], Any]) -> Any:
    """What *work*, a part of the plugin that *source* (a class or function) belongs to, returns; None when it fails."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  a plugin's, whatever it is
        plugins.report(module_of(source), place, error)
        return None


def module_of(receiver: Any) -> str:
    """Where a receiver comes from."""
    return getattr(receiver, "__module__", None) or type(receiver).__module__


def objection(error: Exception) -> str | None:
    """What an exception says to the person; None when it is no refusal."""
    if isinstance(error, Refusal):
        return " ".join(str(reason.message) for reason in error.reasons)
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    if isinstance(error, ModoboaException | PermissionDenied):
        return str(error) or _("A plugin does not allow this.")
    return None
