"""modoboa-admin.py: what it asks, what it refuses, what it believes. tests/operations/test_deployment.py runs it."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from modoboa_site import databases, environment
from modoboa_site.deployment import command_line, deploying, extensions
from modoboa_site.deployment.deploying import Step
from modoboa_site.deployment.problems import Problem

SQLITE = "default:sqlite:////var/lib/panel/panel.sqlite3"


@pytest.fixture(autouse=True)
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Steps that would be run in the instance; everything else is done."""
    taken: list[Step] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deploying, "_run", lambda steps, _place, *, verbose: taken.extend(steps))  # noqa: ARG005
    for name in ("DATABASE_URL", "MODOBOA_ADMIN_PASSWORD", "MODOBOA_SECRET_KEY", "MODOBOA_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", StringIO(""))
    return taken


def answers(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("".join(f"{line}\n" for line in lines)))


def variables(name: str = "panel") -> dict[str, str]:
    lines = Path(name, "panel.env").read_text().splitlines()
    return {key: shlex.split(value)[0] for key, value in (line.split("=", 1) for line in lines)}


# --- commands ---------------------------------------------------------------------------------------------------


def test_an_unknown_command_is_named_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["launch", "panel"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "launch" in said.err


def test_help_prints_how_a_command_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["help", "deploy"]) == 0
    said = capsys.readouterr().out
    for option in (
        "--dburl",
        "--domain",
        "--lang",
        "--timezone",
        "--collectstatic",
        "--devel",
        "--extensions",
    ):
        assert option in said
    assert command_line.main(["help"]) == command_line.main([]) == 0
    assert command_line.main(["help", "launch"]) == 1


# --- questions --------------------------------------------------------------------------------------------------


def test_nothing_is_asked_or_said_when_everything_is_given(
    steps: list[Step], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["deploy", "panel", "--dburl", SQLITE, "--domain", "panel.example.org", "--collectstatic"]
    assert command_line.main([*words, "--lang", "fr", "--timezone", "Europe/Paris"]) == 0
    assert capsys.readouterr() == ("", "")
    assert [step.words[0] for step in steps] == ["migrate", "load_initial_data", "collectstatic"]
    told = variables()
    assert len(told.pop("MODOBOA_SECRET_KEY")) > 60
    assert told == {
        "MODOBOA_SITE_HOST": "panel.example.org",
        "MODOBOA_LANGUAGE": "fr",
        "MODOBOA_TIME_ZONE": "Europe/Paris",
        "DATABASE_URL": SQLITE.removeprefix("default:"),
    }


def test_what_is_missing_is_asked_for(monkeypatch: pytest.MonkeyPatch, steps: list[Step]) -> None:
    answers(
        monkeypatch, "oracle", "mysql", "db.example.org", "", "mail", "me", "p@ss w/rd", "", "Correct-Horse-7"
    )
    assert command_line.main(["deploy", "panel"]) == 0
    assert variables()["DATABASE_URL"] == "mysql://me:p%40ss%20w%2Frd@db.example.org:3306/mail"
    assert variables()["MODOBOA_SITE_HOST"] == "localhost"
    assert steps[1].secrets == {"MODOBOA_ADMIN_PASSWORD": "Correct-Horse-7"}
    assert "Correct-Horse-7" not in " ".join(steps[1].words)


def test_a_url_that_is_none_leads_to_questions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, "sqlite", "relative", "/var/lib/x.sqlite3")
    assert (
        command_line.main(
            ["deploy", "panel", "--dburl", "default:postgrse://u:secret@h/x", "--domain", "localhost"]
        )
        == 0
    )
    assert variables()["DATABASE_URL"] == "sqlite:////var/lib/x.sqlite3"
    assert "secret" not in "".join(capsys.readouterr())


def test_where_nobody_answers_the_exit_code_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["deploy", "panel", "--dburl", SQLITE]) == 1
    assert "Host name" in capsys.readouterr().err
    assert not Path("panel").exists()


