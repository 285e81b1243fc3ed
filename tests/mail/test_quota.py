"""Quota: Dovecot keeps to what the panel says, and the panel shows what Dovecot counted."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from admin.models import Account, Quota
from core.presentation import MIB, usage_text
from tests.cast import PASSWORD
from tests.mail.panel import Panel
from tests.servers.processes import becomes_true
from tests.servers.stack import MailStack, new_token

FRIEND = "friend@outside.test"
LARGE = 600_000


def counted(address: str) -> int | None:
    """Bytes that Dovecot has written for a login."""
    return Quota.objects.filter(username=address).values_list("bytes", flat=True).first()


def fill(stack: MailStack, address: str) -> None:
    """One large mail, until Dovecot has counted it."""
    before, token = counted(address) or 0, new_token()
    assert stack.send(FRIEND, [address], token, size=LARGE)[address].accepted
    stack.wait_for_mail(address, token)
    # Stored with LF line ends, so a little less than was sent.
    assert becomes_true(lambda: (counted(address) or 0) - before > 0.9 * LARGE, limit_s=5), stack.logs()


def test_a_full_mailbox_takes_no_more_and_the_panel_shows_why(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}", quota="1 MB")
    fill(each_stack, sam)
    token = new_token()
    each_stack.send(FRIEND, [sam], token, size=LARGE)
    assert "Quota exceeded" in each_stack.sink.wait_for(token).data.decode()
    assert not each_stack.has_mail(sam, token)
    with each_stack.imap_login(sam, PASSWORD) as imap:
        used = re.search(rb"STORAGE (\d+) 1024\)", imap.getquotaroot("INBOX")[1][1][0])
    assert used is not None
    assert int(used[1]) == pytest.approx((counted(sam) or 0) / 1024, abs=1)

    account = Account.objects.get(username=sam)
    page = panel.browser.client.get(reverse("admin:account_detail", args=[account.pk]))
    assert page.context["used_bytes"] == counted(sam)
    assert usage_text(counted(sam) or 0, MIB) in page.content.decode()
    listed = panel.browser.client.get(reverse("admin:identity_list"), {"q": sam})
    assert [row.used_bytes for row in listed.context["rows"]] == [counted(sam)]


def test_a_raised_quota_counts_at_the_next_delivery(stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}", quota="1 MB")
    fill(stack, sam)
    panel.change_account(sam, {"quota": "2 MB"})
    fill(stack, sam)


def test_mailboxes_follow_the_value_of_their_domain(stack: MailStack, panel: Panel) -> None:
    domain = panel.new_domain()
    panel.change_domain(domain, {"quota": "10 MB", "default_mailbox_quota": "1 MB"})
    sam = panel.new_account(f"sam@{domain}")
    rule = (stack.doveadm_user(sam) or {})["quota_rule"]
    panel.change_domain(domain, {"default_mailbox_quota": "3 MB"})
    assert [rule, (stack.doveadm_user(sam) or {})["quota_rule"]] == ["*:bytes=1M", "*:bytes=3M"]


def test_no_quota_means_no_limit(each_stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}", quota="0")
    fill(each_stack, sam)
    fill(each_stack, sam)


def test_the_count_survives_a_recalculation(stack: MailStack, panel: Panel) -> None:
    sam = panel.new_account(f"sam@{panel.new_domain()}", quota="10 MB")
    fill(stack, sam)
    right = counted(sam)
    Quota.objects.filter(username=sam).update(bytes=1, messages=99)
    stack.doveadm("quota", "recalc", "-u", sam)
    assert Quota.objects.filter(username=sam).values_list("bytes", "messages").get() == (right, 1)
