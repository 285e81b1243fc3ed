"""The rows of the permission matrix that are about the API, with what is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.cast import PASSWORD

# As in test_permission_matrix.py:           anon root rita dora  sam  mall disabled
READ = "                                     401  200  200  200  200  200  401"
NEVER = "                                    401  405  405  405  405  405  401"
OWN_DOMAIN = "                               401  200  404  200  404  404  401"

API_MATRIX: Final[Mapping[str, Mapping[str, str]]] = {
    "core:api_page": {"GET": READ, "POST": NEVER},
    "core:api_schema": {"GET": READ, "POST": NEVER},
    "core:api_me": {"GET": READ, "POST": NEVER},
    # Everybody but root reads an empty one.
    "core:api_log_list": {"GET": READ, "POST": NEVER},
    "admin:api_quota_list": {"GET": READ, "POST": NEVER},
    "admin:api_domain_list": {
        "GET": READ,
        "POST": "                            401  201  201  403  403  403  401",
        "PUT": NEVER,
    },
    "admin:api_domain_detail": {
        "GET doras": OWN_DOMAIN,
        "GET ritas": "                       401  200  200  404  404  404  401",
        "PUT doras": "                       401  200  404  403  403  403  401",
        "PATCH ritas": "                     401  200  200  403  403  403  401",
        "DELETE doras": "                    401  204  404  403  403  403  401",
        "DELETE ritas": "                    401  204  204  403  403  403  401",
        "POST doras": NEVER,
    },
    "admin:api_domain_alias_list": {
        "GET": READ,
        "POST doras": "                      401  201  400  403  403  403  401",
        "POST ritas": "                      401  201  201  403  403  403  401",
    },
    "admin:api_domain_alias_detail": {
        "GET doras": OWN_DOMAIN,
        "PATCH doras": "                     401  200  404  403  403  403  401",
        "DELETE doras": "                    401  204  404  403  403  403  401",
    },
    "admin:api_account_list": {
        "GET": READ,
        "POST doras": "                      401  201  404  201  403  404  401",
        "POST ritas": "                      401  201  201  404  403  404  401",
    },
    "admin:api_account_exists": {"GET": READ, "POST": NEVER},
    "admin:api_account_detail": {
        "GET doras": OWN_DOMAIN,
        "GET roots": "                       401  200  404  404  404  404  401",
        "PUT doras": "                       401  200  404  200  403  404  401",
        "PATCH doras": "                     401  200  404  200  403  404  401",
        "PATCH peers": "                     401  200  404  200  403  404  401",
        "PATCH carers": "                    401  200  404  403  403  404  401",
        "PATCH roots": "                     401  200  404  404  403  404  401",
        "DELETE doras": "                    401  204  404  204  403  404  401",
        "DELETE carers": "                   401  204  404  403  403  404  401",
        # Nobody deletes himself.
        "DELETE roots": "                    401  403  404  404  403  404  401",
        "DELETE mallorys": "                 401  204  404  404  403  403  401",
    },
    "admin:api_account_password": {
        "PUT doras": "                       401  200  404  200  403  404  401",
        "PUT carers": "                      401  200  404  403  403  404  401",
        "GET doras": NEVER,
    },
    "admin:api_alias_list": {
        "GET": READ,
        "POST doras": "                      401  201  400  201  403  400  401",
    },
    "admin:api_alias_detail": {
        "GET doras": OWN_DOMAIN,
        "PATCH doras": "                     401  200  404  200  403  404  401",
        "DELETE doras": "                    401  204  404  204  403  404  401",
    },
    "admin:api_resource_detail": {
        "GET ritas": "                       401  200  404  404  404  404  401",
        "PATCH ritas": "                     401  200  404  403  403  403  401",
    },
    "admin:api_sender_address_list": {
        "GET": READ,
        "POST doras": "                      401  201  400  201  403  400  401",
    },
    "admin:api_sender_address_detail": {
        "GET doras": OWN_DOMAIN,
        "DELETE doras": "                    401  204  404  204  403  404  401",
        "PUT doras": NEVER,
    },
    "relaydomains:api_relay_domain_list": {
        "GET": READ,
        "POST": "                            401  201  201  403  403  403  401",
    },
    "relaydomains:api_relay_domain_detail": {
        "GET doras": OWN_DOMAIN,
        "PATCH doras": "                     401  200  404  403  403  403  401",
        "PATCH ritas": "                     401  200  200  403  403  403  401",
        "DELETE doras": "                    401  204  404  403  403  403  401",
    },
}


def noun_of(route: str) -> str:
    """Of ``admin:api_domain_alias_detail``: ``domain_alias``."""
    return route.partition(":api_")[2].rpartition("_")[0]


def body_of(
    route: str, method: str, domain: str, objects: Mapping[str, Mapping[str, Any]], target: str
) -> Any:
    """What the operation behind *route* would accept; *domain* is the one of *target*."""
    noun, is_new = noun_of(route), method == "POST"
    if method == "DELETE":
        return None
    if noun == "account" and method == "PUT" and not route.endswith("_password"):
        account = objects["account"][target]
        return {"username": account.username, "role": account.role, "last_name": "Changed"}
    bodies: dict[tuple[str, bool], Any] = {
        ("domain", True): {"name": "new.example"},
        ("domain", False): {"name": domain, "quota": 200_000},
        ("domain_alias", True): {
            "name": "new.example",
            "target": getattr(objects["domain"].get(target), "pk", None),
        },
        ("domain_alias", False): {"enabled": False},
        ("account", True): {"username": f"new@{domain}", "role": "SimpleUsers", "password": PASSWORD},
        ("account", False): {"last_name": "Changed", "password": PASSWORD, "new_password": "Another-Horse-8"},
        ("alias", True): {"address": f"new@{domain}", "recipients": ["else@where.example"]},
        ("alias", False): {"enabled": False},
        ("resource", False): {"mailboxes": 7},
        ("sender_address", True): {"address": "new@dora.example", "mailbox": "sam@dora.example"},
        ("relay_domain", True): {"name": "new.example", "target_host": "9.9.9.9"},
        ("relay_domain", False): {"target_port": 26},
    }
    body = bodies.get((noun, is_new), {})
    if noun == "account" and method == "PATCH":
        return {"last_name": "Changed"}
    if method == "PUT" and noun in _REQUIRED:
        return _REQUIRED[noun](objects[noun][target]) | body
    return body


# What PUT asks for besides.
_REQUIRED: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "domain_alias": lambda row: {"name": row.name, "target": row.target_id},
    "alias": lambda row: {"address": row.address, "recipients": ["else@where.example"]},
    "resource": lambda _row: dict.fromkeys(
        ("domains", "domain_aliases", "domain_admins", "mailboxes", "mailbox_aliases", "quota"), 9
    ),
    "relay_domain": lambda row: {"name": row.name, "target_host": "9.9.9.9"},
}


# --- tokens ----------------------------------------------------------------------------------------------------

SCOPES: Final = (
    "domains:read",
    "domains:write",
    "accounts:read",
    "accounts:write",
    "aliases:read",
    "aliases:write",
)
# What root's token may do with one scope alone: status for each of SCOPES.
#                        domains    accounts   aliases
#                        rd   wr    rd   wr    rd   wr
ANY = "                  200  200   200  200   200  200"
NONE = "                 403  403   403  403   403  403"
READ_DOMAINS = "         200  403   403  403   403  403"
READ_ACCOUNTS = "        403  403   200  403   403  403"
READ_ALIASES = "         403  403   403  403   200  403"
WRITE_DOMAINS = "        403  200   403  403   403  403"
WRITE_ACCOUNTS = "       403  403   403  200   403  403"
WRITE_ALIASES = "        403  403   403  403   403  200"
NEW_DOMAINS = "          403  201   403  403   403  403"
NEW_ACCOUNTS = "         403  403   403  201   403  403"
NEW_ALIASES = "          403  403   403  403   403  201"
NO_DOMAINS = "           403  204   403  403   403  403"
NO_ACCOUNTS = "          403  403   403  204   403  403"
NO_ALIASES = "           403  403   403  403   403  204"

_DOMAIN_ITEM: Final = {
    "GET doras": READ_DOMAINS,
    "PUT doras": WRITE_DOMAINS,
    "PATCH doras": WRITE_DOMAINS,
    "DELETE doras": NO_DOMAINS,
}
SCOPE_MATRIX: Final[Mapping[str, Mapping[str, str]]] = {
    "core:api_page": {"GET": ANY},
    "core:api_schema": {"GET": ANY},
    "core:api_me": {"GET": ANY},
    # All three that read, together.
    "core:api_log_list": {"GET": NONE},
    "admin:api_quota_list": {"GET": READ_ACCOUNTS},
    "admin:api_domain_list": {"GET": READ_DOMAINS, "POST": NEW_DOMAINS},
    "admin:api_domain_detail": _DOMAIN_ITEM,
    "admin:api_domain_alias_list": {"GET": READ_DOMAINS, "POST doras": NEW_DOMAINS},
    "admin:api_domain_alias_detail": _DOMAIN_ITEM,
    "admin:api_account_list": {"GET": READ_ACCOUNTS, "POST doras": NEW_ACCOUNTS},
    "admin:api_account_exists": {"GET": READ_ACCOUNTS},
    "admin:api_account_detail": {
        "GET doras": READ_ACCOUNTS,
        "PUT doras": WRITE_ACCOUNTS,
        "PATCH doras": WRITE_ACCOUNTS,
        "DELETE doras": NO_ACCOUNTS,
    },
    "admin:api_account_password": {"PUT doras": WRITE_ACCOUNTS},
    "admin:api_alias_list": {"GET": READ_ALIASES, "POST doras": NEW_ALIASES},
    "admin:api_alias_detail": {
        "GET doras": READ_ALIASES,
        "PUT doras": WRITE_ALIASES,
        "PATCH doras": WRITE_ALIASES,
        "DELETE doras": NO_ALIASES,
    },
    "admin:api_resource_detail": {
        "GET ritas": READ_ACCOUNTS,
        "PUT ritas": WRITE_ACCOUNTS,
        "PATCH ritas": WRITE_ACCOUNTS,
    },
    "admin:api_sender_address_list": {"GET": READ_ACCOUNTS, "POST doras": NEW_ACCOUNTS},
    "admin:api_sender_address_detail": {"GET doras": READ_ACCOUNTS, "DELETE doras": NO_ACCOUNTS},
    "relaydomains:api_relay_domain_list": {"GET": READ_DOMAINS, "POST": NEW_DOMAINS},
    "relaydomains:api_relay_domain_detail": _DOMAIN_ITEM,
}