def test_a_wrong_answer_leads_to_the_questions_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ("postgres", "", "abc", "", "", "hush-hush")
    answers(monkeypatch, *wrong, "sqlite", "/var/lib/x.sqlite3")
    assert command_line.main(["deploy", "panel", "--domain", "localhost"]) == 1  # no password was answered
    answers(monkeypatch, *wrong, "sqlite", "/var/lib/x.sqlite3", "Correct-Horse-7")
    assert command_line.main(["deploy", "panel", "--domain", "localhost"]) == 0
    assert variables()["DATABASE_URL"] == "sqlite:////var/lib/x.sqlite3"
    assert "hush-hush" not in "".join(capsys.readouterr())


# --- databases and secrets --------------------------------------------------------------------------------------


def test_passwords_come_from_files_and_the_environment(
    monkeypatch: pytest.MonkeyPatch, steps: list[Step]
) -> None:
    Path("urls").write_text(f"{SQLITE}\namavis:sqlite:////var/lib/amavis.sqlite3\n")
    Path("password").write_text("From-A-File-1\nno more\n")
    words = [
        "deploy",
        "one",
        "--dburl-file",
        "urls",
        "--domain",
        "localhost",
        "--admin-password-file",
        "password",
    ]
    assert command_line.main(words) == 0
    assert variables("one")["AMAVIS_DATABASE_URL"] == "sqlite:////var/lib/amavis.sqlite3"
    assert 'DATABASES["amavis"]' in Path("one/one/settings.py").read_text()
    assert "sqlite" not in Path("one/one/settings.py").read_text()
    assert steps[1].secrets == {"MODOBOA_ADMIN_PASSWORD": "From-A-File-1"}
    monkeypatch.setenv("DATABASE_URL", "sqlite:////var/lib/two.sqlite3")
    monkeypatch.setenv("MODOBOA_ADMIN_PASSWORD", "From-Environment-1")
    assert command_line.main(["deploy", "two", "--domain", "localhost"]) == 0
    assert variables("two")["DATABASE_URL"] == "sqlite:////var/lib/two.sqlite3"
    assert steps[-1].secrets == {"MODOBOA_ADMIN_PASSWORD": "From-Environment-1"}


@pytest.mark.parametrize(
    "words",
    [
        ["--dburl", "postgres://u:secret@h/x"],
        ["--dburl", "secret"],
        ["--dburl", SQLITE, "--domain", "no host"],
        ["--dburl", SQLITE, "--timezone", "Europe/Atlantis"],
        ["--dburl", SQLITE, "--lang", "'; import os"],
        ["--dburl", SQLITE, "--lang", "zz"],
        ["--dburl-file", "missing"],
        ["--dburl", SQLITE, "--extensions", "--upgrade"],
        ["--dburl", SQLITE, "--extensions", "x;y"],
        ["--dburl", SQLITE, "--extensions", "modoboa-none", "--dont-install-extensions"],
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_made(
    words: list[str], steps: list[Step], capsys: pytest.CaptureFixture[str]
) -> None:
    domain = [] if "--domain" in words else ["--domain", "localhost"]
    try:
        code = command_line.main(["deploy", "panel", *words, *domain])
    except SystemExit as ended:  # argparse
        code = int(str(ended.code))
    said = capsys.readouterr()
    assert code > 0
    assert said.err
    assert "secret" not in said.err + said.out
    assert list(Path().iterdir()) == []
    assert steps == []


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///relative.sqlite3",
        "sqlite://:memory:",
        "postgres://u:hush\nhush@h/x",
        "postgres://u:\udcff@h/x",
    ],
    ids=["relative", "memory", "a line", "no text"],
)
def test_a_database_that_could_not_be_found_again_is_refused(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "DATABASE_URL": url})
    assert command_line.main(["deploy", "panel", "--domain", "localhost"]) == 1
    assert "hush" not in "".join(capsys.readouterr())
    assert list(Path().iterdir()) == []


def test_a_file_without_a_password_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("password").write_text("\nCorrect-Horse-7\n")
    words = [
        "deploy",
        "panel",
        "--dburl",
        SQLITE,
        "--domain",
        "localhost",
        "--admin-password-file",
        "password",
    ]
    assert command_line.main(words) == 1
    assert "first line" in capsys.readouterr().err
    assert not Path("panel").exists()


