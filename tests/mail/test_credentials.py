"""Credentials of the database reach both servers as they were meant, whatever is allowed to be in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone

from tests.cast import PASSWORD
from tests.mail.conftest import mail_stack
from tests.mail.generated import generate
from tests.mail.panel import Panel
from tests.mail.test_delivery import sent
from tests.mail.test_last_login import noted
from tests.operations.test_generated_files import PLAIN_PASSWORDS, with_password
from tests.servers.database import Database, Engine


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_a_password_of_all_allowed_characters_opens_the_database(
    database: Database, ground: Path, panel: Panel, version: str, open_directory: Path
) -> None:
    if database.engine is Engine.SQLITE:
        pytest.skip("SQLite has no passwords")
    role = with_password(database, PLAIN_PASSWORDS[-1] + version)
    asked_by_role = replace(database, user=role.user, password=role.password)
    generate(open_directory, version, ground / "mail", asked_by_role.url)
    with mail_stack(database, ground, version, open_directory) as running:
        sam = panel.new_account(f"sam@{panel.new_domain()}")
        running.wait_for_mail(sam, sent(running, sam))
        before = timezone.now()
        running.imap_login(sam, PASSWORD).logout()
        assert noted(sam, after=before), running.logs()
