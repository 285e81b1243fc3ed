"""Files for Postfix and Dovecot: written whole or not at all, upgraded with care, readable for their server only."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from admin import lookups
from admin.lookups import Engine, postfix_maps
from tests.servers.database import Database, database_from_url
from tests.servers.database import Engine as DatabaseEngine
from tests.servers.packages import is_root, require_servers
from tests.servers.postfix import age, lookup_config, postmap, table_name
from tests.servers.processes import ServerError

ROOT = Path(__file__).parents[2]
POSTFIX_FILES = {
    "sql-domains.cf",
    "sql-domain-aliases.cf",
    "sql-aliases.cf",
    "sql-mailboxes.cf",
    "sql-maintain.cf",
    "sql-relaydomains.cf",
    "sql-relaydomains-transport.cf",
    "sql-relay-recipient-verification.cf",
    "sql-spliteddomains-transport.cf",
    "sql-sender-login-mailboxes.cf",
    "sql-sender-login-aliases.cf",
    "sql-sender-login-mailboxes-extra.cf",
}
POSTFIX_SUMS = "modoboa-postfix-maps.chk"
DOVECOT_FILES = {
    "modoboa-dovecot-2.3.conf",
    "modoboa-dovecot-sql.conf.ext",
    "modoboa-dovecot-names-sql.conf.ext",
    "modoboa-dovecot-dict-sql.conf.ext",
    "modoboa-dovecot-2.4.conf",
}
DOVECOT_SUMS = "modoboa-dovecot-conf.chk"
URL = "postgres://postfix:secret@db.example:5433/mail"
OTHER_URL = "mysql://other:different@other.example/elsewhere"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of files are written here; that they survive a power cut is not what is tested."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def maps(directory: Path, url: str = URL, *, force: bool = False) -> None:
    call_command("generate_postfix_maps", destdir=str(directory), dburl=url, force_overwrite=force)


def conf(directory: Path, url: str = URL, *, force: bool = False, **options: Any) -> None:
    values = {"mail_owner": "5000:5000", **options}
    call_command("generate_dovecot_conf", destdir=str(directory), dburl=url, force_overwrite=force, **values)


def settings_of(file: Path) -> dict[str, str]:
    lines = (line for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split(" = ", 1) for line in lines)


def state(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Names, bytes and times of everything there, hidden files included."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(CommandError) as caught:
        action()
    assert caught.value.returncode == 1
    message = str(caught.value)
    assert "\n" not in message
    return message


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root. In this process: an interpreter below root's home cannot be started by others."""
    if not is_root():
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def run_manage(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """manage.py in a process of its own, as people run it."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "PATH": os.environ["PATH"],
        **(env or {}),
    }
    return subprocess.run(  # noqa: S603 - our own program with arguments of the tests
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=60
    )


def one_line(answer: subprocess.CompletedProcess[str]) -> str:
    """What a refused command said: one line on stderr, exit code 1."""
    assert answer.returncode == 1, answer
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1, answer.stderr
    return answer.stderr.strip()


# --- what is written ----------------------------------------------------------------------------------------------


def test_the_documented_names_are_written_with_their_sums(tmp_path: Path) -> None:
    maps(tmp_path / "postfix")
    conf(tmp_path / "dovecot")
    for place, names, sums in (
        ("postfix", POSTFIX_FILES, POSTFIX_SUMS),
        ("dovecot", DOVECOT_FILES, DOVECOT_SUMS),
    ):
        directory = tmp_path / place
        assert {path.name for path in directory.iterdir()} == names | {sums}
        expected = {
            f"{name}:postgres:{hashlib.md5((directory / name).read_bytes()).hexdigest()}"  # noqa: S324 - the format
            for name in names
        }
        assert set((directory / sums).read_text().splitlines()) == expected


@pytest.mark.parametrize(
    ("command", "group"), [("generate_postfix_maps", "postfix"), ("generate_dovecot_conf", "dovecot")]
)
def test_passwords_are_for_root_and_the_server_only(tmp_path: Path, command: str, group: str) -> None:
    before = os.umask(0)
    try:
        maps(tmp_path) if command == "generate_postfix_maps" else conf(tmp_path)
    finally:
        os.umask(before)
    groups = {entry.gr_name: entry.gr_gid for entry in grp.getgrall()}
    for path in tmp_path.iterdir():
        facts = path.stat()
        assert stat.S_IMODE(facts.st_mode) == 0o640
        assert facts.st_uid == os.geteuid()
        if is_root() and group in groups:
            assert facts.st_gid == groups[group]


@pytest.mark.parametrize(
    ("url", "engine", "expected"),
    [
        (URL, Engine.POSTGRESQL, ("postfix", "secret", "mail", "db.example:5433")),
        ("postgresql://u:p@h/d", Engine.POSTGRESQL, ("u", "p", "d", "h:5432")),
        ("mysql://u:p@h/d", Engine.MYSQL, ("u", "p", "d", "h:3306")),
        ("mysql://u:p@localhost/d", Engine.MYSQL, ("u", "p", "d", "127.0.0.1:3306")),
        ("postgres://%2Frun%2Fpostgresql/d", Engine.POSTGRESQL, ("", "", "d", "unix:/run/postgresql")),
        ("postgres://u:p%40%3A%2F@h/d", Engine.POSTGRESQL, ("u", "p@:/", "d", "h:5432")),
    ],
)
def test_a_map_file_has_the_credentials_of_the_url(
    tmp_path: Path, url: str, engine: Engine, expected: tuple[str, ...]
) -> None:
    maps(tmp_path, url)
    for lookup in postfix_maps():
        written = settings_of(tmp_path / lookup.file_name)
        assert tuple(written[name] for name in ("user", "password", "dbname", "hosts")) == expected
        assert written["query"] == lookup.sql(engine, "'%s'")


def test_a_map_file_for_sqlite_has_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    maps(tmp_path / "maps", "sqlite:///panel.sqlite3")
    written = settings_of(tmp_path / "maps" / "sql-domains.cf")
    assert set(written) == {"dbpath", "query"}
    assert written["dbpath"] == str(tmp_path / "panel.sqlite3")


def test_without_a_url_the_panels_own_database_is_asked(tmp_path: Path) -> None:
    call_command("generate_postfix_maps", destdir=str(tmp_path))
    own = database_from_url(os.environ["DATABASE_URL"])
    written = settings_of(tmp_path / "sql-domains.cf")
    if own.engine is DatabaseEngine.SQLITE:
        assert Path(written["dbpath"]).parent == Path(own.name).parent
    else:
        assert written["hosts"] == f"{own.host}:{own.port}"
        assert (written["user"], written["password"]) == (own.user, own.password)


def test_no_query_holds_a_percent_sign_besides_the_key() -> None:
    """`%u` and `%d` make Postfix skip keys that lack that part, and `%%` is not SQL."""
    for lookup in postfix_maps():
        for engine in Engine:
            assert "%" not in lookup.sql(engine, "'%s'").replace("'%s'", ""), lookup.file_name


def test_the_password_is_not_repeated_in_the_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in (["--dburl", URL], [f"--dburl={URL}"]):
        monkeypatch.setattr(sys, "argv", ["manage.py", "generate_postfix_maps", *given])
        maps(tmp_path, force=True)
        text = (tmp_path / "sql-domains.cf").read_text()
        comments = [line for line in text.splitlines() if line.startswith("#")]
        assert any("generate_postfix_maps" in line for line in comments)
        assert "secret" not in "".join(comments)


def test_the_comment_stays_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", ["manage.py", "generate_postfix_maps", "--destdir=a\nquery = b\r\u2028c"]
    )
    maps(tmp_path)
    assert settings_of(tmp_path / "sql-domains.cf")["query"].startswith("SELECT ")


# --- upgrades -------------------------------------------------------------------------------------------------------


@pytest.fixture
def old_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of an earlier version, which asked other queries."""
    earlier = tuple(
        lookups.Lookup(name, "Which?", "SELECT 'old' FROM t WHERE k = {key}", lambda _key: [])
        for name in (file.removeprefix("sql-").removesuffix(".cf") for file in sorted(POSTFIX_FILES))
    )
    with monkeypatch.context() as patch:
        patch.setattr("admin.exports.postfix_maps.postfix_maps", lambda: earlier)
        maps(tmp_path)
    assert "'old'" in (tmp_path / "sql-domains.cf").read_text()
    return tmp_path


def test_an_upgrade_brings_the_query_and_keeps_the_credentials(old_maps: Path) -> None:
    maps(old_maps, OTHER_URL)
    for lookup in postfix_maps():
        written = settings_of(old_maps / lookup.file_name)
        assert written["query"] == lookup.sql(Engine.POSTGRESQL, "'%s'")
        assert (written["user"], written["hosts"]) == ("postfix", "db.example:5433")
    assert all(":postgres:" in line for line in (old_maps / POSTFIX_SUMS).read_text().splitlines())
    maps(old_maps, OTHER_URL)  # nobody edited them since


def test_every_engine_survives_an_upgrade(tmp_path: Path) -> None:
    for number, url in enumerate((URL, OTHER_URL, "sqlite:////var/lib/panel/panel.sqlite3", "postgres:///d")):
        directory = tmp_path / str(number)
        maps(directory, url)
        before = settings_of(directory / "sql-aliases.cf")
        maps(directory, OTHER_URL)
        assert settings_of(directory / "sql-aliases.cf") == before


def test_an_edited_file_is_left_alone_and_the_others_are_upgraded(old_maps: Path) -> None:
    edited = old_maps / "sql-aliases.cf"
    edited.write_text(edited.read_text() + "expansion_limit = 100\n")
    sums = (old_maps / POSTFIX_SUMS).read_text()
    before = edited.read_bytes()
    message = refusal(lambda: maps(old_maps))
    assert "sql-aliases.cf" in message
    assert "sql-domains.cf" not in message
    assert edited.read_bytes() == before
    assert "'old'" not in (old_maps / "sql-domains.cf").read_text()
    line = next(line for line in sums.splitlines() if line.startswith("sql-aliases.cf:"))
    assert line in (old_maps / POSTFIX_SUMS).read_text().splitlines()
    assert "sql-aliases.cf" in refusal(lambda: maps(old_maps))  # the next time, too


@pytest.mark.parametrize("damage", ["", "not a checksum file\n", "sql-aliases.cf:oracle:0\n", "::\n\xff\n"])
def test_files_without_a_usable_sum_count_as_edited(tmp_path: Path, damage: str) -> None:
    maps(tmp_path)
    sums = tmp_path / POSTFIX_SUMS
    sums.write_text(damage, encoding="latin-1") if damage else sums.unlink()
    before = {name: value for name, value in state(tmp_path).items() if name != POSTFIX_SUMS}
    message = refusal(lambda: maps(tmp_path, OTHER_URL))
    assert all(name in message for name in POSTFIX_FILES)
    assert {name: value for name, value in state(tmp_path).items() if name != POSTFIX_SUMS} == before
    refusal(lambda: maps(tmp_path, OTHER_URL))


def test_force_writes_everything_anew(old_maps: Path) -> None:
    (old_maps / "sql-aliases.cf").write_text("mine\n")
    maps(old_maps, OTHER_URL, force=True)
    for lookup in postfix_maps():
        written = settings_of(old_maps / lookup.file_name)
        assert (written["user"], written["query"]) == ("other", lookup.sql(Engine.MYSQL, "'%s'"))
    maps(old_maps)


def test_a_missing_file_is_made_again(tmp_path: Path) -> None:
    maps(tmp_path)
    (tmp_path / "sql-domains.cf").unlink()
    maps(tmp_path, OTHER_URL)
    assert settings_of(tmp_path / "sql-domains.cf")["user"] == "other"
    assert settings_of(tmp_path / "sql-aliases.cf")["user"] == "postfix"


def test_edited_dovecot_files_are_left_alone(tmp_path: Path) -> None:
    conf(tmp_path)
    edited = tmp_path / "modoboa-dovecot-sql.conf.ext"
    edited.write_text("mine\n")
    assert edited.name in refusal(lambda: conf(tmp_path, OTHER_URL))
    assert edited.read_text() == "mine\n"
    conf(tmp_path, OTHER_URL, force=True)
    assert "driver = mysql" in edited.read_text()


# --- refusals -------------------------------------------------------------------------------------------------------

COMMANDS: dict[str, Callable[..., None]] = {"maps": maps, "conf": conf}
commands = pytest.mark.parametrize("write", COMMANDS.values(), ids=COMMANDS)


@commands
def test_a_directory_without_its_parent_is_refused(tmp_path: Path, write: Callable[..., None]) -> None:
    message = refusal(lambda: write(tmp_path / "a" / "b"))
    assert str(tmp_path / "a") in message
    assert not (tmp_path / "a").exists()


@commands
def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path, write: Callable[..., None]) -> None:
    place = tmp_path / "maps"
    place.write_text("a file")
    before = state(tmp_path)
    assert str(place) in refusal(lambda: write(place))
    assert state(tmp_path) == before


