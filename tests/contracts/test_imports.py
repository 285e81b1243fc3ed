"""Imports in a browser: what a plan says, that exactly it is applied, and what is left of passwords afterwards.

The work is done where it is asked for (conftest); tests/e2e runs the real process.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from admin.gateways.import_files import ImportFiles
from admin.imports import jobs
from admin.imports.jobs import Job, State
from admin.imports.report import Report
from admin.imports.running import Import
from admin.models import Account, Alias, Domain
from admin.operations import create_alias, update_account
from core.actor import Actor
from core.models import User
from core.passwords import verify_password
from core.roles import Role
from tests.cast import PASSWORD, Cast
from tests.contracts.conftest import Fingerprint

BrowserOf = Callable[[Actor | None], Client]
UPLOAD = "admin:import_create"
GOOD = (
    "domain;new.example;10240;1024;true\r\n"
    f"account;jo@new.example;{PASSWORD};Jo;Miller;true;SimpleUsers;jo@new.example;2048\r\n"
    "alias;info@new.example;true;jo@new.example\r\n"
)


@pytest.fixture
def root(cast: Cast, browser_of: BrowserOf) -> Client:
    """The browser of the super admin."""
    return browser_of(cast.root)


@pytest.fixture
def dora(cast: Cast, browser_of: BrowserOf) -> Client:
    """The browser of a domain admin."""
    return browser_of(cast.dora)


def upload(client: Client, content: str | bytes, name: str = "identities.csv", **values: str) -> Any:
    """The answer to a file; its page follows by :func:`planned`."""
    data = content.encode() if isinstance(content, str) else content
    found = {"separator": "found", "encoding": "found"}
    given = {"passwords": "clear", "continue_if_exists": "on"} | found | values
    return client.post(reverse(UPLOAD), {"file": SimpleUploadedFile(name, data), **given})


def planned(client: Client, content: str | bytes, **values: str) -> Any:
    """The page of the plan of a file."""
    answer = upload(client, content, **values)
    assert answer.status_code == 302, answer.context["form"].errors
    return client.get(answer.headers["Location"], follow=True)


def told(page: Any) -> list[tuple[int, str, str, list[tuple[str, str]]]]:
    """What a page says of every line."""
    return [
        (line.number, line.shown, line.outcome, [(r.place, r.message) for r in line.reasons])
        for line in page.context["plan"].lines
    ]


def act(client: Client, page: Any, verb: str, **values: str) -> Any:
    """Press a button of a page, and look at the next one."""
    job: Job = page.context["job"]
    given = {"digest": job.digest, **values}
    return client.post(reverse(f"admin:import_{verb}", args=[job.token]), given, follow=True)


def folder(page: Any) -> Path:
    """Where the files of an import are."""
    return ImportFiles(page.context["job"].token).path


def everything_on_disk() -> bytes:
    """What somebody finds who looks into all files of all imports."""
    kept = (Path(settings.DATA_DIR) / "imports").rglob("*")
    return b"".join(path.read_bytes() for path in kept if path.is_file())


# --- from the file to the result -------------------------------------------------------------------------------


def test_a_plan_changes_nothing_and_applied_it_does_what_it_said(
    root: Client, fingerprint: Fingerprint
) -> None:
    def tables() -> dict[str, str]:
        return {name: rows for name, rows in fingerprint().items() if not name.startswith("/")}

    before = tables()
    page = planned(root, GOOD)
    assert tables() == before
    assert told(page) == [
        (1, "new.example", "Create", [("", "10 GB")]),
        (2, "jo@new.example", "Create", [("", "with mailbox, 2 GB")]),
        (3, "info@new.example", "Create", [("", "to jo@new.example")]),
    ]
    assert "Nothing has been changed yet." in page.content.decode()
    assert "1 domain, 1 account, 1 alias" in page.content.decode()

    page = act(root, page, "apply")
    assert page.context["job"].state == State.APPLIED
    assert {line[2] for line in told(page)} == {"Created"}
    assert verify_password(PASSWORD, User.objects.get(username="jo@new.example").password)
    assert Alias.objects.filter(address="info@new.example").exists()


def test_what_was_uploaded_and_hashed_is_gone_when_it_is_over(root: Client) -> None:
    page = planned(root, GOOD)
    report = folder(page) / "report.sqlite3"
    assert PASSWORD.encode() in (folder(page) / "upload.csv").read_bytes()
    assert PASSWORD.encode() not in report.read_bytes() + (folder(page) / "job.json").read_bytes()

    act(root, page, "apply")
    hashed = User.objects.get(username="jo@new.example").password
    assert PASSWORD.encode() not in everything_on_disk()
    assert hashed.rpartition("$")[2].encode() not in report.read_bytes()
    assert sorted(path.name for path in folder(page).iterdir()) == ["job.json", "report.sqlite3", "running"]


def test_forgotten_hashes_cannot_be_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "report.sqlite3"
    with Report(path) as report:
        report.keep_hashes({1: "a-hash-of-a-password"})
    assert b"a-hash-of-a-password" in path.read_bytes()
    with Report(path) as report:
        report._database.execute("PRAGMA secure_delete = OFF")  # as some systems have it
        report.forget_hashes()
    assert b"a-hash-of-a-password" not in path.read_bytes()


def test_files_of_imports_are_open_to_nobody_else(root: Client) -> None:
    old = os.umask(0)
    try:
        page = planned(root, GOOD + "domain;x\r\n")
    finally:
        os.umask(old)
    place = folder(page)
    assert [path.stat().st_mode & 0o777 for path in (place.parent, place)] == [0o700, 0o700]
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    assert {path.name for path in place.iterdir()} > {"upload.csv", "refused.csv", "reasons.csv", "job.json"}


def test_every_fault_of_every_line_is_told_at_once(root: Client) -> None:
    page = planned(
        root,
        "account;jo@dora.example;short;Jo;Miller;perhaps;King;jo@dora.example;much\r\n"
        "nonsense;x\r\n"
        "alias;info@dora.example;true;sam@dora.example\r\n"
        'alias;"open@dora.example;true;sam@dora.example\r\n',
    )
    first, second, third, fourth = told(page)
    assert (first[0], first[2]) == (1, "Refused")
    places = ["Column 6 (enabled)", "Column 7 (role)", "Column 9 (quota)"]
    assert [place for place, _message in first[3]] == places
    assert second[3][0][0] == "Column 1 (type)"
    assert third[2] == "Create"
    assert "quotation mark" in fourth[3][0][1]
    text = page.content.decode()
    assert "3 lines cannot be applied." in text
    assert "Apply the other 1" in text


def test_the_others_are_applied_and_refused_lines_come_back_as_they_were(root: Client) -> None:
    bad = "alias;;true;=cmd()|x\r\n"
    page = planned(root, f"{bad}alias;info@dora.example;true;sam@dora.example\r\n")
    token = page.context["job"].token
    answer: Any = root.get(reverse("admin:import_refused", args=[token]))
    assert b"".join(answer.streaming_content).decode() == bad
    assert answer.headers["Content-Disposition"] == 'attachment; filename="identities-refused.csv"'

    page = act(root, page, "apply")
    assert Alias.objects.filter(address="info@dora.example").exists()
    assert "1 line was not imported." in page.content.decode()
    assert root.get(reverse("admin:import_refused", args=[token])).status_code == 404
    answer = root.get(reverse("admin:import_reasons", args=[token]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.reader(StringIO(text), delimiter=";"))
    assert rows[0] == ["line", "type", "object", "column", "reason"]
    assert rows[1][:2] == ["1", "alias"]


def test_what_exists_is_skipped_or_refused_as_one_wishes(root: Client) -> None:
    line = "domain;dora.example;0;0;true\r\n"
    assert [row[2] for row in told(planned(root, line))] == ["Skip"]
    answer = root.post(
        reverse(UPLOAD),
        {
            "file": SimpleUploadedFile("x.csv", line.encode()),
            "passwords": "clear",
            "separator": ";",
            "encoding": "found",
        },
    )
    page = root.get(answer.headers["Location"])
    assert [row[2] for row in told(page)] == ["Refused"]
    assert "Apply" not in page.content.decode().partition("<main")[2].partition("stats")[0]


def test_lines_are_shown_page_by_page_and_by_outcome(root: Client) -> None:
    lines = "".join(f"alias;a{n}@dora.example;true;sam@dora.example\r\n" for n in range(120)) + "alias;x\r\n"
    page = planned(root, lines)
    url = page.redirect_chain[-1][0] if page.redirect_chain else page.request["PATH_INFO"]
    assert len(told(page)) == 100
    assert [row[0] for row in told(root.get(f"{url}?page=2"))] == list(range(101, 122))
    assert [row[0] for row in told(root.get(f"{url}?outcome=refused"))] == [121]
    assert [row[0] for row in told(root.get(f"{url}?outcome=nonsense&page=nonsense"))][:2] == [1, 2]
    chips = [(chip.label, chip.number) for chip in page.context["plan"].chips]
    assert chips == [("All", 121), ("Create", 120), ("Refused", 1)]


def test_storage_of_domains_and_warnings_are_shown(root: Client) -> None:
    page = planned(
        root,
        f"account;jo@dora.example;{{X}}{PASSWORD};Jo;Miller;true;SimpleUsers;jo@dora.example;51200\r\n",
    )
    text = page.content.decode()
    assert "Storage of dora.example after" in text
    assert "This looks like a hash; it is taken as the password itself." in text
    assert page.context["job"].storage[0]["given"] > 51_200 << 20


# --- roles -----------------------------------------------------------------------------------------------------


def test_nobody_creates_what_a_form_would_not_give_him(cast: Cast, browser_of: BrowserOf) -> None:
    lines = (
        "domain;new.example;0;0;true\r\n"
        "relaydomain;relay.example;9.9.9.9;25;relay;true;false\r\n"
        f"account;jo@dora.example;{PASSWORD};;;true;SimpleUsers;jo@dora.example\r\n"
        f"account;boss@dora.example;{PASSWORD};;;true;SuperAdmins\r\n"
        f"account;jo@mallory.example;{PASSWORD};;;true;SimpleUsers;jo@mallory.example\r\n"
    )
    outcomes = {
        name: [row[2] for row in told(planned(browser_of(actor), lines))]
        for name, actor in {"root": cast.root, "rita": cast.rita, "dora": cast.dora}.items()
    }
    assert outcomes == {
        "root": ["Create"] * 5,
        "rita": ["Create", "Create", "Refused", "Refused", "Refused"],
        "dora": ["Refused", "Refused", "Create", "Refused", "Refused"],
    }


def test_only_super_admins_give_hashes(dora: Client, root: Client) -> None:
    stored = "{SHA512-CRYPT}$6$rounds=70000$ab$" + "x" * 86
    line = f"account;jo@dora.example;{stored};Jo;Miller;true;SimpleUsers;jo@dora.example\r\n"
    assert "passwords" not in dora.get(reverse(UPLOAD)).context["form"].fields
    page = planned(dora, line, passwords="hashes")
    assert page.context["job"].crypt_password
    page = act(root, planned(root, line, passwords="hashes"), "apply")
    assert User.objects.get(username="jo@dora.example").password == stored


def test_who_lost_his_role_since_the_plan_applies_nothing(cast: Cast, dora: Client) -> None:
    page = planned(dora, "alias;info@dora.example;true;sam@dora.example\r\n")
    User.objects.filter(pk=cast.dora.pk).update(role=Role.SIMPLE_USER)
    assert act(dora, page, "apply").status_code == 403

    files, facts = ImportFiles(page.context["job"].token), page.context["job"]
    jobs._write(files, _in_state(facts, State.APPLYING))
    jobs.run(files.token)
    job = jobs._read(files)
    assert job is not None
    assert (job.state, Alias.objects.filter(address="info@dora.example").exists()) == (State.FAILED, False)
    assert "may not import any more" in job.fault


def test_who_was_disabled_since_the_plan_applies_nothing(cast: Cast, dora: Client) -> None:
    page = planned(dora, "alias;info@dora.example;true;sam@dora.example\r\n")
    update_account(cast.root, Account.objects.get(pk=cast.dora.pk), is_active=False)
    files = ImportFiles(page.context["job"].token)
    jobs._write(files, _in_state(page.context["job"], State.APPLYING))
    call_command("run_import", files.token)
    job = jobs._read(files)
    assert job is not None
    assert (job.state, Alias.objects.filter(address="info@dora.example").exists()) == (State.FAILED, False)


def _in_state(job: Job, state: State) -> Job:
    job.state = state
    return job


def test_somebody_elses_import_is_not_there(root: Client, dora: Client) -> None:
    page = planned(dora, "alias;info@dora.example;true;sam@dora.example\r\n")
    nowhere = root.get(reverse("admin:import_detail", args=["no-token"]))
    other = root.get(reverse("admin:import_detail", args=[page.context["job"].token]))
    assert other.status_code == nowhere.status_code == 404
    assert page.context["job"].name not in root.get(reverse(UPLOAD)).content.decode()
    assert page.context["job"].name in dora.get(reverse(UPLOAD)).content.decode()


# --- the world goes on -----------------------------------------------------------------------------------------


def test_a_changed_world_is_told_and_nothing_is_written(cast: Cast, root: Client) -> None:
    page = planned(root, GOOD + "alias;shop@dora.example;true;sam@dora.example\r\n")
    create_alias(cast.root, address="shop@dora.example", recipients=("sam@dora.example",))
    page = act(root, page, "apply")
    assert page.context["job"].state == State.FAILED
    assert "Something changed since the plan was made" in page.content.decode()
    assert not Domain.objects.filter(name="new.example").exists()
    assert not (folder(page) / "report.sqlite3").exists()

    page = act(root, page, "plan")
    assert [row[2] for row in told(page)] == ["Create", "Create", "Create", "Skip"]
    act(root, page, "apply")
    assert Domain.objects.filter(name="new.example").exists()


def test_a_plan_that_one_has_not_seen_is_not_applied(root: Client) -> None:
    page = planned(root, GOOD)
    page = act(root, page, "apply", digest="0" * 64)
    assert page.context["job"].state == State.PLANNED
    assert "The plan was made anew meanwhile." in page.content.decode()
    assert not Domain.objects.filter(name="new.example").exists()


def test_applied_twice_it_is_done_once(root: Client) -> None:
    page = planned(root, GOOD)
    act(root, page, "apply")
    again = act(root, page, "apply")
    assert again.context["job"].state == State.APPLIED
    assert "at another point already" in again.content.decode()
    assert act(root, page, "cancel").context["job"].state == State.APPLIED


def test_a_cancelled_import_leaves_nothing(
    root: Client, fingerprint: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint()

    def cancelled_meanwhile(files: ImportFiles, _lock: int) -> None:
        files.wish_to_cancel()
        jobs.run(files.token)

    page = planned(root, GOOD)
    monkeypatch.setattr(ImportFiles, "launch", cancelled_meanwhile)
    page = act(root, page, "apply")
    assert page.context["job"].state == State.CANCELLED
    assert "Nothing was changed, and the file was deleted." in page.content.decode()
    after = {name: rows for name, rows in fingerprint().items() if not name.startswith("/")}
    assert after == before
    assert sorted(path.name for path in folder(page).iterdir()) == ["cancel", "job.json", "running"]


def test_a_plan_can_be_discarded(root: Client) -> None:
    page = act(root, planned(root, GOOD), "cancel")
    assert page.context["job"].state == State.CANCELLED
    assert PASSWORD.encode() not in everything_on_disk()


def test_work_whose_process_died_is_shown_as_interrupted(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = planned(root, GOOD)
    with monkeypatch.context() as patched:
        patched.setattr(ImportFiles, "launch", lambda _files, _lock: None)
        page = act(root, page, "apply")
    assert page.context["job"].state == State.FAILED
    assert "The import was interrupted." in page.content.decode()
    assert [row[2] for row in told(act(root, page, "plan"))] == ["Create"] * 3


def test_an_error_of_ours_is_told_without_its_words(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Import) -> None:
        raise RuntimeError(PASSWORD)

    monkeypatch.setattr(Import, "plan", broken)
    page = planned(root, GOOD)
    assert page.context["job"].state == State.FAILED
    assert "An error of the panel stopped this." in page.content.decode()
    assert PASSWORD not in page.content.decode()


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work that begins in this block goes on until its end."""
    held: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(ImportFiles, "launch", lambda _files, lock: held.append(os.dup(lock)))
        yield
    for lock in held:
        os.close(lock)


