"""A hook without documentation, or that the example plugin does not answer, fails the build."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import modoboa
from admin import signals as of_admin
from core import signals as of_core
from core.extensions import ExtensionsPool, ModoExtension
from core.hooks import Hook
from tests.servers.example_plugin import TOP

DOCS = (TOP / "docs" / "plugins.md").read_text(encoding="utf-8")
HANDLERS = (TOP / "docs" / "example-plugin" / "example_plugin" / "handlers.py").read_text(encoding="utf-8")
HOOKS = {
    f"{module.__name__.partition('.')[0]}.{name}": hook
    for module in (of_core, of_admin)
    for name, hook in vars(module).items()
    if isinstance(hook, Hook)
}
# A line of a table: the hook in its first cell, what it is sent with in the second.
ROWS = {
    match["name"]: match["sent"]
    for match in re.finditer(r"^\| `(?P<name>\w+)`[^|]*\| (?P<sent>[^|]*)\|", DOCS, re.MULTILINE)
}


def names_of(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_arguments_and_answered_by_the_example(hook: str) -> None:
    app, _dot, name = hook.partition(".")
    assert name in ROWS, "no table of docs/plugins.md names it"
    missing = [each for each in HOOKS[hook].arguments if f"`{each}`" not in ROWS[name]]
    assert missing == []
    receiver = re.search(
        rf"@receiver\({app}_signals\.{name}\)\ndef {name}\(sender(?P<named>[^)]*)\):", HANDLERS
    )
    assert receiver, "no receiver of docs/example-plugin"
    named = re.findall(r", (\w+)", receiver["named"])
    assert named == list(HOOKS[hook].arguments)


@pytest.mark.parametrize("kind", [ModoExtension, ExtensionsPool])
def test_every_attribute_of_an_extension_and_of_the_pool_is_documented(kind: type) -> None:
    names = [name for name in vars(kind) if not name.startswith("_")]
    missing = [name for name in names if f"`{name}" not in DOCS]
    assert missing == []


def test_the_documented_paths_give_every_hook_and_what_the_chapter_names() -> None:
    for place, hook in HOOKS.items():
        app, _dot, name = place.partition(".")
        assert getattr(import_module(f"modoboa.{app}.signals"), name) is hook
    paths = [names_of(path) for path in Path(modoboa.__file__).parent.rglob("*.py")]
    for path in paths:
        if path == "modoboa.lib.cryptutils":
            pytest.importorskip("cryptography", reason="requirements.txt is not installed")
        module = import_module(path)
        for name in getattr(module, "__all__", ()):
            assert re.search(rf"[`.@]{name}\b", DOCS), f"{path}.{name}"
