"""Answers to every hook. Receivers get more than they name: keep ``**kwargs``."""

from django.conf import settings
from django.dispatch import receiver
from django.templatetags.static import static
from django.urls import path, reverse
from django.utils.html import format_html

from modoboa.admin import signals as admin_signals
from modoboa.core import signals as core_signals
from modoboa.lib.exceptions import BadRequest
from modoboa.lib.form_utils import WizardStep
from modoboa.lib.signals import get_request
from modoboa.parameters import tools as param_tools

from . import forms, views
from .models import AccountNote, Colour, DomainNote, Event


def note(name, detail):
    """Keep what was told."""
    Event.objects.create(name=name, detail=str(detail)[:200])


# --- news ----------------------------------------------------------------------------------------------------------


@receiver(core_signals.account_auto_created)
def account_auto_created(sender, user, **kwargs):
    note("account_auto_created", user.username)


@receiver(core_signals.account_deleted)
def account_deleted(sender, user, **kwargs):
    note("account_deleted", user.username)


@receiver(core_signals.account_imported)
def account_imported(sender, user, account, row, **kwargs):
    """Cells that ``account_exported`` wrote come back here."""
    note("account_imported", f"{user.username} {account.username} {row}")
    for cell in row:
        if cell.startswith("note="):
            AccountNote.objects.create(account_id=account.pk, text=cell.removeprefix("note="))


@receiver(core_signals.account_password_updated)
def account_password_updated(sender, account, password, created, **kwargs):
    note("account_password_updated", f"{account.username} {len(password)} {created}")


@receiver(core_signals.account_role_changed)
def account_role_changed(sender, account, role, **kwargs):
    note("account_role_changed", f"{account.username} {account.role} {role}")


@receiver(core_signals.initial_data_loaded)
def initial_data_loaded(sender, extname, **kwargs):
    note("initial_data_loaded", extname)


@receiver(core_signals.user_login)
def user_login(sender, username, password, **kwargs):
    note("user_login", f"{username} {len(password)}")


@receiver(core_signals.user_logout)
def user_logout(sender, request, **kwargs):
    note("user_logout", request.user.username)


# --- questions -----------------------------------------------------------------------------------------------------


@receiver(core_signals.allow_password_change)
def allow_password_change(sender, user, **kwargs):
    """True hides the fields: the name misleads."""
    return user.first_name == "Elsewhere"


@receiver(core_signals.can_create_object)
def can_create_object(sender, context, klass, object_type, count, instance, **kwargs):
    """Raise to veto."""
    if object_type == "mailbox_aliases" and getattr(context, "name", "").startswith("quiet."):
        raise BadRequest("No aliases in quiet domains.")


@receiver(core_signals.user_can_set_role)
def user_can_set_role(sender, user, role, account, **kwargs):
    return not (role == "Resellers" and user.first_name == "Careful")


@receiver(admin_signals.use_external_recipients)
def use_external_recipients(sender, recipients, **kwargs):
    return recipients.startswith("elsewhere-")


# --- menus, notices, parts of pages --------------------------------------------------------------------------------


@receiver(core_signals.extra_admin_menu_entries)
def extra_admin_menu_entries(sender, location, user, **kwargs):
    return [
        {
            "name": "example",
            "label": "Example notes",
            "url": reverse("example_plugin:index"),
            "img": "journal-text",
        }
    ]


@receiver(core_signals.extra_user_menu_entries)
def extra_user_menu_entries(sender, location, user, **kwargs):
    if location == "top_menu_middle":
        return None
    return [{"name": "example", "label": f"Example {location}", "url": reverse("example_uprefs")}]


@receiver(core_signals.extra_uprefs_routes)
def extra_uprefs_routes(sender, **kwargs):
    return [path("user/example/", views.own, name="example_uprefs")]


@receiver(core_signals.get_announcements)
def get_announcements(sender, location, **kwargs):
    return format_html("<p>{}</p>", settings.EXAMPLE_GREETING)


@receiver(core_signals.get_top_notifications)
def get_top_notifications(sender, include_all, **kwargs):
    return [
        {
            "id": "example",
            "url": reverse("example_plugin:index"),
            "text": "Notes to read",
            "level": "info",
            "counter": 3,
        },
        {"id": "over"},
    ]


@receiver(core_signals.extra_static_content)
def extra_static_content(sender, caller, st_type, user, **kwargs):
    if caller != "top":
        return None
    if st_type == "css":
        return format_html('<link rel="stylesheet" href="{}">', static("example_plugin/example.css"))
    return format_html('<script src="{}" defer></script>', static("example_plugin/example.js"))


@receiver(core_signals.extra_admin_dashboard_widgets)
def extra_admin_dashboard_widgets(sender, user, **kwargs):
    text = param_tools.get_global_parameter("greeting", app="example_plugin")
    return [
        {"column": "left", "template": "example_plugin/widget.html", "context": {"text": f"{text}, {user}"}},
        {"column": "right", "template": "example_plugin/broken.html", "context": {}},
    ]


@receiver(admin_signals.extra_admin_content)
def extra_admin_content(sender, user, location, currentpage, **kwargs):
    return [format_html('<p class="card card-body">Example on {}</p>', currentpage)]


# --- accounts ------------------------------------------------------------------------------------------------------


@receiver(core_signals.extra_account_actions)
def extra_account_actions(sender, account, **kwargs):
    return [
        {
            "name": "example",
            "url": f"{reverse('example_plugin:index')}?account={account.pk}",
            "title": "Example action",
            "img": "fa fa-star",
        }
    ]


