"""The directory of media: the logo is for everybody, the rest for nobody, and its rights are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from core import checks

PICTURE = b"<svg xmlns='http://www.w3.org/2000/svg'/>"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A directory with a logo, another picture, and a way out."""
    place = tmp_path / "media"
    (place / "of a plugin").mkdir(parents=True)
    place.chmod(0o750)
    for name in ("logo.svg", "other.svg", "logo.html", "of a plugin/secret.svg"):
        (place / name).write_bytes(PICTURE)
    (tmp_path / "outside.svg").write_bytes(PICTURE)
    (place / "link.svg").symlink_to(tmp_path / "outside.svg")
    settings.MEDIA_ROOT = place
    settings.MODOBOA_CUSTOM_LOGO = "/media/logo.svg"
    return place


def test_the_logo_is_shown_to_strangers_and_runs_no_scripts() -> None:
    for answer in (Client().get("/media/logo.svg"), Client().head("/media/logo.svg")):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.headers["Content-Security-Policy"].endswith("sandbox")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
        assert "Set-Cookie" not in answer.headers
    assert Client().get("/media/logo.svg").content == PICTURE


@pytest.mark.parametrize(
    "path",
    ["other.svg", "of a plugin/secret.svg", "", "../outside.svg", "x/../logo.svg", "logo.svg/", "//logo.svg"],
)
def test_nothing_else_is(path: str) -> None:
    assert Client().get(f"/media/{path}").status_code == 404


@pytest.mark.parametrize("name", ["logo.html", "missing.svg", "../outside.svg", "link.svg", "of a plugin"])
def test_a_logo_must_be_a_picture_of_that_directory(settings: Settings, name: str) -> None:
    settings.MODOBOA_CUSTOM_LOGO = f"/media/{name}"
    assert Client().get(f"/media/{name}").status_code == 404


def test_a_logo_that_is_not_there_is_told(settings: Settings) -> None:
    assert checks.logo_is_a_file_of_media() == []
    for wrong in ("/media/missing.svg", "/elsewhere/logo.svg", "https://example.org/logo.svg", "logo.svg"):
        settings.MODOBOA_CUSTOM_LOGO_DARK = wrong
        [warning] = checks.logo_is_a_file_of_media()
        assert warning.id == "core.W009"
        assert "MODOBOA_CUSTOM_LOGO_DARK" in warning.msg


def test_the_rights_of_the_directory_are_looked_at(
    settings: Settings, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.media_directory_is_right() == []
    media.chmod(0o757)
    assert [each.id for each in checks.media_directory_is_right()] == ["core.W008"]
    monkeypatch.setattr("os.access", lambda *_arguments: False)
    assert [each.id for each in checks.media_directory_is_right()] == ["core.W007"]
    settings.MEDIA_ROOT = media / "missing"
    assert [each.id for each in checks.media_directory_is_right()] == ["core.W006"]
