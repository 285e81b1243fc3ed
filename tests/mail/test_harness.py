"""The private servers themselves, with the generated configuration and a stand-in schema: no panel is at work."""

import imaplib
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mail.generated import generate
from tests.servers import trixie
from tests.servers.database import Database, Engine
from tests.servers.owner import mailbox_owner
from tests.servers.packages import require_servers
from tests.servers.postfix import lookup_config, postmap_many, table_name
from tests.servers.processes import ServerError, becomes_true, end_leftovers, short_directory, started_at
from tests.servers.stack import MailStack, new_token

PASSWORD = "gehe1m-schlüßel"
DOMAIN = "harness.test"
TABLES = ("harness_domain", "harness_mailbox", "admin_quota")

SCHEMA = f"""
CREATE TABLE harness_domain (name varchar(190) PRIMARY KEY);
CREATE TABLE harness_mailbox (
    address varchar(190) PRIMARY KEY, password varchar(190), home varchar(190), quota integer, busy integer
);
CREATE TABLE admin_quota (
    username varchar(190) PRIMARY KEY, bytes bigint NOT NULL, messages integer NOT NULL
);
INSERT INTO harness_domain VALUES ('{DOMAIN}');
"""  # noqa: S608 - our own name
QUERIES = {
    "sql-domains.cf": "SELECT name FROM harness_domain WHERE name = '%s'",
    "sql-aliases.cf": "SELECT address FROM harness_mailbox WHERE address = '%s'",
    "sql-mailboxes.cf": "SELECT address FROM harness_mailbox WHERE address = '%s'",
    "sql-maintain.cf": "SELECT '450 4.2.1 moving' FROM harness_mailbox WHERE address = '%s' AND busy = 1",
    "sql-sender-login-mailboxes.cf": "SELECT address FROM harness_mailbox WHERE address = '%s'",
}
MEMBERS = {"alice": (0, 0), "bob": (0, 0), "carol": (1, 0), "dave": (0, 1)}  # name: (MB, busy)


def map_file(database: Database, query: str) -> str:
    if database.engine is Engine.SQLITE:
        return f"dbpath = {database.name}\nquery = {query}\n"
    return (
        f"hosts = {database.host}:{database.port}\nuser = {database.user}\n"
        f"password = {database.password}\ndbname = {database.name}\nquery = {query}\n"
    )


def write_maps(database: Database, directory: Path) -> None:
    """Stand-ins for all generated maps; those that no test needs find nothing."""
    for file in directory.glob("*.cf"):
        query = QUERIES.get(file.name, "SELECT name FROM harness_domain WHERE 1 = 0 AND name = '%s'")
        file.write_text(map_file(database, query))


def fill(database: Database, mail_root: Path) -> None:
    for table in TABLES:
        database.execute(f"DROP TABLE IF EXISTS {table};")
    database.execute(SCHEMA)
    for name, (quota, busy) in MEMBERS.items():
        values = f"'{name}@{DOMAIN}', '{{PLAIN}}{PASSWORD}', '{mail_root}/{name}', {quota}, {busy}"
        database.execute(f"INSERT INTO harness_mailbox VALUES ({values});")  # noqa: S608 - our own values
    database.share_with_servers()


def connect_line(database: Database) -> str:
    if database.engine is Engine.SQLITE:
        return database.name
    login = f"dbname={database.name} user={database.user} password={database.password}"
    return f"host={database.host} port={database.port} {login}"


def quota_rule(database: Database, wrap: str) -> str:
    """The quota column as text `wrap` with its number, in the engine's way of joining."""
    before, after = wrap.split("N")
    if database.engine is Engine.MARIADB:
        return f"concat('{before}', quota, '{after}')"
    return f"'{before}' || quota || '{after}'"


def userdb_query(user: str, quota: str) -> str:
    owner = mailbox_owner()
    return (
        f"SELECT home, {owner.pw_uid} AS uid, {owner.pw_gid} AS gid, {quota} "  # noqa: S608 - our own values
        f"FROM harness_mailbox WHERE address = '{user}'"
    )


