"""Apps beside the panel register map files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from admin.lookups import POSTFIX, postfix_maps
from modoboa.core.signals import register_postfix_maps


class Autoreplies:
    filename = "sql-autoreplies-transport.cf"
    postgres = "SELECT method FROM autoreply WHERE pg = '%s'"
    mysql = "SELECT method FROM autoreply WHERE my = '%s'"
    sqlite = "SELECT method FROM autoreply WHERE lite = '%s'"


given: list[Any] = []


def receiver(**_sent: object) -> list[Any]:
    return given


@pytest.fixture
def plugin() -> Iterator[list[Any]]:
    """What the plugin registers, to be filled by the test."""
    register_postfix_maps.connect(receiver)
    yield given
    given.clear()
    register_postfix_maps.disconnect(receiver)


URLS = {
    "pg": "postgres://postfix:secret@127.0.0.1:5432/panel",
    "my": "mysql://postfix:secret@127.0.0.1:3306/panel",
    "lite": "sqlite:////srv/panel.sqlite3",
}


@pytest.mark.parametrize("engine", URLS)
def test_a_plugin_adds_a_file_in_the_dialect_of_the_database(
    plugin: list[Any], tmp_path: Path, engine: str
) -> None:
    plugin.append(Autoreplies)
    call_command("generate_postfix_maps", destdir=str(tmp_path), dburl=URLS[engine])
    written = (tmp_path / Autoreplies.filename).read_text()
    assert f"WHERE {engine} = '%s'\n" in written
    assert Autoreplies.filename in (tmp_path / "modoboa-postfix-maps.chk").read_text()
    assert all((tmp_path / lookup.file_name).exists() for lookup in POSTFIX)


def test_without_a_plugin_there_are_the_files_of_the_panel() -> None:
    names = [each.file_name for each in postfix_maps()]
    assert len(names) == len(set(names))
    assert {lookup.file_name for lookup in POSTFIX} <= set(names)


@pytest.mark.parametrize(
    "wrong",
    [
        {"filename": "../../etc/passwd.cf"},
        {"filename": "main.conf"},
        {"filename": "sql-domains.cf"},  # the panel's own
        {"postgres": "SELECT 1\nhosts = elsewhere.example"},
        {"mysql": " "},
        {"sqlite": None},
    ],
    ids=str,
)
def test_what_is_no_map_file_is_refused(plugin: list[Any], tmp_path: Path, wrong: dict[str, Any]) -> None:
    plugin.append(type("Wrong", (Autoreplies,), wrong))
    with pytest.raises(ImproperlyConfigured):
        postfix_maps()
    with pytest.raises(ImproperlyConfigured):
        call_command("generate_postfix_maps", destdir=str(tmp_path / "maps"), dburl=URLS["pg"])
    assert not (tmp_path / "maps").exists()


def test_a_class_without_queries_is_refused(plugin: list[Any]) -> None:
    plugin.append(object)
    with pytest.raises(ImproperlyConfigured, match="is no map file"):
        postfix_maps()
