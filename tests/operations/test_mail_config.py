"""Complete configurations of Postfix and Dovecot: every file, nothing that their own programs complain about."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from admin.lookups import postfix_maps
from tests.mail.generated import make_certificate
from tests.servers import trixie
from tests.servers.dovecot import HEAD
from tests.servers.packages import program, require_servers
from tests.servers.postfix import postconf
from tests.servers.processes import run

URL = "postgres://mail:secret@127.0.0.1:5433/panel"
URLS = {
    "pgsql": URL,
    "mysql": "mysql://mail:secret@127.0.0.1:3307/panel",
    "sqlite": "sqlite:////var/lib/panel/panel.sqlite3",
}
# Parts of the name of each version's directory, and of what lies there.
INNER = {
    "2.3": {
        "modoboa-dovecot-2.3.conf",
        "modoboa-dovecot-sql.conf.ext",
        "modoboa-dovecot-names-sql.conf.ext",
        "modoboa-dovecot-dict-sql.conf.ext",
        "modoboa-last-login-dict-sql.conf.ext",
    },
    "2.4": {"modoboa-dovecot-2.4.conf"},
}
COMMON = {
    "modoboa-dovecot-conf.chk",
    "modoboa-last-login-script.conf",
    "modoboa-last-login-dict.conf",
    "modoboa-post-login",
    "modoboa-post-login.cnf",
}


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """That files survive a power cut is not what is tested."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def write(directory: Path, url: str = URL, *, force: bool = False, **options: Any) -> None:
    values = {"hostname": "mx.panel.example", "mail_owner": "5000:5001", **options}
    call_command("generate_mail_config", destdir=str(directory), dburl=url, force_overwrite=force, **values)