def passdb_query(user: str) -> str:
    return f"SELECT address AS user, password FROM harness_mailbox WHERE address = '{user}'"  # noqa: S608 - same


def write_dovecot_23(database: Database, directory: Path) -> None:
    driver, rule = database.engine.mail_driver, quota_rule(database, "*:bytes=NM")
    (directory / "sql.ext").write_text(
        f"driver = {driver}\nconnect = {connect_line(database)}\n"
        f"password_query = {passdb_query('%Lu')}\n"
        f"user_query = {userdb_query('%Lu', f'{rule} AS quota_rule')}\n"
    )
    maps = "".join(
        f"map {{\n  pattern = priv/quota/{kind}\n  table = admin_quota\n"
        f"  username_field = username\n  value_field = {column}\n}}\n"
        for kind, column in (("storage", "bytes"), ("messages", "messages"))
    )
    dictionary = directory / "dict.ext"
    dictionary.write_text(f"connect = {connect_line(database)}\n{maps}")
    dictionary.chmod(0o644)
    main = directory / "modoboa-dovecot-2.3.conf"
    main.write_text(
        f"passdb {{\n  driver = sql\n  args = {directory}/sql.ext\n}}\n"
        f"userdb {{\n  driver = sql\n  args = {directory}/sql.ext\n}}\n"
        f"dict {{\n  quota = {driver}:{dictionary}\n}}\n"
        "plugin {\n  quota = dict:User quota::proxy::quota\n}\n"
    )


def sql_block(database: Database) -> str:
    if database.engine is Engine.SQLITE:
        return f"sqlite_path = {database.name}\n"
    names = {"dbname": database.name, "user": database.user, "password": database.password}
    settings = "".join(f"    {name} = {value}\n" for name, value in names.items())
    port = f"    port = {database.port}\n"
    if database.engine is Engine.MARIADB:
        return f"mysql {database.host} {{\n{settings}{port}}}\n"
    return f"pgsql {database.host} {{\n  parameters {{\n{settings}{port}  }}\n}}\n"


def write_dovecot_24(database: Database, directory: Path) -> None:
    driver, rule = database.engine.mail_driver, quota_rule(database, "NM")
    user, sql = "%{user|lower}", sql_block(database)
    maps = "".join(
        f"    dict_map priv/quota/{kind} {{\n      sql_table = admin_quota\n      username_field = username\n"
        f"      value_field {column} {{\n        type = uint\n      }}\n    }}\n"
        for kind, column in (("storage", "bytes"), ("messages", "messages"))
    )
    main = directory / "modoboa-dovecot-2.4.conf"
    main.write_text(
        f"sql_driver = {driver}\n{sql}"
        f"passdb sql {{\n  query = {passdb_query(user)}\n}}\n"
        f"userdb sql {{\n  query = {userdb_query(user, f'{rule} AS quota_storage_size')}\n}}\n"
        'quota "User quota" {\n  driver = count\n}\n'
        "mail_plugins {\n  quota = yes\n  quota_clone = yes\n}\n"
        "quota_clone {\n  dict proxy {\n    name = quota\n  }\n}\n"
        f"dict_server {{\n  dict quota {{\n    driver = sql\n    sql_driver = {driver}\n    {sql}{maps}  }}\n}}\n"
    )


DOVECOT_FILES = {"2.3": write_dovecot_23, "2.4": write_dovecot_24}


