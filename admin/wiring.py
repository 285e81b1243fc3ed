"""What this app registers with the apps below it."""

import reversion
from django.shortcuts import resolve_url
from django.utils.translation import gettext_lazy as _

from admin import checks, domain_features, fixtures, plugin_features, policies, publication  # noqa: F401  importing the checks registers them
from admin.lookups import POSTFIX, Lookup
from admin.models import Alias, Domain, DomainAlias, Mailbox
from admin.operations.allowances import tell_how_to_count
from admin.parameters_form import AdministrationParametersForm
from admin.queries.domains import ids_by_name, names_by_id
from admin.recovery import secondary_address_is_trusted
from core import initial_data, landing, navigation, token_domains
from core.actor import Actor
from core.extensions import exts_pool
from core.hooks import guarded
from core.models import User
from core.operations import passwords, resets
from core.signals import register_postfix_maps
from parameters import tools


def wire() -> None:
    """Called once, when the apps are ready."""
    for model in (Domain, DomainAlias, Mailbox, Alias):
        reversion.register(model, exclude=("administrators",) if model is Domain else ())
    tools.registry.add("global", AdministrationParametersForm, _("Administration"))
    passwords.on_new_hash(_publish_hash)
    register_postfix_maps.connect(_postfix_maps, dispatch_uid="admin")
    tell_how_to_count()
    initial_data.add_fixtures(fixtures.make)
    domain_features.add(plugin_features.FEATURE)
    resets.trust_by(secondary_address_is_trusted)
    token_domains.look_up_with(ids_by_name, names_by_id)
    landing.choose_with(_first_page)
    navigation.add(
        navigation.Entry("", _("Dashboard"), "admin:dashboard", "speedometer2", policies.may_see_domains)
    )
    navigation.add(
        navigation.Entry("", _("Domains"), "admin:domain_list", "globe2", policies.may_see_domains)
    )
    navigation.add(
        navigation.Entry(
            "",
            _("Identities"),
            "admin:identity_list",
            "people",
            policies.may_see_identities,
            under=("/admin/accounts/", "/admin/aliases/", "/admin/addresses/"),
        )
    )
    navigation.add(
        navigation.Entry("", _("Quotas"), "admin:quota_list", "pie-chart", policies.may_see_identities)
    )
    navigation.add(
        navigation.Entry(
            "",
            _("Import & export"),
            "admin:import_create",
            "arrow-down-up",
            policies.may_import,
        )
    )
    navigation.add(
        navigation.Entry(
            navigation.SYSTEM,
            _("Mail directories"),
            "admin:directory_list",
            "hdd",
            policies.may_decide_about_directories,
        )
    )
    navigation.add(
        navigation.Entry(
            navigation.SYSTEM, _("Information"), "admin:information", "info-circle", policies.may_see_system
        )
    )
    navigation.add_search("admin:search", policies.may_see_identities)
    navigation.add_own_page(
        navigation.OwnPage(10, _("My mailbox"), "admin:my_mailbox", "mailbox", policies.may_set_own_forward)
    )
    navigation.add_own_page(
        navigation.OwnPage(40, _("Forward"), "admin:user_forward", "forward", policies.may_set_own_forward)
    )


def _first_page(actor: Actor) -> str:
    """The dashboard; for those who look after nothing their own pages, or a plugin's."""
    if policies.may_see_domains(actor):
        return "admin:dashboard"
    extension = exts_pool.get_extension(tools.get_global_parameter("default_top_redirection", "core"))
    # A plugin's mistake keeps nobody out.
    found = (
        guarded(extension, "topredirection_url", lambda: resolve_url(str(extension.topredirection_url)))
        if extension
        else None
    )
    return found or "admin:my_mailbox"


def _postfix_maps(**_sent: object) -> tuple[Lookup, ...]:
    return POSTFIX


def _publish_hash(user: User) -> None:
    publication.publish(publication.Keys(addresses={user.email} - {""}))
