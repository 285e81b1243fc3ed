"""Credentials of the database reach both servers as they were meant, whatever is allowed to be in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.cast import PASSWORD
from tests.mail.panel import Panel
from tests.mail.test_delivery import sent
from tests.operations.test_generated_files import PLAIN_PASSWORDS, with_password
from tests.servers.database import Database, Engine
from tests.servers.stack import MailStack, mailbox_owner


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_a_password_of_all_allowed_characters_opens_the_database(
    database: Database, ground: Path, panel: Panel, version: str, open_directory: Path
) -> None:
    if database.engine is Engine.SQLITE:
        pytest.skip("SQLite has no passwords")
    role = with_password(database, PLAIN_PASSWORDS[-1] + version)
    asked_by_role = replace(database, user=role.user, password=role.password)
    maps, conf = open_directory / "maps", open_directory / "dovecot"
    call_command("generate_postfix_maps", destdir=str(maps), dburl=asked_by_role.url)
    owner = mailbox_owner().pw_name
    call_command(
        "generate_dovecot_conf",
        destdir=str(conf),
        dburl=asked_by_role.url,
        mail_root=str(ground / "mail"),
        mail_owner=owner,
    )
    with MailStack(
        maps_dir=maps,
        driver=database.engine.mail_driver,
        dovecot_conf=conf / f"modoboa-dovecot-{version}.conf",
        mail_root=ground / "mail",
        version=version,
    ) as running:
        sam = panel.new_account(f"sam@{panel.new_domain()}")
        running.wait_for_mail(sam, sent(running, sam))
        running.imap_login(sam, PASSWORD).logout()
