"""Who may do what with relay domains. Scope (which domains) is ``visible_to``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from admin.policies import may_manage_domains

if TYPE_CHECKING:
    from core.actor import Actor


def may_manage_relay_domains(actor: Actor, /, *_batch: object) -> bool:
    """Create and change relay domains; whoever may delete domains deletes these, too."""
    return may_manage_domains(actor)


def may_scan_services(actor: Actor, /, *_batch: object) -> bool:
    """Read anew which services Postfix has."""
    return may_manage_domains(actor)
