"""See and change parameters of the site."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from core.actor import Actor
from core.commands import ActingCommand
from core.refusals import Refusal
from parameters import policies, tools
from parameters.operations import update_parameters
from parameters.registry import Declaration, default_of, registry

_STDIN: Final = "-"


class Command(ActingCommand):
    """``modo param list | get | set | reset | dump``; a parameter is called ``app.name``."""

    help = "See and change parameters."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do."""
        super().add_arguments(parser)
        choice = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listing = choice.add_parser(
            "list", help="every parameter with its value; secrets as <set> or <not set>"
        )
        listing.add_argument("--app", help="only those of an app")
        listing.add_argument(
            "--changed", action="store_true", help="only those that differ from their defaults"
        )
        getting = choice.add_parser("get", help="the value of one parameter")
        getting.add_argument("parameter", metavar="APP.NAME")
        getting.add_argument("--secrets", action="store_true", help="show it even if it is a secret")
        setting = choice.add_parser("set", help="change some parameters, all or none")
        setting.add_argument("assignments", nargs="*", metavar="APP.NAME=VALUE")
        setting.add_argument(
            "--from",
            dest="file",
            metavar="FILE",
            help="lines as of dump --lines; - reads them from the input",
        )
        resetting = choice.add_parser("reset", help="let defaults hold again")
        resetting.add_argument("parameters", nargs="+", metavar="APP.NAME")
        dumping = choice.add_parser("dump", help="all values as JSON")
        dumping.add_argument("--lines", action="store_true", help="as lines that set --from takes")
        dumping.add_argument(
            "--changed", action="store_true", help="only those that differ from their defaults"
        )
        dumping.add_argument(
            "--secrets", action="store_true", help="with the secrets, which are left out otherwise"
        )

    def handle(self, **options: Any) -> None:
        """Do it."""
        actor = self.actor(options)
        if not policies.may_change_parameters(actor):
            raise PermissionDenied
        getattr(self, f"_{options['action']}")(actor, options)

    def _list(self, _actor: Actor, options: dict[str, Any]) -> None:
        app = options["app"]
        if app and registry.declaration("global", app) is None:
            raise CommandError(_("No app %(app)s has parameters.") % {"app": app})
        for name, value, default, is_secret in _all():
            if (app and not name.startswith(f"{app}.")) or (options["changed"] and value == default):
                continue
            mark = "" if value == default else "  # " + _("changed")
            self.stdout.write(f"{name} = {_state(value) if is_secret else _text(value)}{mark}")

    def _get(self, _actor: Actor, options: dict[str, Any]) -> None:
        declaration, name = _known(options["parameter"])
        value = tools.get_global_parameter(name, declaration.app)
        if name in declaration.secrets and not options["secrets"]:
            self.stdout.write(_state(value))
        else:
            self.stdout.write(value if isinstance(value, str) else _text(value))

    def _set(self, actor: Actor, options: dict[str, Any]) -> None:
        given, file = options["assignments"], options["file"]
        if bool(given) == bool(file):
            raise CommandError(_("Say what to set: APP.NAME=VALUE, or --from FILE."))
        text = _read(file) if file else ""
        _update(
            actor, _of_json(text) if text.lstrip().startswith("{") else _of_lines(given or text.splitlines())
        )

    def _reset(self, actor: Actor, options: dict[str, Any]) -> None:
        found = map(_known, options["parameters"])
        _update(actor, [(each, name, default_of(each.fields[name])) for each, name in found])

    def _dump(self, _actor: Actor, options: dict[str, Any]) -> None:
        chosen = {
            name: value
            for name, value, default, is_secret in _all()
            if (options["secrets"] or not is_secret) and not (options["changed"] and value == default)
        }
        if options["lines"]:
            for name, value in chosen.items():
                self.stdout.write(f"{name} = {_text(value)}")
            return
        nested: dict[str, dict[str, Any]] = {}
        for name, value in chosen.items():
            app, _dot, own = name.partition(".")
            nested.setdefault(app, {})[own] = value
        self.stdout.write(json.dumps(nested, indent=2, ensure_ascii=False, default=str))


def _all() -> Iterator[tuple[str, Any, Any, bool]]:
    """Name, value, default and whether it is a secret, of every parameter."""
    for declaration in registry.declarations("global"):
        secrets = declaration.secrets
        for name, value in tools.get_global_parameters(declaration.app).items():
            yield f"{declaration.app}.{name}", value, default_of(declaration.fields[name]), name in secrets


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _state(value: Any) -> str:
    return f"<{_('set')}>" if value else f"<{_('not set')}>"


def _known(wanted: str) -> tuple[Declaration, str]:
    """App and name of a parameter; raises :class:`CommandError` with the nearest name."""
    app, _dot, name = wanted.partition(".")
    declaration = registry.declaration("global", app)
    if declaration is not None and name in declaration.fields:
        return declaration, name
    near = difflib.get_close_matches(wanted, [known for known, *_rest in _all()], 1)
    words = _("There is no parameter %(name)s.") % {"name": wanted}
    if near:
        words += " " + _("Did you mean %(name)s?") % {"name": near[0]}
    raise CommandError(words)


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == _STDIN else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        shown = {"file": file, "reason": error}
        raise CommandError(_("%(file)s cannot be read: %(reason)s") % shown) from error


def _of_json(text: str) -> list[tuple[Declaration, str, Any]]:
    try:
        values = [(app, name, value) for app, own in json.loads(text).items() for name, value in own.items()]
    except (ValueError, AttributeError) as error:
        raise CommandError(_("This is no JSON of the shape that dump writes.")) from error
    return [(*_known(f"{app}.{name}"), value) for app, name, value in values]


def _of_lines(lines: Iterable[str]) -> list[tuple[Declaration, str, Any]]:
    """``app.name = value`` or ``app.name=value``; blank lines and comments say nothing."""
    found = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        wanted, equals, text = line.partition("=")
        if not equals:
            # No more of the line: a password may stand there.
            name = line.strip().partition(" ")[0]
            raise CommandError(_("Write APP.NAME=VALUE, not %(line)s.") % {"line": name})
        declaration, name = _known(wanted.strip())
        text = text.strip() if wanted != wanted.rstrip() else text
        found.append((declaration, name, _value(text, declaration.fields[name])))
    return found


def _value(text: str, field: forms.Field) -> Any:
    """JSON where it is some; where a text is asked for, only JSON of a text is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if _is_text(field) and not isinstance(value, str) else value


def _is_text(field: forms.Field) -> bool:
    other = forms.JSONField | forms.MultipleChoiceField
    return isinstance(field, forms.CharField | forms.ChoiceField) and not isinstance(field, other)


def _update(actor: Actor, values: Iterable[tuple[Declaration, str, Any]]) -> None:
    nested: dict[str, dict[str, Any]] = {}
    for declaration, name, value in values:
        nested.setdefault(declaration.app, {})[name] = value
    try:
        update_parameters(actor, nested)
    except Refusal as refusal:
        dotted = [replace(reason, field=reason.field.replace("-", ".", 1)) for reason in refusal.reasons]
        raise Refusal(dotted) from refusal
