"""A browser without a screen: pages are fetched, their forms filled in as they stand there, and posted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TypeAlias

from django.http import HttpResponse
from django.test import Client

Values: TypeAlias = Mapping[str, str | Sequence[str]]


@dataclass
class WebForm:
    """What a browser would send: names and values of the controls, unchecked ones left out."""

    values: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def add(self, name: str, value: str, *, is_sent: bool = True) -> None:
        self.names.add(name)
        if is_sent:
            self.values.setdefault(name, []).append(value)


class FormReader(HTMLParser):
    """Reads the forms of a page that are sent by POST."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[WebForm] = []
        self._open: WebForm | None = None
        self._select: tuple[str, list[str], list[str]] = ("", [], [])
        self._text: tuple[str, list[str]] | None = None
        self._hidden_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "template":
            self._hidden_depth += 1
        elif self._hidden_depth:
            return
        elif tag == "form" and given.get("method", "").lower() == "post":
            self._open = WebForm()
            self.forms.append(self._open)
        elif tag == "input":
            self._input(given)
        elif tag == "select":
            self._select = (given.get("name", ""), [], [])
        elif tag == "option":
            _name, offered, chosen = self._select
            offered.append(given.get("value", ""))
            if "selected" in given:
                chosen.append(given.get("value", ""))
        elif tag == "textarea":
            self._text = (given.get("name", ""), [])

    def _input(self, given: Mapping[str, str]) -> None:
        form, kind = self._open, given.get("type", "text")
        if form is None or "name" not in given or kind == "submit":
            return
        is_sent = kind not in {"checkbox", "radio"} or "checked" in given
        form.add(given["name"], given.get("value", "on" if kind == "checkbox" else ""), is_sent=is_sent)

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._hidden_depth -= 1
        elif tag == "form":
            self._open = None
        elif tag == "select" and self._open is not None:
            name, offered, chosen = self._select
            for value in chosen or offered[:1]:
                self._open.add(name, value)
        elif tag == "textarea" and self._text is not None and self._open is not None:
            self._open.add(self._text[0], "".join(self._text[1]).removeprefix("\n"))
            self._text = None


def forms_of(page: str) -> list[WebForm]:
    reader = FormReader()
    reader.feed(page)
    return reader.forms


class Browser:
    """One person's browser; CSRF is checked as in production."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)

    def see(self, url: str) -> str:
        """The page, which must be there."""
        answer = self.client.get(url)
        assert answer.status_code == 200, f"{url}: {answer.status_code}"
        return answer.content.decode()

    def fill_in(self, url: str, changes: Values, *, leave_out: Sequence[str] = ()) -> HttpResponse:
        """Post the form of the page that has all the controls named in *changes* and *leave_out*."""
        wanted = {*changes, *leave_out}
        forms = [form for form in forms_of(self.see(url)) if wanted <= form.names]
        assert forms, f"{url} has no form with {sorted(wanted)}"
        data = {
            name: value for name, value in {**forms[0].values, **changes}.items() if name not in leave_out
        }
        answer = self.client.post(url, data)
        assert isinstance(answer, HttpResponse)
        return answer

    def change(self, url: str, changes: Values, *, leave_out: Sequence[str] = ()) -> HttpResponse:
        """As :meth:`fill_in`, for a form that must be accepted."""
        answer = self.fill_in(url, changes, leave_out=leave_out)
        assert answer.status_code == 302, f"{url}: {answer.status_code} {list(complaints(answer))}"
        return answer


def complaints(answer: HttpResponse) -> Iterator[str]:
    """What a refused form says."""
    context = getattr(answer, "context", None)
    if context is not None and "form" in context:
        yield from (f"{name}: {error}" for name, errors in context["form"].errors.items() for error in errors)
