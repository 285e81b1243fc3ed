"""Take over the last logins that Dovecot has written; for cron, every few minutes."""

from __future__ import annotations

from typing import Any

from admin.operations import collect_last_logins
from core.commands import ActingCommand


class Command(ActingCommand):
    """``collect_last_logins [--as ACCOUNT]``; prints nothing."""

    help = "Take over the last logins that Dovecot's last_login plugin has written."

    def handle(self, **options: Any) -> None:
        """Collect."""
        collect_last_logins(self.actor(options))
