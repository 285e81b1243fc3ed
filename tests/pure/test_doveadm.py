"""What Dovecot's programs are asked, and what is made of programs that are missing, slow, broken or chatty."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from admin.gateways import doveadm
from admin.gateways.doveadm import DovecotIsBusy, DovecotUnavailable


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of PATH; nothing is found in the usual places."""
    monkeypatch.setenv("PATH", f"{tmp_path}")
    monkeypatch.setattr(doveadm, "_PLACES", ())
    return tmp_path


def program(directory: Path, name: str, *lines: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("programs")
def test_without_dovecot_nothing_is_known() -> None:
    assert doveadm.program("dovecot") is None
    assert doveadm.version() is None
    with pytest.raises(DovecotUnavailable, match="was not found"):
        doveadm.home("sam@dora.example")


@pytest.mark.parametrize("setting", ["sbin/dovecot", "sbin"])
def test_a_dovecot_elsewhere_is_found_where_the_setting_says(
    programs: Path, settings: Settings, setting: str
) -> None:
    binary = program(programs / "opt" / "sbin", "dovecot", "echo 2.4.1-4 '(7d8c0e5759)'")
    tool = program(programs / "opt" / "bin", "doveadm")
    settings.DOVECOT_LOOKUP_PATH = ["/not/there", str(programs / "opt" / setting)]
    assert (doveadm.program("dovecot"), doveadm.program("doveadm")) == (str(binary), str(tool))
    assert doveadm.version() == "2.4.1-4"


def test_what_is_in_the_path_comes_first(programs: Path, settings: Settings) -> None:
    program(programs / "opt", "dovecot")
    settings.DOVECOT_LOOKUP_PATH = [str(programs / "opt")]
    first = program(programs, "dovecot", "echo nothing of the kind")
    assert doveadm.program("dovecot") == str(first)
    assert doveadm.version() is None


def test_an_address_is_an_argument_and_never_a_command(programs: Path) -> None:
    program(programs, "doveadm", f'printf "%s\\n" "$@" >"{programs}/asked"', 'echo "/srv/vmail/x/y"')
    assert doveadm.home("$(touch it); 'x") == "/srv/vmail/x/y"
    assert (programs / "asked").read_text().splitlines() == ["user", "-f", "home", "$(touch it); 'x"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [("exit 75", DovecotIsBusy), ("exit 67", DovecotUnavailable), ("exec sleep 30", DovecotIsBusy)],
)
def test_every_ending_has_a_meaning(
    programs: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: type[Exception]
) -> None:
    monkeypatch.setattr(doveadm, "_LIMIT_S", 0.5)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    program(programs, "doveadm", line)
    with pytest.raises(DovecotUnavailable) as caught:
        doveadm.home("sam@dora.example")
    assert type(caught.value) is expected


def test_only_who_is_connected_is_kicked_and_everybody_is_forgotten(programs: Path) -> None:
    program(
        programs,
        "doveadm",
        f'echo "$@" >>"{programs}/asked"',
        '[ "$1" != who ] || printf "username service pid ip\\nsam@dora.example imap 7 ::1\\nx@y imap 8 ::1\\n"',
        '[ "$1" != kick ] || exit 68  # nobody any more',
    )
    doveadm.let_go({"sam@dora.example", "max@dora.example"})
    assert (programs / "asked").read_text().splitlines() == [
        "auth cache flush max@dora.example sam@dora.example",
        "who -1",
        "kick sam@dora.example",
    ]