@pytest.fixture(scope="module", params=["2.3", "2.4"])
def stack(request: pytest.FixtureRequest, engine_database: Database) -> Iterator[MailStack]:
    driver = engine_database.engine.mail_driver
    require_servers("postfix", f"postfix-{driver}", "dovecot", f"dovecot-{driver}")
    with short_directory() as directory:
        fill(engine_database, directory / "mail")
        version, generated = request.param, directory / "generated"
        generate(generated, version, directory / "mail", engine_database.url)
        write_maps(engine_database, generated / "postfix" / "modoboa")
        DOVECOT_FILES[version](engine_database, generated / f"dovecot-{version}" / "modoboa")
        sqlite = engine_database.engine is Engine.SQLITE
        with MailStack(
            generated=generated,
            driver=driver,
            mail_root=directory / "mail",
            version=version,
            visible=[Path(engine_database.name).parent] if sqlite else [],
        ) as running:
            yield running


def at(name: str) -> str:
    return f"{name}@{DOMAIN}"


def test_mail_sent_by_smtp_is_read_by_imap_and_pop3(stack: MailStack) -> None:
    token = new_token()
    assert stack.send("friend@outside.test", [at("alice")], token)[at("alice")].code == 250
    assert token.encode() in stack.wait_for_mail(at("alice"), token)

    with stack.imap_login(at("alice"), PASSWORD) as imap:
        imap.select()
        assert imap.search(None, "SUBJECT", token)[1][0] != b""
    pop3 = stack.pop3_login(at("alice"), PASSWORD)
    texts = [b"\n".join(pop3.retr(number + 1)[1]) for number in range(pop3.stat()[0])]
    pop3.quit()
    assert any(token.encode() in text for text in texts)


def test_each_recipient_has_an_answer_of_its_own(stack: MailStack) -> None:
    everybody = [at("bob"), at("nobody"), at("dave"), "else@elsewhere.test"]
    replies = stack.send("friend@outside.test", everybody, new_token())
    assert [replies[name].code for name in everybody] == [250, 550, 450, 554]
    assert "rejected: moving" in replies[at("dave")].text


def test_an_inside_client_may_send_to_the_outside_world(stack: MailStack) -> None:
    token = new_token()
    assert stack.send(at("bob"), ["else@elsewhere.test"], token, inside=True)["else@elsewhere.test"].accepted
    assert stack.sink.wait_for(token).recipients == ("else@elsewhere.test",)


def test_what_the_outside_world_refuses_comes_back(stack: MailStack) -> None:
    token = new_token()
    stack.sink.refusals["full@elsewhere.test"] = "552 5.2.2 full up"
    assert stack.send(at("bob"), ["full@elsewhere.test"], token, inside=True)["full@elsewhere.test"].accepted
    assert b"full up" in stack.wait_for_mail(at("bob"), token)


def test_submission_takes_only_the_own_sender(stack: MailStack) -> None:
    token, there = new_token(), "else@elsewhere.test"
    assert stack.submit(at("alice"), PASSWORD, at("alice"), [there], token)[there].accepted
    assert stack.sink.wait_for(token).sender == at("alice")
    refused = stack.submit(at("alice"), PASSWORD, at("bob"), [there])[there]
    assert refused.code == 553
    with pytest.raises(smtplib.SMTPAuthenticationError):
        stack.submit(at("alice"), "wrong", at("alice"), [there])


def test_the_quota_row_is_written_and_the_quota_holds(stack: MailStack, engine_database: Database) -> None:
    token = new_token()
    stack.send("friend@outside.test", [at("carol")], token, size=600_000)
    stack.wait_for_mail(at("carol"), token)
    query = f"SELECT bytes, messages FROM admin_quota WHERE username = '{at('carol')}';"  # noqa: S608 - ours

    def is_counted() -> bool:
        rows = engine_database.execute(query)
        # Stored with LF line ends, so a little less than was sent.
        return [(int(size) > 500_000, count) for size, count in rows] == [(True, "1")]

    assert becomes_true(is_counted, limit_s=5)

    token = new_token()
    stack.send("friend@outside.test", [at("carol")], token, size=600_000)
    assert "Quota exceeded" in stack.sink.wait_for(token).data.decode()
    assert not stack.has_mail(at("carol"), token)