def refusal(directory: Path, url: str = URL, **options: Any) -> str:
    with pytest.raises(CommandError) as caught:
        write(directory, url, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def settings(text: str) -> list[str]:
    """Lines without comments."""
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


# --- files ----------------------------------------------------------------------------------------------------------


def test_every_file_is_written(tmp_path: Path) -> None:
    write(tmp_path / "out")
    maps = {entry.file_name for entry in postfix_maps()} | {"modoboa-postfix-maps.chk"}
    expected = {"postfix/main.cf", "postfix/master.cf", "postfix/modoboa-postfix.chk"}
    expected |= {f"postfix/modoboa/{name}" for name in maps}
    for version, names in INNER.items():
        place = f"dovecot-{version}"
        expected |= {f"{place}/dovecot.conf", f"{place}/modoboa-dovecot.chk"}
        expected |= {f"{place}/modoboa/{name}" for name in names | COMMON}
    assert set(contents(tmp_path / "out")) == expected


def test_no_secret_is_readable_by_others(tmp_path: Path) -> None:
    for url in URLS.values():
        write(tmp_path, url, force=True)
        for path in tmp_path.rglob("*"):
            if path.is_file():
                mode = stat.S_IMODE(path.stat().st_mode)
                assert not mode & 0o022, path
                assert not (mode & 0o004 and b"secret" in path.read_bytes()), path
        script = tmp_path / "dovecot-2.3" / "modoboa" / "modoboa-post-login"
        assert script.stat().st_mode & 0o111 == 0o111
        assert "secret" not in script.read_text()


def test_nothing_is_left_to_fill_in(tmp_path: Path) -> None:
    write(tmp_path)
    for name, text in contents(tmp_path).items():
        assert not re.search(rb"@[a-z_]+@|None", text), name
    main = (tmp_path / "postfix" / "main.cf").read_text()
    assert "proxy:pgsql:$config_directory/modoboa/sql-domains.cf" in main
    assert len(settings(main)) > 40


def test_files_name_the_place_where_they_will_lie(tmp_path: Path) -> None:
    write(tmp_path, dovecot_directory="/usr/local/etc/dovecot", queue_directory="/var/spool/px/")
    texts = {name: text.decode() for name, text in contents(tmp_path).items()}
    script = texts["dovecot-2.3/modoboa/modoboa-last-login-script.conf"]
    assert "script-login /usr/local/etc/dovecot/modoboa/modoboa-post-login\n" in script
    assert (
        "args = /usr/local/etc/dovecot/modoboa/modoboa-dovecot-sql.conf.ext\n"
        in (texts["dovecot-2.3/modoboa/modoboa-dovecot-2.3.conf"])
    )
    assert "unix_listener /var/spool/px/private/auth {" in texts["dovecot-2.4/dovecot.conf"]
    assert str(tmp_path) not in "".join("\n".join(settings(text)) for text in texts.values())


@pytest.mark.parametrize("way", ["script", "dict"])
def test_one_way_to_note_logins_is_on_and_the_other_one_line_away(tmp_path: Path, way: str) -> None:
    write(tmp_path, last_login=way)
    for version in INNER:
        lines = (tmp_path / f"dovecot-{version}" / "dovecot.conf").read_text().splitlines()
        found = {line for line in lines if "!include modoboa/modoboa-last-login" in line}
        other = {"script": "dict", "dict": "script"}[way]
        assert found == {
            f"!include modoboa/modoboa-last-login-{way}.conf",
            f"#!include modoboa/modoboa-last-login-{other}.conf",
        }


def test_each_part_may_have_a_login_of_its_own(tmp_path: Path) -> None:
    others: dict[str, Any] = {
        f"{part}_dburl": f"postgres://{part}:own-{part}@127.0.0.1/panel"
        for part in ("postfix", "quota", "last_login")
    }
    write(tmp_path, **others)
    texts = {name: text.decode() for name, text in contents(tmp_path).items()}
    passwords = {
        name: set(re.findall(r"(?:password *= *)(\S+)", text))
        for name, text in texts.items()
        if "password" in text
    }
    own = {name: found for name, found in passwords.items() if found}
    inner = "dovecot-2.3/modoboa/modoboa"
    assert own.pop(f"{inner}-dovecot-sql.conf.ext") == {"secret"}
    assert own.pop(f"{inner}-dovecot-names-sql.conf.ext") == {"secret"}
    assert own.pop(f"{inner}-dovecot-dict-sql.conf.ext") == {"own-quota"}
    assert own.pop(f"{inner}-last-login-dict-sql.conf.ext") == {"own-quota"}
    assert own.pop("dovecot-2.4/modoboa/modoboa-dovecot-2.4.conf") == {"secret", "own-quota"}
    assert own.pop("dovecot-2.4/modoboa/modoboa-last-login-dict.conf") == {"own-quota"}
    for version in INNER:
        assert own.pop(f"dovecot-{version}/modoboa/modoboa-post-login.cnf") == {"own-last_login"}
    assert all(name.startswith("postfix/modoboa/sql-") for name in own)
    assert {frozenset(found) for found in own.values()} == {frozenset({"own-postfix"})}


# --- what the servers' own programs say -----------------------------------------------------------------------------


@pytest.fixture
def generated(open_directory: Path) -> Path:
    """With a certificate: Dovecot opens it while it reads its configuration."""
    certificate, key = make_certificate(open_directory)
    write(open_directory, tls_certificate=str(certificate), tls_key=str(key))
    return open_directory


@pytest.mark.parametrize("driver", URLS)
def test_postfix_reads_its_files_without_a_warning(tmp_path: Path, driver: str) -> None:
    require_servers("postfix")
    write(tmp_path, URLS[driver])
    config = tmp_path / "postfix"
    assert postconf(config, "-n")  # a warning is an error
    assert postconf(config, "-M")
    transports = postconf(config, "-x", "-h", "transport_maps").split()
    place = f"proxy:{driver}:{config}/modoboa/"
    assert transports == [
        f"{place}sql-spliteddomains-transport.cf",
        f"{place}sql-relaydomains-transport.cf",
    ]


def test_every_generated_map_is_used(tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "postfix" / "main.cf").read_text()
    named = {name for line in settings(text) for name in re.findall(r"sql-[a-z-]+\.cf", line)}
    assert named == {path.name for path in (tmp_path / "postfix" / "modoboa").glob("sql-*.cf")}


def test_no_parameter_is_set_twice(tmp_path: Path) -> None:
    write(tmp_path)
    names = [
        line.partition("=")[0].strip()
        for line in settings((tmp_path / "postfix" / "main.cf").read_text())
        if not line.startswith(" ")
    ]
    assert len(names) == len(set(names))


def test_what_postfix_must_not_forget(tmp_path: Path) -> None:
    require_servers("postfix")
    write(tmp_path)
    config = tmp_path / "postfix"

    def value(name: str) -> str:
        return postconf(config, "-x", "-h", name).strip()

    def of_service(name: str, parameter: str) -> str:
        return postconf(config, "-P", "-h", f"{name}/inet/{parameter}").strip()

    relay = value("smtpd_relay_restrictions").split()
    assert relay == ["permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination"]
    first, *_rest = value("smtpd_recipient_restrictions").split("check_recipient_access")[1:]
    assert "sql-maintain.cf" in first
    assert value("parent_domain_matches_subdomains") == ""
    assert value("recipient_delimiter") == "+"
    assert value("smtpd_tls_auth_only") == "yes"
    assert value("smtpd_sasl_auth_enable") == "no"
    assert value("unverified_recipient_reject_code") == "550"
    assert of_service("submission", "smtpd_tls_security_level") == "encrypt"
    assert of_service("submissions", "smtpd_tls_wrappermode") == "yes"
    for service in ("smtp", "submission", "submissions"):
        assert of_service(service, "max_use") == "1"
    for service in ("submission", "submissions"):
        assert of_service(service, "smtpd_sender_restrictions") == "reject_sender_login_mismatch"
        assert of_service(service, "smtpd_relay_restrictions") == "permit_sasl_authenticated,reject"
    assert postconf(config, "-F", "-h", "proxymap/unix/process_limit").strip() == "4"


def test_an_older_postfix_gets_a_level_that_it_understands(tmp_path: Path) -> None:
    write(tmp_path, postfix_version="3.5")
    assert "compatibility_level = 2\n" in (tmp_path / "postfix" / "main.cf").read_text()


@pytest.mark.parametrize("way", ["script", "dict"])
def test_dovecot_23_reads_its_files(generated: Path, way: str) -> None:
    require_servers("dovecot")
    write(
        generated,
        force=True,
        last_login=way,
        tls_certificate=str(generated / "certificate.pem"),
        tls_key=str(generated / "key.pem"),
        dovecot_directory=str(generated / "dovecot-2.3"),
    )
    config = generated / "dovecot-2.3" / "dovecot.conf"
    answer = run([program("doveconf"), "-n", "-c", str(config)])
    text = answer.stdout.decode()
    assert answer.stderr == b""
    assert "ssl = required" in text
    assert "disable_plaintext_auth = no" not in text
    plugins = re.findall(r"^protocol (\w+) \{[^}]*mail_plugins = ([\w ]+)$", text, re.MULTILINE)
    extra = " last_login" if way == "dict" else ""
    found = dict(plugins)
    assert found["imap"] == f"quota imap_quota{extra}"
    assert found["lmtp"] == "quota sieve"
    assert ("executable = script-login" in text) is (way == "script")


def test_dovecot_24_reads_its_files(generated: Path) -> None:
    require_servers("dovecot")
    config = generated / "dovecot-2.4" / "dovecot.conf"
    tried = generated / "tried.conf"
    tried.write_text(f"{HEAD['2.4']}!include {config}\n")
    with trixie.entered([generated]) as within:
        answer = run([*within, "/usr/bin/doveconf", "-n", "-c", str(tried)])
    text = answer.stdout.decode()
    assert answer.stderr == b""
    assert "ssl = required" in text
    assert "auth_allow_cleartext = yes" not in text


# --- the script -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", URLS)
def test_the_script_never_keeps_anybody_out(tmp_path: Path, driver: str) -> None:
    """Without a database, without its client, whatever the name: the program behind it is run, at once."""
    write(tmp_path, URLS[driver].replace("/var/lib", str(tmp_path)), dovecot_directory=str(tmp_path))
    script = tmp_path / "dovecot-2.3" / "modoboa" / "modoboa-post-login"
    for user in ("sam@panel.example", "", "'; DROP TABLE core_user; --", "$(touch x)", "-n", "ü", "%s"):
        answer = subprocess.run(  # noqa: S603 - ours
            [str(script), "/bin/echo", "it", "runs", "$USER"],
            env={"USER": user},
            capture_output=True,
            cwd=tmp_path,
            timeout=10,
            check=True,
        )
        assert answer.stdout == b"it runs $USER\n"
    assert not (tmp_path / "x").exists()


def test_an_address_reaches_the_database_as_digits_only(tmp_path: Path) -> None:
    """The client is a program of ours that shows what it was given."""
    write(tmp_path, dovecot_directory=str(tmp_path))
    text = (tmp_path / "dovecot-2.3" / "modoboa" / "modoboa-post-login").read_text()
    fake = tmp_path / "psql"
    fake.write_text(f'#!/bin/sh\ncat >"{tmp_path}/sql"\nprintf "%s\\n" "$@" >"{tmp_path}/arguments"\n')
    fake.chmod(0o755)
    script = tmp_path / "script"
    script.write_text(text.replace("PATH=", f"PATH={tmp_path}:"))
    script.chmod(0o755)
    for user in ("Sam@Panel.Example", "o'brien@panel.example", "\\'; --", "ünï@panel.example", "$HOME `id`"):
        (tmp_path / "arguments").unlink(missing_ok=True)
        run([str(script), "/bin/true"], env={"USER": user})
        sql = (tmp_path / "sql").read_text()
        digits = re.search(r"decode\('([0-9a-f]*)', 'hex'\)", sql)
        assert digits is not None
        lower = "".join(c.lower() if c.isascii() else c for c in user)
        assert bytes.fromhex(digits[1]).decode() == lower
        assert sql.count("'") == 6
        assert user not in sql
        assert "secret" not in (tmp_path / "arguments").read_text()


@pytest.mark.parametrize("driver", ["pgsql", "mysql"])
def test_credentials_are_on_no_command_line(tmp_path: Path, driver: str) -> None:
    write(tmp_path, URLS[driver])
    inner = tmp_path / "dovecot-2.3" / "modoboa"
    assert "password=secret\n" in (inner / "modoboa-post-login.cnf").read_text()
    assert "secret" not in (inner / "modoboa-post-login").read_text()


# --- again ----------------------------------------------------------------------------------------------------------


def test_files_that_nobody_edited_are_brought_up_to_date(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, hostname="other.panel.example")
    assert "myhostname = other.panel.example\n" in (tmp_path / "postfix" / "main.cf").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "postfix/main.cf",
        "postfix/modoboa/sql-domains.cf",
        "dovecot-2.4/dovecot.conf",
        "dovecot-2.3/modoboa/modoboa-post-login",
    ],
)
def test_an_edited_file_is_left_alone_and_named(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    edited = tmp_path / name
    edited.write_text(f"{edited.read_text()}# mine\n")
    before = edited.read_bytes()
    for _again in range(2):
        message = refusal(tmp_path, hostname="other.panel.example")
        assert str(edited) in message
        assert message.count(str(tmp_path)) == 1
        assert edited.read_bytes() == before
    assert "other.panel.example" in (tmp_path / "dovecot-2.3" / "dovecot.conf").read_text()
    write(tmp_path, force=True)
    assert edited.read_bytes() != before


def test_the_files_of_one_directory_are_written_or_none_of_any(tmp_path: Path) -> None:
    write(tmp_path)
    before = contents(tmp_path)
    blocked = tmp_path / "dovecot-2.4" / "dovecot.conf"
    blocked.unlink()
    blocked.mkdir()
    del before["dovecot-2.4/dovecot.conf"]
    assert str(blocked) in refusal(tmp_path, hostname="other.panel.example", force=True)
    assert contents(tmp_path) == before


def test_maps_can_be_brought_up_to_date_where_they_were_copied_to(tmp_path: Path) -> None:
    write(tmp_path)
    place = tmp_path / "postfix" / "modoboa"
    call_command("generate_postfix_maps", destdir=str(place), dburl="mysql://x:y@other.example/z")
    assert "hosts = 127.0.0.1:5433\n" in (place / "sql-domains.cf").read_text()
    write(tmp_path)


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("hostname", "localhost"),
        ("hostname", "mx.example.org\nmynetworks = 0.0.0.0/0"),
        ("hostname", "mx.example.org # x"),
        ("hostname", "-mx.example.org"),
        ("hostname", "$myhostname.example"),
        ("mail_root", "/srv/vmail\n"),
        ("mail_root", "/srv/'; --"),
        ("mail_root", "/srv/%u"),
        ("mail_root", "vmail"),
        ("mail_owner", "nobody-of-that-name"),
        ("mail_owner", "5000:5000\n}"),
        ("tls_certificate", "/etc/ssl/my cert.pem"),
        ("tls_certificate", "certificate.pem"),
        ("tls_key", "/etc/ssl/key.pem\nsmtpd_tls_auth_only = no"),
        ("tls_key", "/etc/ssl/../key.pem"),
        ("dovecot_directory", "/etc/dovecot; rm -rf /"),
        ("dovecot_directory", "/etc/$HOME"),
        ("queue_directory", "/var/spool/post fix"),
        ("queue_directory", "/var/spool/{x}"),
    ],
)
def test_a_value_that_could_break_out_of_its_line_is_refused(tmp_path: Path, option: str, value: str) -> None:
    assert refusal(tmp_path / "out", URL, **{option: value})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("character", ["%0A", "%27", "%22", "%20", "%23", "%24", "%5C"])
def test_credentials_that_a_file_cannot_hold_are_refused(tmp_path: Path, character: str) -> None:
    assert "cannot hold" in refusal(tmp_path / "out", f"postgres://mail:a{character}b@127.0.0.1/panel")
    assert not (tmp_path / "out").exists()


def test_a_directory_without_its_parent_is_refused(tmp_path: Path) -> None:
    assert str(tmp_path / "a") in refusal(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert "not a directory" in refusal(tmp_path / "file")
    (tmp_path / "out" / "postfix").mkdir(parents=True)
    (tmp_path / "out" / "postfix" / "modoboa").write_text("a file")
    assert "not a directory" in refusal(tmp_path / "out")
    assert set(contents(tmp_path / "out")) == {"postfix/modoboa"}
