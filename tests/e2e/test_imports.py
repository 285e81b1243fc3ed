"""A file is uploaded, planned and applied in Chromium, by the real process; and every screen of it is clean."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from playwright.sync_api import expect

from admin.gateways.import_files import ImportFiles
from admin.imports import jobs
from admin.models import Account, Alias
from admin.operations import update_account
from limits.kinds import Kind
from tests.cast import PASSWORD, Cast
from tests.e2e.test_main_path import sign_in
from tests.e2e.test_screens import SIZES, look_at

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, Page, ViewportSize

MANY = "".join(f"alias;a{number}@dora.example;true;sam@dora.example\r\n" for number in range(2_000))


@pytest.fixture(autouse=True)
def _place(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def _real_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process inherits leads it to this database and this directory."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{connection.settings_dict['NAME']}")
    monkeypatch.setenv("MODOBOA_DATA_DIR", str(tmp_path))


def choose(page: Page, name: str, content: str) -> None:
    """Fill the form with a file, and send it."""
    page.goto("/admin/import/")
    file: FilePayload = {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Upload and plan").click()


def stored() -> int:
    """Aliases in the database, which the process may hold for a moment."""
    return Alias.objects.filter(address__startswith="a").count()


@pytest.mark.usefixtures("_real_process")
def test_from_the_file_to_the_aliases_with_a_tab_that_is_closed_meanwhile(page: Page, people: Cast) -> None:
    sign_in(page, "dora@dora.example")
    page.goto("/admin/identities/")
    page.get_by_role("link", name="Import", exact=True).click()
    choose(page, "many.csv", MANY + "alias;nobody@mallory.example;true;sam@dora.example\r\n")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plan for many.csv", timeout=60_000)
    expect(page.get_by_text("1 line cannot be applied.")).to_be_visible()
    assert stored() == 0
    page.get_by_role("link", name="Refused 1").click()
    expect(page.locator("[data-rows] > tr")).to_have_count(1)
    page.get_by_role("button", name="Apply the other 2,000").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.goto("about:blank")
    page.goto("/admin/import/")
    page.get_by_role("link", name="many.csv").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("many.csv was imported", timeout=60_000)
    assert stored() == 2_000
    [job] = jobs.jobs_of(people.dora)
    files = ImportFiles(job.token)
    assert not files.upload.exists()
    assert (files.path / "log").read_text() == ""


@pytest.mark.usefixtures("_real_process")
def test_cancelled_while_it_works_nothing_is_left(page: Page, people: Cast) -> None:
    sign_in(page, "root")
    choose(page, "many.csv", MANY)
    expect(page.get_by_role("heading", level=1)).to_have_text("Plan for many.csv", timeout=60_000)
    page.get_by_role("button", name="Apply 2,000 changes").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("many.csv was cancelled", timeout=60_000)
    assert stored() == 0
    [job] = jobs.jobs_of(people.root)
    assert not ImportFiles(job.token).upload.exists()


@pytest.mark.usefixtures("_real_process")
def test_a_process_that_is_killed_is_told_and_leaves_nothing(page: Page, people: Cast) -> None:
    sign_in(page, "root")
    choose(page, "many.csv", MANY)
    expect(page.get_by_role("progressbar")).to_be_visible()
    [job] = jobs.jobs_of(people.root)
    _kill(job.token)
    expect(page.get_by_text("Planning was interrupted. Nothing was changed.")).to_be_visible(timeout=60_000)
    assert stored() == 0


def _kill(token: str) -> None:
    """The process that was started with this token, and no other."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"run_import" in words and token.encode() in words:
                os.kill(int(entry.name), 9)


# --- pictures --------------------------------------------------------------------------------------------------

PLAN = (
    f"account;jo@reseller.example;{PASSWORD};Jo;Miller;true;SimpleUsers;jo@reseller.example;2048\r\n"
    f"account;mia@reseller.example;{{X}}{PASSWORD};Mia;King;true;SimpleUsers;mia@reseller.example\r\n"
    f"account;JO@reseller.example;{PASSWORD};Jo;Miller;perhaps;King;jo@reseller.example;much\r\n"
    "alias;team@reseller.example;true;jo@reseller.example;mia@reseller.example;ext@other.example\r\n"
    "domain;reseller.example;0;0;true\r\n"
    "relaydomain;relay.example;9.9.9.9;25;relay;true;false\r\n"
    f"account;li@rseller.example;{PASSWORD};Li;Chen;true;SimpleUsers;li@rseller.example\r\n"
)
FOREIGN = (
    "Login;Kennwort;Vorname;Nachname;E-Mail;Notiz\r\n"
    "jo@reseller.example;secret;Jo;Miller;jo@reseller.example;ask Mia first\r\n"
    "mia@reseller.example;secret;Mia;King;mia@reseller.example;\r\n"
    "li@reseller.example;secret;Li;Chen;li@reseller.example;leaves in autumn\r\n"
)


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_of_an_import_is_clean(
    page: Page, people: Cast, size: ViewportSize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImportFiles, "launch", lambda files, _lock: jobs.run(files.token))
    update_account(people.root, Account.objects.get(pk=people.rita.pk), limits={Kind.MAILBOXES: 10})
    page.set_viewport_size(size)
    sign_in(page, "rita")

    page.goto("/admin/import/")
    look_at(page, "import_create_first")
    page.get_by_role("button", name="Upload and plan").click()
    look_at(page, "import_create_refused")

    choose(page, "people.csv", FOREIGN)
    look_at(page, "import_columns")
    page.get_by_label("Each line is").select_option("what a column says")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look_at(page, "import_columns_refused")

    choose(page, "identities.csv", PLAN)
    expect(page.get_by_role("heading", level=1)).to_have_text("Plan for identities.csv")
    look_at(page, "import_plan")
    page.get_by_role("button", name="Apply the other").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("identities.csv was imported")
    look_at(page, "import_applied")

    choose(page, "identities.csv", "alias;sales@reseller.example;true;jo@reseller.example\r\n")
    expect(page.get_by_role("button", name="Apply 1 change")).to_be_visible()
    look_at(page, "import_plan_of_one")
    page.get_by_role("button", name="Apply 1 change").click()
    held: list[int] = []
    monkeypatch.setattr(ImportFiles, "launch", lambda _files, lock: held.append(os.dup(lock)))
    choose(page, "identities.csv", PLAN)
    expect(page.get_by_role("progressbar")).to_be_visible()
    [job] = [each for each in jobs.jobs_of(people.rita) if each.is_working]
    job.step, job.done, job.total, job.changed_at = "Planning", 8_400, 12_000, time.time()
    jobs._write(ImportFiles(job.token), job)
    expect(page.get_by_text("8,400 of 12,000").first).to_be_visible()
    look_at(page, "import_progress")
    page.goto("/admin/import/")
    look_at(page, "import_create")
    for lock in held:
        os.close(lock)
    page.goto(f"/admin/import/{job.token}/")
    look_at(page, "import_failed")
    page.get_by_role("button", name="Discard").click()
    look_at(page, "import_cancelled")