def test_postmap_tells_found_from_unknown_from_broken(stack: MailStack) -> None:
    assert stack.postmap("sql-domains.cf", DOMAIN) == DOMAIN
    assert stack.postmap("sql-domains.cf", b"other.test") is None
    broken = stack.postfix.maps / "broken.cf"
    broken.write_text(
        (broken.parent / "sql-domains.cf").read_text().replace("harness_domain", "no_such_table")
    )
    with pytest.raises(ServerError):
        stack.postmap("broken.cf", DOMAIN)
    with pytest.raises(ServerError):
        stack.postmap_many("broken.cf", [DOMAIN])


def test_postmap_needs_no_running_server_but_the_database(engine_database: Database, tmp_path: Path) -> None:
    require_servers("postfix-" + engine_database.engine.mail_driver)
    (tmp_path / "map.cf").write_text(map_file(engine_database, "SELECT '%s' WHERE '%s' = 'known'"))
    table = table_name(engine_database.engine.mail_driver, tmp_path / "map.cf")
    assert postmap_many(lookup_config(tmp_path), table, ["known", "unknown"]) == ["known", None]


def test_postmap_answers_many_keys_in_their_order(stack: MailStack) -> None:
    keys: list[bytes | str] = [
        at("alice"),
        "a\nb",
        "-",
        "",
        "tab\there",
        at("nobody"),
        at("alice").upper(),
        "ö@ä",
        b"\xff",
        at("bob"),
    ]
    found = [at("alice"), None, None, None, None, None, at("alice"), None, None, at("bob")]
    assert stack.postmap_many("sql-aliases.cf", keys) == found
    assert [stack.postmap("sql-aliases.cf", key) for key in keys] == found


def test_doveadm_knows_users_and_passwords(stack: MailStack) -> None:
    fields = stack.doveadm_user(at("alice"))
    assert fields is not None
    assert fields["home"] == f"{stack.mail_root}/alice"
    assert stack.doveadm_user(at("nobody")) is None
    assert stack.doveadm_auth(at("alice"), PASSWORD)
    assert not stack.doveadm_auth(at("alice"), "wrong")
    with pytest.raises(imaplib.IMAP4.error):
        stack.imap_login(at("alice"), "wrong")
    with pytest.raises(ValueError, match="mask"):
        stack.doveadm_user("*")


def test_wrong_passwords_do_not_slow_the_next_sign_in(stack: MailStack) -> None:
    before = time.monotonic()
    for _ in range(3):
        with pytest.raises(imaplib.IMAP4.error):
            stack.imap_login(at("bob"), "wrong")
    stack.imap_login(at("bob"), PASSWORD).logout()
    assert time.monotonic() - before < 3


KILLED_RUN = """
import os, sys
from pathlib import Path
from tests.servers.postfix import lookup_config, postmap_many, table_name
from tests.servers.processes import Server, short_directory
directory = short_directory()
path = directory.__enter__()
server = Server("sleep", ["sleep", "600"], log=path / "log")
print(server.pid, path, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_later_run_ends_what_a_killed_run_left() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED_RUN]
    killed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    pid, path = killed.stdout.split()
    assert started_at(int(pid)) is not None
    assert Path(path).exists()
    end_leftovers()
    assert started_at(int(pid)) is None
    assert not Path(path).exists()


def test_the_end_of_one_stack_in_the_chroot_leaves_the_others_their_files(open_directory: Path) -> None:
    (open_directory / "inner").mkdir()
    (open_directory / "inner" / "file").write_text("still here")
    places = [open_directory / "inner"]
    with trixie.entered(places) as within:
        script = f"read line; cat {open_directory}/inner/file"
        command = [*within, "/bin/sh", "-c", f"echo ready; {script}"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:  # noqa: S603 - ours
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"ready\n"
            with trixie.entered(places):
                pass
            assert reader.communicate(b"go\n", timeout=10)[0] == b"still here"
    assert not Path(f"{trixie.trixie_root()}{open_directory}").exists()