def test_while_it_works_a_bar_is_shown_and_it_can_be_cancelled(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(monkeypatch):
        page = planned(root, GOOD)
        url = reverse("admin:import_detail", args=[page.context["job"].token])
        assert 'role="progressbar"' in page.content.decode()
        part = root.get(url, headers={"HX-Request": "true"})
        assert part.content.decode().strip().startswith("<div")
        assert "HX-Refresh" not in part.headers
        assert upload(root, GOOD).context["form"].errors["__all__"] == [
            "Another import of yours is running. Wait until it is done, or cancel it."
        ]
        act(root, page, "cancel")
        assert (folder(page) / "cancel").exists()
    jobs.run(page.context["job"].token)
    over = root.get(url, headers={"HX-Request": "true"})
    assert over.headers["HX-Refresh"] == "true"
    assert root.get(url).context["job"].state == State.CANCELLED


def test_only_a_few_imports_run_at_the_same_time(
    cast: Cast, root: Client, dora: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_MOST_RUNNING", 1)
    with running(monkeypatch):
        planned(root, GOOD)
        [refusal] = upload(dora, GOOD).context["form"].errors["__all__"]
        assert refusal == "Too many imports are running. Try again in a few minutes."
    assert [job.owner for job in jobs.jobs_of(cast.dora)] == []


@pytest.mark.parametrize("way", ["the next upload", "a timer"])
def test_old_files_go(root: Client, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    def it_happens(name: str) -> None:
        if way == "a timer":
            call_command("run_import", "--sweep")
        else:
            planned(root, f"domain;{name}.example;0;0;true\r\n")

    plan = planned(root, GOOD)
    applied = act(root, planned(root, "domain;other.example;0;0;true\r\n"), "apply")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + jobs.UPLOAD_KEPT_S + 1)
    it_happens("third")
    assert not (folder(plan) / "upload.csv").exists()
    page = root.get(reverse("admin:import_detail", args=[plan.context["job"].token]))
    assert "The file was deleted after a day." in page.content.decode()
    assert "Apply" not in page.content.decode().partition("<main")[2].partition("stats")[0]

    monkeypatch.setattr(time, "time", lambda: now + jobs.KEPT_S + 1)
    it_happens("fourth")
    assert not folder(plan).exists()
    assert not folder(applied).exists()


def test_an_account_keeps_only_a_few_files(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_MOST_UPLOADS", 2)
    monkeypatch.setattr(jobs, "_MOST_JOBS", 3)
    places = [folder(planned(root, f"domain;d{n}.example;0;0;true\r\n")) for n in range(4)]
    assert [place.exists() for place in places] == [False, True, True, True]
    assert [(place / "upload.csv").exists() for place in places] == [False, False, True, True]


# --- the file --------------------------------------------------------------------------------------------------


def test_a_body_that_is_too_long_is_not_even_read(root: Client, settings: Any) -> None:
    settings.MODOBOA_IMPORT_MAX_MB = 1
    answer = upload(root, b"x" * 1_200_000)
    assert answer.status_code == 413
    assert "longer than 1 MB" in answer.content.decode()
    answer = upload(root, b"x" * 1_050_000)
    assert answer.context["form"].errors.as_data()["file"][0].code == "too_long"
    assert everything_on_disk() == b""


def test_a_file_needs_the_token_against_forgery(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.root.user)
    assert upload(client, GOOD).status_code == 403
    assert jobs.jobs_of(cast.root) == []


def test_a_file_in_the_encoding_of_old_spreadsheets_is_read_with_a_word_about_it(root: Client) -> None:
    line = f"account;jo@dora.example;{PASSWORD};Jörg;Müller;true;SimpleUsers;jo@dora.example\r\n"
    page = planned(root, line.encode("cp1252"))
    assert "it was read as Windows-1252" in page.content.decode()
    act(root, page, "apply")
    assert User.objects.get(username="jo@dora.example").first_name == "Jörg"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_an_encoding_is_found_out_or_named(root: Client, encoding: str) -> None:
    line = f"account,jo@dora.example,{PASSWORD},Jörg,Müller,true,SimpleUsers,jo@dora.example\r\nalias,x\r\n"
    page = planned(root, line.encode(encoding), encoding="found" if "utf" in encoding else encoding)
    assert [row[2] for row in told(page)] == ["Create", "Refused"]
    assert "Windows-1252" not in page.content.decode().partition("<main")[2]
    answer: Any = root.get(reverse("admin:import_refused", args=[page.context["job"].token]))
    assert b"".join(answer.streaming_content).decode(encoding) == "alias,x\r\n"


def test_a_file_that_is_no_text_is_refused_in_words(root: Client) -> None:
    page = planned(root, b"domain;x\0y;0;0;true\r\n")
    assert "This is not a text file." in page.content.decode()
    assert upload(root, b"").context["form"].errors.as_data()["file"][0].code == "empty"


def test_a_header_that_says_everything_is_not_asked_about(root: Client) -> None:
    header = "type,password,quota,username,address\r\n"
    page = planned(root, f"{header}account,{PASSWORD},much,jo@dora.example,jo@dora.example\r\n")
    [(number, shown, outcome, [(place, _message)])] = told(page)
    assert (number, shown, outcome, place) == (2, "jo@dora.example", "Refused", "Column 3 (quota)")
    answer: Any = root.get(reverse("admin:import_refused", args=[page.context["job"].token]))
    assert b"".join(answer.streaming_content).startswith(header.encode() + b"account,")


FOREIGN = (
    "Login;Kennwort;Vorname;E-Mail;Notiz;Kürzel\r\n"
    f"jo@dora.example;{PASSWORD};Jo;jo@dora.example;ask Mia;{{PLAIN}}x\r\n"
)
MEANINGS = {
    "first_line": "names",
    "kind": "account",
    "column_0": "username",
    "column_1": "password",
    "column_2": "first_name",
    "column_3": "address",
    "column_4": "-",
    "column_5": "-",
}


def test_columns_of_foreign_names_are_asked_about_and_passwords_not_shown(root: Client) -> None:
    page = planned(root, FOREIGN)
    text = page.content.decode()
    choices = {each.name: each for each in page.context["form"].column_choices()}
    assert choices["Vorname"].values == ["Jo"]
    guesses = {name: choice.field.value() for name, choice in choices.items()}
    assert guesses == {
        "Login": "username",
        "Kennwort": "password",
        "Vorname": "first_name",
        "E-Mail": "address",
        "Notiz": "-",
        "Kürzel": "-",
    }
    assert page.context["form"]["kind"].value() == "account"
    assert choices["Kennwort"].values is choices["Kürzel"].values is None
    assert PASSWORD not in text
    assert "{PLAIN}" not in text

    page = root.post(page.request["PATH_INFO"], MEANINGS, follow=True)
    assert [row[1:3] for row in told(page)] == [("jo@dora.example", "Create")]
    act(root, page, "apply")
    jo = User.objects.get(username="jo@dora.example")
    assert (jo.first_name, jo.email) == ("Jo", "jo@dora.example")
    assert verify_password(PASSWORD, jo.password)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"column_1": "-"}, "__all__", "no column is “password”"),
        ({"column_2": "username"}, "column_2", "Another column is this already."),
        ({"kind": "column"}, "__all__", "no column is the type of a line"),
        ({"column_0": "nonsense"}, "column_0", "not one of the available choices"),
        ({"kind": "nonsense"}, "kind", "not one of the available choices"),
    ],
)
def test_columns_that_lack_something_are_refused(
    root: Client, change: dict[str, str], field: str, words: str
) -> None:
    page = planned(root, FOREIGN)
    answer = root.post(page.request["PATH_INFO"], MEANINGS | change)
    assert answer.status_code == 422
    assert words in answer.context["form"].errors[field][0]
    assert PASSWORD not in answer.content.decode()


