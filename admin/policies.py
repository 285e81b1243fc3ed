"""Who may do what. A policy looks at the actor and at what he was handed, never at pages of rows.

Scope (which domains) is ``visible_to``; these functions add the role and the rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.actor import Credential
from core.policies import may_change_oneself
from core.roles import Role

if TYPE_CHECKING:
    from admin.models import Account
    from core.actor import Actor
    from core.models import User

_MANAGES_DOMAINS = frozenset({Role.SUPER_ADMIN, Role.RESELLER})

# Roles that an actor may give to an account.
_GRANTS = {
    Role.SUPER_ADMIN: (Role.SIMPLE_USER, Role.DOMAIN_ADMIN, Role.RESELLER, Role.SUPER_ADMIN),
    Role.RESELLER: (Role.SIMPLE_USER, Role.DOMAIN_ADMIN),
    Role.DOMAIN_ADMIN: (Role.SIMPLE_USER,),
    Role.SIMPLE_USER: (),
}


def may_see_domains(actor: Actor, /) -> bool:
    """Lists and pages of domains."""
    return actor.administers


def may_manage_domains(actor: Actor, /, *_batch: object) -> bool:
    """Create, edit and delete domains and domain aliases (in his scope)."""
    return actor.role in _MANAGES_DOMAINS


def may_see_identities(actor: Actor, /) -> bool:
    """Lists and pages of accounts and aliases."""
    return actor.administers


def may_manage_accounts(actor: Actor, /, *_batch: object) -> bool:
    """Create, edit and delete accounts (in his scope, below his rank)."""
    return actor.administers


def may_manage_aliases(actor: Actor, /, *_batch: object) -> bool:
    """Create, edit and delete aliases (in his domains)."""
    return actor.administers


def may_see_system(actor: Actor, /) -> bool:
    """Pages about the panel itself."""
    return actor.is_super


def may_publish(actor: Actor, /, *_batch: object) -> bool:
    """Rebuild the tables that mail servers read."""
    return actor.is_super


def may_collect_last_logins(actor: Actor, /) -> bool:
    """Take over what Dovecot noted about the accounts of everybody."""
    return actor.is_super


def may_repair(actor: Actor, /, *_batch: object) -> bool:
    """Mend rows that belong together and do not: on the command line only."""
    return actor.is_super and actor.credential is Credential.COMMAND


def may_decide_about_directories(actor: Actor, /, *_batch: object) -> bool:
    """Retry or give up what failed on disk, and restore what was deleted."""
    return actor.is_super


def may_export_hashes(actor: Actor, /) -> bool:
    """Who reads the hash of a password can guess it at leisure."""
    return actor.is_super


def may_make_master_users(actor: Actor, /) -> bool:
    """A master user opens every mailbox."""
    return actor.is_super


def may_give_hashes(actor: Actor, /) -> bool:
    """A hash from elsewhere: nobody can judge the password behind it."""
    return actor.is_super


def may_import(actor: Actor, /, *_batch: object) -> bool:
    """Upload a file; what it names is created under the rules of each thing."""
    return actor.administers


def roles_to_give(actor: Actor, /) -> tuple[Role, ...]:
    """Roles that *actor* may give to somebody."""
    return _GRANTS[actor.role]


def is_not_above(actor: Actor, /, account: User) -> bool:
    """Nobody of a higher role. Who looks after domains of others is a matter of scope: ``within_reach_of``."""
    return Role(account.role).rank <= actor.role.rank


def may_edit_account(actor: Actor, /, account: Account) -> bool:
    """One account that the actor can already see."""
    return may_manage_accounts(actor) and is_not_above(actor, account)


def may_delete_account(actor: Actor, /, account: Account) -> bool:
    """As editing, but nobody deletes himself."""
    return may_edit_account(actor, account) and account.pk != actor.pk


def may_set_own_forward(actor: Actor, /, *_values: object) -> bool:
    """Whoever has a mailbox (an account's e-mail address is that of its mailbox, and blank without one)."""
    return bool(actor.user.email) and may_change_oneself(actor)
