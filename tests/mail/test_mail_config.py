"""What the generated configuration does beyond delivery: full mailboxes, TLS, changes that count at once, folders."""

from __future__ import annotations

import base64
import imaplib
import smtplib
import socket
import ssl
import time
from collections.abc import Iterable
from pathlib import Path

from relaydomains.operations import create_relay_domain
from tests.cast import PASSWORD
from tests.mail.conftest import mail_stack
from tests.mail.panel import OFF, ON, Panel, unique_name
from tests.mail.test_delivery import FRIEND, answer_to, sent
from tests.mail.test_quota import LARGE, fill
from tests.servers.database import Database
from tests.servers.sink import Sink
from tests.servers.stack import MailStack, new_token, plain

ELSEWHERE = "else@elsewhere.test"


# --- full mailboxes -------------------------------------------------------------------------------------------------


def test_a_full_mailbox_is_refused_while_the_sender_listens(each_stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    sam = panel.new_account(f"sam@{domain}", quota="1 MB")
    alias = panel.new_alias(f"info@{domain}", "dora@elsewhere.test")
    fill(each_stack, sam)
    # One more would be too much, and the client says how large it is.
    with smtplib.SMTP("127.0.0.1", each_stack.smtp_port, "client.test", 20) as client:
        client.ehlo()
        assert client.mail(FRIEND, [f"SIZE={LARGE}"])[0] == 250
        code, text = client.rcpt(sam)
        assert code == 552, each_stack.logs()
        assert b"full" in text
        assert client.rcpt(alias)[0] == 250
    each_stack.wait_for_mail(sam, sent(each_stack, sam))


def test_mail_is_accepted_when_nobody_says_whether_there_is_room(
    database: Database, ground: Path, panel: Panel
) -> None:
    with mail_stack(database, ground, "2.3") as running:
        running.postfix.quota_socket.unlink()
        sam = panel.new_account(f"sam@{panel.new_domain()}")
        before = time.monotonic()
        running.wait_for_mail(sam, sent(running, sam))
        assert time.monotonic() - before < 10


# --- TLS ------------------------------------------------------------------------------------------------------------


def trusting(stack: MailStack) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(stack.generated / "certificate.pem"))
    context.check_hostname = False
    return context


