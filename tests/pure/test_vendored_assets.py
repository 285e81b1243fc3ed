"""Files of other people are exactly those of the manifest, and pages fit into a strict policy and a small budget."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
STATIC = TOP / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = sorted((TOP / "templates").rglob("*.html"))
OWN_FILES = {"manifest.json", "README"}
FIRST_LOAD_LIMIT = 150_000
ICON_IN_TEMPLATE = re.compile(r"""\bicon[ =]"([a-z0-9-]+)\"""")
ICON_IN_PYTHON = re.compile(r"""\bicon=["']([a-z0-9-]+)["']""")


def manifest() -> dict[str, str]:
    packages = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))["packages"]
    return {path: digest for package in packages for path, digest in package["files"].items()}


def digest(path: Path) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode("ascii")


def vendored() -> dict[str, Path]:
    files = (path for path in VENDOR.rglob("*") if path.is_file())
    return {name: path for path in files if (name := path.relative_to(VENDOR).as_posix()) not in OWN_FILES}


def used_icons() -> Iterator[tuple[str, str]]:
    for path in TEMPLATES:
        for name in ICON_IN_TEMPLATE.findall(path.read_text(encoding="utf-8")):
            yield name, path.relative_to(TOP).as_posix()
    for app in ("core", "parameters", "limits", "admin", "relaydomains"):
        for path in (TOP / app).rglob("*.py"):
            for name in ICON_IN_PYTHON.findall(path.read_text(encoding="utf-8")):
                yield name, path.relative_to(TOP).as_posix()


def test_every_vendored_file_is_what_the_manifest_says() -> None:
    assert {name: digest(path) for name, path in vendored().items()} == manifest()


def test_every_package_comes_with_its_licence() -> None:
    packages = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))["packages"]
    assert {package["name"] for package in packages} >= {"bootstrap", "htmx.org", "uplot", "bootstrap-icons"}
    for package in packages:
        assert package["licence"]
        assert package["version"]
        assert any(path.endswith("/LICENSE") for path in package["files"]), package["name"]


def test_no_vendored_file_points_at_a_source_map() -> None:
    """Hashed static files refuse to be collected when it is missing."""
    assert [name for name, path in vendored().items() if b"sourceMappingURL" in path.read_bytes()] == []


def test_the_sprite_holds_exactly_the_listed_icons() -> None:
    sprite = (VENDOR / "bootstrap-icons" / "icons.svg").read_text(encoding="utf-8")
    listed = (VENDOR / "bootstrap-icons" / "icons.txt").read_text(encoding="utf-8").split()
    assert re.findall(r'<symbol id="([^"]+)"', sprite) == listed


def test_every_icon_that_pages_name_is_in_the_sprite() -> None:
    listed = set((VENDOR / "bootstrap-icons" / "icons.txt").read_text(encoding="utf-8").split())
    used = list(used_icons())
    assert len(used) > 50
    assert [(name, where) for name, where in used if name not in listed] == []


def test_the_first_page_weighs_at_most_150_kilobytes() -> None:
    root = (TOP / "templates" / "base_root.html").read_text(encoding="utf-8")
    names = set(re.findall(r"{% static '([^']+)' %}", root)) | {"vendor/bootstrap-icons/icons.svg"}
    names -= {"vendor/bootstrap/bootstrap.rtl.min.css"}  # instead of the other one, never with it
    assert "css/modoboa.css" in names
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in names}
    assert sum(sizes.values()) <= FIRST_LOAD_LIMIT, sizes


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(TOP / "templates").as_posix())
def test_templates_need_no_inline_script_and_no_inline_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(TOP / "templates").as_posix())
def test_templates_open_with_a_comment_about_purpose_context_and_accessibility(path: Path) -> None:
    opening = path.read_text(encoding="utf-8")[:1800]
    for word in ("{# Purpose:", "Context", "Accessibility:"):
        assert word in opening


def test_nothing_of_ours_is_fetched_from_another_host() -> None:
    ours = [*(STATIC / "css").glob("*.css"), *(STATIC / "js").glob("*.js"), *TEMPLATES]
    foreign = re.compile(r"""(?:src|href|url|import|fetch)\s*[=(]\s*["']?(?:https?:)?//""")
    assert [path.name for path in ours if foreign.search(path.read_text(encoding="utf-8"))] == []