@receiver(core_signals.account_exported)
def account_exported(sender, user, **kwargs):
    """Cells are ``name=value``."""
    found = AccountNote.objects.filter(account_id=user.pk).first()
    return [f"note={found.text}"] if found else []


@receiver(admin_signals.extra_account_dashboard_widgets)
def extra_account_dashboard_widgets(sender, user, account, **kwargs):
    return [
        {"column": "right", "template": "example_plugin/widget.html", "context": {"text": f"About {account}"}}
    ]


@receiver(admin_signals.extra_account_forms)
def extra_account_forms(sender, user, account=None, **kwargs):
    return [
        {"id": "note", "title": "Example note", "cls": forms.AccountNoteForm},
        {"id": "hidden", "title": "Hidden tab", "cls": forms.AccountNoteForm},
    ]


@receiver(admin_signals.check_extra_account_form)
def check_extra_account_form(sender, account, form, **kwargs):
    return form["id"] != "hidden"


@receiver(admin_signals.get_account_form_instances)
def get_account_form_instances(sender, user, account, **kwargs):
    return {
        "note": AccountNote.objects.filter(account_id=account.pk).first()
        or AccountNote(account_id=account.pk)
    }


# --- domains -------------------------------------------------------------------------------------------------------


@receiver(admin_signals.extra_domain_forms)
def extra_domain_forms(sender, user, domain, **kwargs):
    return [{"id": "note", "title": "Example note", "cls": forms.DomainNoteForm}]


@receiver(admin_signals.get_domain_form_instances)
def get_domain_form_instances(sender, user, domain, **kwargs):
    return {"note": DomainNote.objects.filter(domain=domain).first() or DomainNote(domain=domain)}


@receiver(admin_signals.extra_domain_wizard_steps)
def extra_domain_wizard_steps(sender, **kwargs):
    return [WizardStep("firstnote", forms.FirstNoteForm, "Example note")]


@receiver(admin_signals.extra_domain_actions)
def extra_domain_actions(sender, user, domain, **kwargs):
    return [
        {
            "name": "example",
            "url": reverse("example_plugin:domain", args=[domain.pk]),
            "title": "Example action",
            "img": "journal-text",
        }
    ]


@receiver(admin_signals.extra_domain_dashboard_widgets)
def extra_domain_dashboard_widgets(sender, user, domain, **kwargs):
    return [
        {
            "column": "left",
            "template": "example_plugin/widget.html",
            "context": {"text": f"<b>About</b> {domain}"},
        }
    ]


@receiver(admin_signals.extra_domain_menu_entries)
def extra_domain_menu_entries(sender, user, **kwargs):
    return [
        {
            "name": "example",
            "label": "Example of domains",
            "url": reverse("example_plugin:index"),
            "img": "journal-text",
        }
    ]


@receiver(admin_signals.extra_domain_types)
def extra_domain_types(sender, **kwargs):
    return [("noted", "With a note")]


@receiver(admin_signals.extra_domain_filters)
def extra_domain_filters(sender, **kwargs):
    return ["colourfilter"]


@receiver(admin_signals.extra_domain_qset_filters)
def extra_domain_qset_filters(sender, domfilter, extrafilters, **kwargs):
    filters = {}
    if domfilter == "noted":
        filters["example_note__isnull"] = False
    if "colourfilter" in extrafilters:
        filters["example_note__colour__name"] = extrafilters["colourfilter"]
    return filters


@receiver(admin_signals.get_domain_tags)
def get_domain_tags(sender, domain, **kwargs):
    """Asked for each domain of a page, so it must not ask the database each time."""
    colour = colours_by_domain().get(domain.pk)
    return [{"name": colour, "label": colour, "type": "colour", "color": "success"}] if colour else []


def colours_by_domain():
    """All of them, read once for each request."""
    request = get_request()
    found = getattr(request, "example_colours", None)
    if found is None:
        notes = DomainNote.objects.exclude(colour=None)
        found = dict(notes.values_list("domain_id", "colour__name"))
        if request is not None:
            request.example_colours = found
    return found


# --- files ---------------------------------------------------------------------------------------------------------


class NotedDomains:
    """A map file for Postfix."""

    filename = "sql-example-notes.cf"
    postgres = mysql = sqlite = (
        "SELECT n.text FROM example_plugin_domainnote n "
        "JOIN admin_domain d ON d.id = n.domain_id WHERE d.name = '%s'"
    )


@receiver(core_signals.register_postfix_maps)
def register_postfix_maps(sender, **kwargs):
    return [NotedDomains]


@receiver(admin_signals.import_object)
def import_object(sender, objtype, **kwargs):
    return import_colour if objtype == "colour" else None


def import_colour(user, row, formopts):
    """Understand ``colour;red``."""
    if len(row) != 2 or not row[1]:
        raise BadRequest("A colour has a name.")
    Colour.objects.create(name=row[1])


# --- roles ---------------------------------------------------------------------------------------------------------

PERMISSIONS = {
    "Resellers": [
        ("example_plugin", "domainnote", "add_domainnote"),
        ("example_plugin", "domainnote", "change_domainnote"),
    ]
}


@receiver(core_signals.extra_role_permissions)
def extra_role_permissions(sender, role, **kwargs):
    return PERMISSIONS.get(role, [])