def test_mail_is_submitted_with_tls_from_the_first_byte(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    context = trusting(each_stack)
    with smtplib.SMTP_SSL("127.0.0.1", each_stack.submissions_port, "client.test", context=context) as client:
        client.login(sam, PASSWORD)
        assert client.mail(sam)[0] == 250
        assert client.rcpt(ELSEWHERE)[0] == 250
        client.rset()
        assert client.mail("boss@elsewhere.test")[0] == 250
        assert client.rcpt(ELSEWHERE)[0] == 553


def test_mail_is_read_with_tls(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    with imaplib.IMAP4("127.0.0.1", each_stack.imap_port, 20) as client:
        client.starttls(trusting(each_stack))
        assert client.authenticate("PLAIN", lambda _challenge: plain(sam, PASSWORD))[0] == "OK"


def test_port_25_takes_no_passwords(stack: MailStack) -> None:
    with smtplib.SMTP("127.0.0.1", stack.smtp_port, "client.test", 20) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.starttls(context=trusting(stack))
        client.ehlo()
        assert not client.has_extn("auth")


# --- changes count in the next session ------------------------------------------------------------------------------


def test_a_domain_that_is_switched_off_and_on_is_so_at_once(stack: MailStack, panel: Panel) -> None:
    name = unique_name()
    sam = f"sam@{name}"
    assert answer_to(stack, sam).code == 554
    panel.new_domain(name)
    panel.new_account(sam)
    for _turn in range(3):
        stack.wait_for_mail(sam, sent(stack, sam))
        panel.change_domain(name, {"enabled": OFF})
        assert answer_to(stack, sam).code == 554
        assert stack.send(FRIEND, [f"sam+x@{name}"], new_token())[f"sam+x@{name}"].code == 554
        panel.change_domain(name, {"enabled": ON})


def test_an_account_that_is_switched_off_and_on_is_so_at_once(stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    for _turn in range(3):
        assert answer_to(stack, sam).accepted
        panel.change_account(sam, {"is_active": OFF})
        refusal = answer_to(stack, sam)
        assert (refusal.code, "switched off" in refusal.text) == (550, True)
        panel.change_account(sam, {"is_active": ON})
    assert not was_verified(stack, sam)


def was_verified(stack: MailStack, address: str) -> bool:
    """Whether Postfix tried a delivery only to see whether the address exists."""
    lines = stack.postfix.log.read_text(errors="replace").splitlines()
    return any(f"<{address}>" in line and "deliverable" in line for line in lines)


def test_a_mailbox_is_known_at_once_though_somebody_wrote_to_it_before(
    stack: MailStack, panel: Panel
) -> None:
    sam = f"sam@{panel.new_domain()}"
    assert answer_to(stack, sam).code == 550
    panel.new_account(sam)
    stack.wait_for_mail(sam, sent(stack, sam))


# --- other names ----------------------------------------------------------------------------------------------------


def test_nobody_is_asked_about_another_name_of_a_relay_domain_that_asks_nobody(
    stack: MailStack, panel: Panel
) -> None:
    with Sink() as target:
        other = unique_name()
        relay = create_relay_domain(
            panel.root, name=unique_name(), target_host="127.0.0.1", target_port=target.port, aliases=(other,)
        )
        nobody = f"nobody@{relay.domain.name}"
        target.refusals[nobody] = "550 5.1.1 unknown"
        assert answer_to(stack, f"nobody@{other}").accepted
        assert not was_verified(stack, nobody)


def test_another_name_of_a_domain_takes_no_mail_for_nobody(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    other = panel.new_domain_alias(domain)
    assert answer_to(stack, f"nobody@{other}").code == 550
    assert was_verified(stack, f"nobody@{domain}")
    assert answer_to(stack, f"nobody@{domain}").code == 550


# --- folders and filters --------------------------------------------------------------------------------------------


def test_mail_programs_find_the_usual_folders(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    with each_stack.imap_login(sam, PASSWORD) as imap:
        folders = b"\n".join(line for line in imap.list()[1] if isinstance(line, bytes))
        for flag in (b"\\Drafts", b"\\Sent", b"\\Junk", b"\\Trash"):
            assert flag in folders
        assert imap.append("Sent", "", "", b"Subject: sent\r\n\r\nsent\r\n")[0] == "OK"


def test_filter_rules_hold(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    home = each_stack.home(sam)
    each_stack.wait_for_mail(sam, sent(each_stack, sam))
    script = home / ".dovecot.sieve"
    script.write_text('require "fileinto";\nfileinto "Junk";\n')
    token = sent(each_stack, sam)
    each_stack.wait_for_mail(sam, token)
    with each_stack.imap_login(sam, PASSWORD) as imap:
        assert imap.select("Junk")[1] == [b"1"]


def test_filter_rules_are_sent_by_managesieve(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}")
    script = b'require "fileinto"; fileinto "Junk";'
    answers = managesieve(
        each_stack,
        b'AUTHENTICATE "PLAIN" "%s"' % base64.b64encode(plain(sam, PASSWORD)),
        b'PUTSCRIPT "rules" {%d+}\r\n%s' % (len(script), script),
        b'SETACTIVE "rules"',
    )
    assert [answer[:2] for answer in answers] == [b"OK"] * 3, answers
    each_stack.wait_for_mail(sam, sent(each_stack, sam))
    with each_stack.imap_login(sam, PASSWORD) as imap:
        assert imap.select("Junk")[1] == [b"1"]


def managesieve(stack: MailStack, *commands: bytes) -> list[bytes]:
    """The last line of each answer."""
    answers = []
    with socket.create_connection(("127.0.0.1", stack.sieve_port), 10) as connection:
        lines = connection.makefile("rb")
        final(lines)
        for command in commands:
            connection.sendall(command + b"\r\n")
            answers.append(final(lines))
        lines.close()
    return answers


def final(lines: Iterable[bytes]) -> bytes:
    return next(line for line in lines if line.startswith((b"OK", b"NO", b"BYE")))


def test_no_file_of_the_machine_is_touched(stack: MailStack) -> None:
    spool = Path("/var/spool/postfix/private")
    assert stack.postfix.auth_socket.exists()
    assert not [name for name in ("auth", "dovecot-lmtp", "quota-status") if (spool / name).exists()]