@pytest.mark.parametrize("name", ["../x", "a-b", "1x", "os", "core", ""])
def test_a_name_that_python_could_not_import_is_refused(name: str) -> None:
    assert command_line.main(["deploy", name, "--dburl", SQLITE, "--domain", "localhost"]) == 1


def test_what_is_there_is_left_alone() -> None:
    Path("panel").mkdir()
    Path("panel/mine").touch()
    assert command_line.main(["deploy", "panel", "--dburl", SQLITE, "--domain", "localhost"]) == 1
    assert [path.name for path in Path("panel").iterdir()] == ["mine"]


def test_a_directory_that_cannot_be_completed_is_not_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    assert command_line.main(["deploy", "panel", "--dburl", SQLITE, "--domain", "localhost"]) == 1
    assert "No space left" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


# --- extensions -------------------------------------------------------------------------------------------------


@contextmanager
def public_api(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server on this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self)

        def log_message(self, *_what: object) -> None:
            pass

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == ["/1/extensions/"]


def answering(body: bytes, code: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_all_extensions_are_those_that_the_public_api_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = b'[{"name": "modoboa-stats", "version": "1.1.2"}, {"name": "modoboa-amavis"}]'
    with public_api(answering(listed)) as url:
        monkeypatch.setenv("MODOBOA_API_URL", url)
        assert extensions.wanted(["all"]) == ["modoboa-amavis", "modoboa-stats"]
    assert extensions.app_of("modoboa-postfix-autoreply") == "modoboa_postfix_autoreply"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"detail": "no"}',
        b'[{"name": "--index-url=https://evil.example"}]',
        b'["requests"]',
        b"[1]",
    ],
)
def test_what_is_no_list_of_extensions_is_not_given_to_pip(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    with public_api(answering(body)) as url:
        monkeypatch.setenv("MODOBOA_API_URL", url)
        with pytest.raises(Problem, match="something else"):
            extensions.offered()


def test_the_public_api_has_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _second in range(50):
            time.sleep(0.05)
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return

    monkeypatch.setattr(extensions, "_LIMIT_S", 0.2)
    started = time.monotonic()
    with public_api(drip) as url:
        monkeypatch.setenv("MODOBOA_API_URL", url)
        with pytest.raises(Problem, match="did not answer"):
            extensions.offered()
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("url", "words"), [("http://127.0.0.1:9/", "did not answer"), ("file:///etc", "https://")]
)
def test_an_api_that_cannot_be_asked_is_named(monkeypatch: pytest.MonkeyPatch, url: str, words: str) -> None:
    monkeypatch.setenv("MODOBOA_API_URL", url)
    with pytest.raises(Problem, match=words):
        extensions.offered()


def test_an_error_of_the_api_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_api(answering(b"[]", 500)) as url:
        monkeypatch.setenv("MODOBOA_API_URL", url)
        with pytest.raises(Problem, match="500"):
            extensions.offered()


# --- panel.env --------------------------------------------------------------------------------------------------


def test_a_file_of_variables_reads_as_the_shell_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "panel.env"
    file.write_text(
        "# a remark\n\nTRY_ONE='a b$c'\nTRY_TWO=plain # why\nTRY_THREE=\"x\"\nTRY_GIVEN=from-file\n"
    )
    for name in ("TRY_ONE", "TRY_TWO", "TRY_THREE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRY_GIVEN", "from-environment")
    environment.read_file(file)
    read = [environment.text(f"TRY_{name}") for name in ("ONE", "TWO", "THREE", "GIVEN")]
    assert read == ["a b$c", "plain", "x", "from-environment"]
    environment.read_file(tmp_path / "missing")


@pytest.mark.parametrize("line", ["TRY ONE=1", "TRY_ONE = 1", "TRY_ONE='open", "TRY-ONE=1", "hello"])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "panel.env"
    file.write_text(f"\n{line}\n")
    with pytest.raises(ImproperlyConfigured, match="line 2"):
        environment.read_file(file)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "oracle://u:secret@h/x", "postgres://u:secret@h:port/x", "postgres://h"]
)
def test_a_url_of_no_database_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        databases.parse(url, "DATABASE_URL")
    assert "secret" not in str(caught.value)