@commands
@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "://",
        "postgres://",
        "oracle://u:p@h/d",
        "postgres://u:p@h:port/d",
        "postgres://u:p@h:99999999/d",
        "postgres://[::1/d",
        "",
        "mysql://u:p@h",
        "postgres://u:p%0A@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "http://example.com/",
    ],
)
def test_a_nonsense_url_is_refused(tmp_path: Path, write: Callable[..., None], url: str) -> None:
    write(tmp_path)
    before = state(tmp_path)
    if url:
        assert refusal(lambda: write(tmp_path, url, force=True))
    assert state(tmp_path) == before


@commands
def test_a_wrong_url_does_not_show_the_password(tmp_path: Path, write: Callable[..., None]) -> None:
    assert "hunter2" not in refusal(lambda: write(tmp_path, "postgres://u:hunter2@h:port/d"))


@commands
def test_a_directory_in_place_of_a_file_is_refused(tmp_path: Path, write: Callable[..., None]) -> None:
    write(tmp_path / "model")
    for name in sorted(path.name for path in (tmp_path / "model").iterdir()):
        place = tmp_path / name
        write(place)
        (place / name).unlink()
        (place / name).mkdir()
        files = {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
        for force in (False, True):
            assert name in refusal(partial(write, place, OTHER_URL, force=force))
        assert {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()} == files


@pytest.mark.parametrize(
    "root", ["relative/mail", "/srv/v mail", "/srv/'mail", "/srv/../etc", "/srv/%u", "/", ""]
)
def test_a_mail_root_that_is_no_plain_path_is_refused(tmp_path: Path, root: str) -> None:
    assert "mail root" in refusal(lambda: conf(tmp_path, mail_root=root))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("owner", ["nobody-of-that-name", "5000:", ":5000", "5000:vmail", "", "0'; --"])
def test_an_unknown_owner_of_mail_is_refused(tmp_path: Path, owner: str) -> None:
    assert "system user" in refusal(lambda: conf(tmp_path, mail_owner=owner))
    assert not any(tmp_path.iterdir())


def test_a_directory_that_may_not_be_written_is_refused_in_one_line(open_directory: Path) -> None:
    place = open_directory / "maps"
    maps(place)
    place.chmod(0o755)
    for path in place.iterdir():
        path.chmod(0o644)
    if not is_root():
        place.chmod(0o555)
    before = state(place)
    with as_nobody():
        for write in (maps, conf):
            assert str(place) in refusal(partial(write, place, OTHER_URL, force=True))
    assert state(place) == before
    place.chmod(0o755)


@pytest.mark.any_engine
def test_no_database_is_needed_to_write_files(tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgres://nobody:x@127.0.0.1:1/none"}
    written = (
        ["generate_postfix_maps"],
        ["generate_dovecot_conf", "--mail-owner=5000:5000"],
        ["generate_mail_config", "--mail-owner=5000:5000", "--hostname=mx.panel.example"],
    )
    for command in written:
        answer = run_manage(*command, f"--destdir={tmp_path}", env=nowhere)
        assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.any_engine
@pytest.mark.parametrize(
    "command",
    [
        ["create_domain", "a.example"],
        ["create_account", "sam@a.example"],
        ["create_alias", "info@a.example", "sam@a.example"],
        ["create_domain_alias", "b.example", "a.example"],
        ["load_initial_data"],
        ["modo", "publish", "--check"],
    ],
    ids=lambda command: command[0],
)
def test_an_unreachable_database_is_one_line(command: list[str]) -> None:
    nowhere = {"DATABASE_URL": "postgres://nobody:hunter2@127.0.0.1:1/none"}
    said = one_line(run_manage(*command, env=nowhere))
    assert "hunter2" not in said
    assert "database" in said


# --- values that mean something to the readers of the files ---------------------------------------------------------

PLAIN_PASSWORDS = ("secret", "A-b_c.1,2:3;4@5!6(7)8*9+0/=?^`|~&[]")
ODD_PASSWORDS = (
    "$",
    "a$user$b",
    "${user}",
    "$$",
    "a;b",
    "it's",
    'quo"te',
    "back\\slash",
    "per%cent%s%u",
    "#hash",
    "a # b",
    "two  spaces",
    " leading",
    "trailing ",
    "\ttab",
    "\u00a0no-break",
    "ümläut-ß-€",
    "{brace}",
    "<angle>",
    "a=b",
    "!bang",
)


def is_refused(write: Callable[[], None], directory: Path) -> bool:
    """Refused with a line that tells why, and nothing written."""
    try:
        write()
    except CommandError as error:
        reason = str(error)
    else:
        return False
    assert "cannot hold" in reason
    assert "\n" not in reason
    assert not directory.exists() or not any(directory.iterdir())
    return True


def with_password(database: Database, password: str) -> Database:
    """The database as seen by a role of its own; its name is odd, too."""
    role = f"role{uuid4().hex[:12]}"
    literal = password.replace("'", "''")
    if database.engine is DatabaseEngine.POSTGRESQL:
        literal = f"E'{literal.replace(chr(92), chr(92) * 2)}'"
        database.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD {literal};")
    else:
        literal = literal.replace("\\", "\\\\")
        database.execute(f"CREATE USER '{role}'@'127.0.0.1' IDENTIFIED BY '{literal}';")
        database.execute(f"GRANT ALL ON *.* TO '{role}'@'127.0.0.1';")
    return Database(database.engine, database.name, database.host, database.port, role, password)


@pytest.mark.any_engine
@pytest.mark.parametrize("password", [*PLAIN_PASSWORDS, *ODD_PASSWORDS])
def test_postfix_reads_the_password_that_was_meant_or_it_is_refused(
    engine_database: Database, open_directory: Path, password: str
) -> None:
    if engine_database.engine is DatabaseEngine.SQLITE:
        pytest.skip("SQLite has no passwords")
    driver = engine_database.engine.mail_driver
    require_servers(f"postfix-{driver}")
    ensure_table(engine_database)
    directory = open_directory / "maps"
    role = with_password(engine_database, password)
    if is_refused(lambda: maps(directory, role.url), directory):
        assert password in ODD_PASSWORDS
        return
    knows = partial(postmap, lookup_config(open_directory), table_of(driver, directory))
    assert knows("known.example") == "known.example"
    assert knows("unknown.example") is None
    written = (directory / "sql-domains.cf").read_bytes()
    maps(directory, OTHER_URL)  # an upgrade reads the credentials back as they were
    assert (directory / "sql-domains.cf").read_bytes() == written


def test_a_wrong_password_would_be_noticed(engine_database: Database, open_directory: Path) -> None:
    if engine_database.engine is DatabaseEngine.SQLITE:
        pytest.skip("SQLite has no passwords")
    driver = engine_database.engine.mail_driver
    require_servers(f"postfix-{driver}")
    role = with_password(engine_database, "right")
    wrong = Database(role.engine, role.name, role.host, role.port, role.user, "wrong")
    maps(open_directory / "maps", wrong.url)
    table = table_of(driver, open_directory / "maps")
    with pytest.raises(ServerError):
        postmap(lookup_config(open_directory), table, "known.example")


def table_of(driver: str, directory: Path) -> str:
    file = directory / "sql-domains.cf"
    age(file)
    return table_name(driver, file)


def ensure_table(database: Database) -> None:
    """What sql-domains.cf asks, in the database that pytest-django does not touch."""
    columns = "name varchar(190) PRIMARY KEY, kind varchar(10), target varchar(190)"
    database.execute(f"CREATE TABLE IF NOT EXISTS mail_domain ({columns});")
    database.execute("DELETE FROM mail_domain;")
    database.execute("INSERT INTO mail_domain VALUES ('known.example', 'mailbox', '');")


@pytest.mark.parametrize(
    "name", ["pa nel", "panel$x", "panel#1", "panel;a", "pänel", "pa'nel", 'pa"nel', "100%"]
)
def test_postfix_reads_an_odd_path_or_it_is_refused(open_directory: Path, name: str) -> None:
    require_servers("postfix-sqlite", "sqlite3")
    database = Database(DatabaseEngine.SQLITE, str(open_directory / f"{name}.sqlite3"))
    ensure_table(database)
    directory = open_directory / "maps"
    if is_refused(lambda: maps(directory, f"sqlite:///{quote(database.name)}"), directory):
        return
    table = table_of("sqlite", directory)
    assert postmap(lookup_config(open_directory), table, "known.example") == "known.example"


@pytest.mark.parametrize("password", [*PLAIN_PASSWORDS, *ODD_PASSWORDS])
def test_dovecot_reads_the_password_that_was_meant_or_it_is_refused(tmp_path: Path, password: str) -> None:
    """What Dovecot's drivers make of such a value is tried in tests/mail/test_credentials.py."""
    database = Database(DatabaseEngine.POSTGRESQL, "mail", "127.0.0.1", 5432, "dovecot", password)
    directory = tmp_path / "dovecot"
    if is_refused(lambda: conf(directory, database.url), directory):
        assert password in ODD_PASSWORDS
        return
    text = (directory / "modoboa-dovecot-sql.conf.ext").read_text()
    assert f" password={password}\n" in text