def test_lines_without_types_and_names_are_asked_about_and_no_possible_password_is_kept(root: Client) -> None:
    page = planned(root, f"jo@dora.example;{PASSWORD};Jo;1024;jo@dora.example\r\n")
    choices = [(each.name, each.values) for each in page.context["form"].column_choices()]
    assert choices == [
        ("Column 1", ["jo@dora.example"]),
        ("Column 2", None),
        ("Column 3", None),
        ("Column 4", ["1024"]),
        ("Column 5", ["jo@dora.example"]),
    ]
    meanings = ("username", "password", "first_name", "quota", "address")
    given = {f"column_{at}": meaning for at, meaning in enumerate(meanings)}
    page = root.post(page.request["PATH_INFO"], given | {"first_line": "row", "kind": "account"}, follow=True)
    assert [row[:3] for row in told(page)] == [(1, "jo@dora.example", "Create")]
    assert PASSWORD.encode() not in (folder(page) / "job.json").read_bytes()
    act(root, page, "apply")
    assert verify_password(PASSWORD, User.objects.get(username="jo@dora.example").password)


def test_columns_of_one_name_may_mean_different_things(root: Client) -> None:
    page = planned(root, "Ziel;Ziel;\r\ninfo@dora.example;sam@dora.example;x\r\n")
    given = {"column_0": "address", "column_1": "recipient", "column_2": "-"}
    url = page.request["PATH_INFO"]
    page = root.post(url, given | {"first_line": "names", "kind": "alias"}, follow=True)
    assert [(row[0], row[1], row[2]) for row in told(page)] == [(2, "info@dora.example", "Create")]


def test_a_column_that_one_calls_the_password_is_not_shown_either(root: Client) -> None:
    page = planned(root, FOREIGN.replace("Kennwort", "Spalte"))
    answer = root.post(page.request["PATH_INFO"], MEANINGS | {"kind": "column"})
    assert answer.status_code == 422
    assert PASSWORD not in answer.content.decode()


def test_the_example_is_an_import_of_its_own(root: Client) -> None:
    page = planned(root, root.get(reverse("admin:import_example")).content)
    assert {row[2] for row in told(page)} == {"Create"}
    assert len(told(page)) == 7


def test_both_lists_lead_to_the_import(root: Client) -> None:
    for name in ("domain_list", "identity_list"):
        assert f'href="{reverse(UPLOAD)}"' in root.get(reverse(f"admin:{name}")).content.decode()
