"""Dovecot queries that the documentation has always printed: they work with our tables as they stand there.

What is in angle brackets there is filled in, and the driver is spelled as Dovecot spells it. The documentation has
LF-free lines; here they are wrapped.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cast import PASSWORD
from tests.mail.conftest import mail_stack
from tests.mail.generated import generate
from tests.mail.panel import OFF, Panel
from tests.mail.test_quota import fill
from tests.servers.database import Database, Engine
from tests.servers.owner import mailbox_owner
from tests.servers.stack import MailStack, new_token

FRIEND = "friend@outside.test"
FROM_DOMAIN = "FROM admin_mailbox mb INNER JOIN admin_domain dom ON mb.domain_id=dom.id"
WHO = "WHERE mb.address='%Ln' AND dom.name='%Ld'"
JOINED_USER = (
    "FROM core_user u INNER JOIN admin_mailbox mb ON u.id=mb.user_id "
    "INNER JOIN admin_domain dom ON mb.domain_id=dom.id"
)
PASSWORD_QUERIES = {
    Engine.MARIADB: "SELECT email AS user, password FROM core_user WHERE email='%Lu' and is_active=1",
    Engine.POSTGRESQL: f"SELECT email AS user, password {JOINED_USER} "
    "WHERE u.email='%Lu' AND u.is_active AND dom.enabled",
    Engine.SQLITE: f"SELECT email AS user, password {JOINED_USER} "
    "WHERE u.email='%Lu' AND u.is_active=1 AND dom.enabled=1",
}
QUOTA_RULES = {
    Engine.MARIADB: "concat('*:bytes=', mb.quota, 'M')",
    Engine.POSTGRESQL: "'*:bytes=' || mb.quota || 'M'",
    Engine.SQLITE: "('*:bytes=' || mb.quota || 'M')",
}
ITERATE_QUERY = "SELECT email AS user FROM core_user"


def connection_line(database: Database) -> str:
    if database.engine is Engine.SQLITE:
        return database.name
    place = f"host={database.host} port={database.port}"
    return f"{place} dbname={database.name} user={database.user} password={database.password}"


def write_documented(database: Database, ground: Path) -> Path:
    """The documentation's dovecot-sql.conf.ext, and its quota dict, in place of our queries."""
    generated = ground / "documented"
    generate(generated, "2.3", ground / "mail", database.url)
    place = generated / "dovecot-2.3" / "modoboa"
    engine, owner, driver = database.engine, mailbox_owner(), database.engine.mail_driver
    connect = f"connect = {connection_line(database)}\n"
    (place / "dovecot-sql.conf.ext").write_text(
        f"driver = {driver}\n{connect}default_pass_scheme = CRYPT\n"
        f"password_query = {PASSWORD_QUERIES[engine]}\n"
        f"user_query = SELECT '{ground / 'mail'}/%Ld/%Ln' AS home, {owner.pw_uid} as uid, {owner.pw_gid} as gid, "
        f"{QUOTA_RULES[engine]} AS quota_rule {FROM_DOMAIN} {WHO}\n"
        f"iterate_query = {ITERATE_QUERY}\n"
    )
    maps = "".join(
        f"map {{\n  pattern = priv/quota/{kind}\n  table = admin_quota\n"
        f"  username_field = username\n  value_field = {column}\n}}\n"
        for kind, column in (("storage", "bytes"), ("messages", "messages"))
    )
    (place / "dovecot-dict-sql.conf.ext").write_text(f"{connect}{maps}")
    main = place / "modoboa-dovecot-2.3.conf"
    main.write_text(
        f"passdb sql {{\n  driver = sql\n  args = {place}/dovecot-sql.conf.ext\n}}\n"
        f"userdb sql {{\n  driver = sql\n  args = {place}/dovecot-sql.conf.ext\n}}\n"
        f"dict {{\n  quota = {driver}:{place}/dovecot-dict-sql.conf.ext\n}}\n"
        "plugin {\n  quota = dict:User quota::proxy::quota\n}\n"
    )
    return generated


@pytest.fixture(scope="module")
def documented(database: Database, ground: Path) -> Iterator[MailStack]:
    """Our map files for Postfix, the documentation's queries for Dovecot."""
    with mail_stack(database, ground, "2.3", write_documented(database, ground)) as running:
        yield running


def test_mail_arrives_is_counted_and_read(documented: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}", quota="1 MB")
    fill(documented, sam)
    token = new_token()
    documented.send(FRIEND, [sam], token, size=600_000)
    assert "Quota exceeded" in documented.sink.wait_for(token).data.decode()
    with documented.imap_login(sam.upper(), PASSWORD) as imap:
        assert imap.select()[1] == [b"1"]
    assert sam in documented.doveadm("user", "*").split()


def test_the_home_is_the_one_that_our_own_files_give(
    documented: MailStack, stack: MailStack, panel: Panel
) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}", quota="7 MB")
    assert documented.doveadm_user(sam) == stack.doveadm_user(sam)
    assert documented.doveadm_user(f"nobody{sam}") is None


def test_a_disabled_account_does_not_sign_in(documented: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    documented.imap_login(sam, PASSWORD).logout()
    panel.change_account(sam, {"is_active": OFF})
    with pytest.raises(imaplib.IMAP4.error):
        documented.imap_login(sam, PASSWORD)
