"""Many senders at once, and a PostgreSQL that allows as many connections as when nobody has configured it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.mail.conftest import mail_stack
from tests.mail.generated import generate
from tests.mail.panel import Panel
from tests.servers.database import Database, Engine
from tests.servers.packages import program
from tests.servers.postgresql import postgresql_server
from tests.servers.processes import run, short_directory
from tests.servers.stack import MailStack, new_token

SENDERS, MAILS = 50, 2
DEFAULT_CONNECTIONS = "100"


@pytest.fixture
def people(panel: Panel) -> list[str]:
    """Mailboxes, then an alias that leads to all of them."""
    domain = panel.new_domain()
    boxes = [panel.new_account(f"u{number}@{domain}") for number in range(4)]
    return [*boxes, panel.new_alias(f"all@{domain}", *boxes)]


@pytest.fixture
def default_stack(people: list[str], database: Database) -> Iterator[MailStack]:
    """Beside a copy of the database in a server of its own: the one of the tests allows more connections."""
    del people  # must be in the copy
    if database.engine is not Engine.POSTGRESQL:
        pytest.skip("PostgreSQL is the one that runs short of connections")
    with ExitStack() as resources:
        directory = resources.enter_context(short_directory())
        server = postgresql_server(directory, max_connections=DEFAULT_CONNECTIONS)
        copy = resources.enter_context(server)
        copy.execute(dump(database))
        generate(directory / "files", "2.3", directory / "mail", copy.url)
        yield resources.enter_context(mail_stack(copy, directory, "2.3", directory / "files"))


def dump(database: Database) -> str:
    place = ["--host", database.host, "--port", str(database.port), "--username", database.user]
    command = [program("pg_dump"), *place, "--no-owner", "--inserts", database.name]
    return run(command, env={"PGPASSWORD": database.password}).stdout.decode()


def test_a_burst_of_senders_loses_and_defers_nothing(default_stack: MailStack, people: list[str]) -> None:
    stack, boxes = default_stack, people[:-1]

    def burst(sender: int) -> list[tuple[str, str]]:
        sent = []
        for number in range(MAILS):
            recipient, token = people[(sender + number) % len(people)], new_token()
            reply = stack.send(f"s{sender}@outside.test", [recipient], token)[recipient]
            assert reply.accepted, reply
            sent.append((recipient, token))
        return sent

    with ThreadPoolExecutor(SENDERS) as senders:
        sent = [each for some in senders.map(burst, range(SENDERS)) for each in some]
    assert len(sent) == SENDERS * MAILS
    for recipient, token in sent:
        for home in [recipient] if recipient in boxes else boxes:
            stack.wait_for_mail(home, token, 60)
    assert "status=deferred" not in stack.postfix.log.read_text()
    assert "too many" not in stack.dovecot.log.read_text()
