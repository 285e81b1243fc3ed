"""What is declared, what is read, and what the documentation says of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django import forms
from django.utils.functional import Promise

from parameters.forms import AdminParametersForm
from parameters.not_used_yet import NOT_USED_YET, is_used
from parameters.registry import Registry, default_of, is_secret, registry
from parameters.wording import value_in_words

TOP = Path(__file__).resolve().parents[2]
APPS = ("core", "parameters", "limits", "admin", "relaydomains", "modoboa_site")


def declared() -> Iterator[tuple[str, str, forms.Field]]:
    for declaration in registry.declarations("global"):
        if declaration.app in APPS:
            for name, field in declaration.fields.items():
                yield declaration.app, name, field


def reads() -> list[tuple[str, re.Pattern[str]]]:
    """App and name, as patterns, of every call that reads a parameter."""
    found = []
    for app in APPS:
        for path in (TOP / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and called(node.func) in {"get_global_parameter", "get_value"}:
                    name, *rest = node.args
                    of = rest[0] if rest else None
                    found.append((of.value if isinstance(of, ast.Constant) else app, pattern(name)))
    return [(str(app), name) for app, name in found]


def called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def pattern(name: ast.expr) -> re.Pattern[str]:
    if isinstance(name, ast.Constant):
        return re.compile(re.escape(str(name.value)))
    if isinstance(name, ast.JoinedStr):
        parts = (
            re.escape(str(each.value)) if isinstance(each, ast.Constant) else r"\w+" for each in name.values
        )
        return re.compile("".join(parts))
    return re.compile("(?!)")  # passed on: what it was is read where it came from


def test_exactly_the_parameters_that_are_called_unused_are_read_nowhere() -> None:
    known = reads()
    assert len(known) > 20
    unread = {
        (app, name)
        for app, name, _field in declared()
        if not any(app == of and one.fullmatch(name) for of, one in known)
    }
    assert unread == {(app, name) for app, names in NOT_USED_YET.items() for name in names}


def test_every_parameter_of_the_documentation_is_declared() -> None:
    names = {f"{app}.{name}" for app, name, _field in declared()}
    documented = [
        "authentication_type",
        "password_scheme",
        "rounds_number",
        "secret_key",
        "default_password",
        "random_password_length",
        "ldap_server_address",
        "ldap_server_port",
        "ldap_secured",
        "ldap_auth_method",
        "ldap_bind_dn",
        "ldap_bind_password",
        "ldap_search_base",
        "ldap_search_filter",
        "ldap_user_dn_template",
        "ldap_password_attribute",
        "ldap_is_active_directory",
        "ldap_admin_groups",
        "ldap_group_type",
        "ldap_groups_search_base",
        "rss_feed_url",
        "hide_features_widget",
        "sender_address",
        "enable_api_communication",
        "check_new_versions",
        "send_statistics",
        "inactive_account_threshold",
        "top_notifications_check_interval",
        "log_maximum_age",
        "items_per_page",
        "default_top_redirection",
    ]
    administration = [
        "enable_mx_checks",
        "valid_mxs",
        "domains_must_have_authorized_mx",
        "enable_dnsbl_checks",
        "handle_mailboxes",
        "mailboxes_owner",
        "default_domain_quota",
        "default_mailbox_quota",
        "auto_account_removal",
        "auto_create_domain_and_mailbox",
    ]
    limits = [
        "enable_admin_limits",
        "enable_domain_limits",
        "deflt_user_quota_limit",
        *(f"deflt_user_{kind}_limit" for kind in ("domain_admins", "domains", "domain_aliases", "mailboxes")),
        *(f"deflt_domain_{kind}_limit" for kind in ("domain_admins", "domain_aliases", "mailboxes")),
        "deflt_user_mailbox_aliases_limit",
        "deflt_domain_mailbox_aliases_limit",
    ]
    wanted = {
        *(f"core.{name}" for name in documented),
        *(f"admin.{name}" for name in administration),
        *(f"limits.{name}" for name in limits),
        "relaydomains.master_cf_path",
    }
    assert wanted <= names


def test_every_parameter_has_a_label_that_can_be_translated() -> None:
    assert [name for _app, name, field in declared() if not isinstance(field.label, Promise)] == []


# --- docs/parameters.md ---------------------------------------------------------------------------------------


def table() -> str:
    lines = ["| tab | parameter | name | default | meaning |", "|---|---|---|---|---|"]
    for declaration in registry.declarations("global"):
        if declaration.app not in APPS:
            continue
        for name, field in declaration.fields.items():
            default = "" if is_secret(field) else value_in_words(field, default_of(field))
            meaning = " ".join(str(field.help_text).split())
            mark = "" if is_used(declaration.app, name) else " *(not used yet)*"
            shown = (declaration.title, field.label, f"`{declaration.app}.{name}`", default, meaning + mark)
            lines.append("| " + " | ".join(str(each).strip().replace("|", "\\|") for each in shown) + " |")
    return "\n".join(lines)


def test_the_table_of_the_documentation_says_what_is_declared() -> None:
    text = (TOP / "docs" / "parameters.md").read_text()
    found = re.search(r"^\| tab \|.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    assert found.group() == table(), f"The table has to be:\n\n{table()}"


# --- declaring ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [{"one": "none=x"}, {"one": "one=x"}, {"one": "two=x", "two": "one=x"}])
def test_a_visibility_rule_that_leads_nowhere_is_refused_when_it_is_declared(rules: dict[str, str]) -> None:
    class Wrong(AdminParametersForm):
        app = "wrong"

        one = forms.CharField()
        two = forms.CharField()

        visibility_rules = rules

    with pytest.raises(ValueError, match="visibility rule"):
        Registry().add("global", Wrong, "Wrong")
