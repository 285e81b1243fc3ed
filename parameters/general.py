"""The tab "General": parameters of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from core.extensions import exts_pool
from core.form_rendering import VERBATIM, PasswordBox, UnitInput
from core.hashing_policy import HashingPolicy
from core.mailing import DEFAULT_SENDER
from core.passwords import DEFAULT_SCHEME, MAX_ROUNDS, MIN_ROUNDS, SCHEMES, PasswordError, check_secret
from parameters.forms import AdminParametersForm, SeparatorField
from parameters.tools import get_global_parameter

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

_LOGIN_NAME: Final = "%(user)s"
_SECRET_LENGTHS: Final = (16, 24, 32)
_MAX_PORT: Final = 65_535
_MOST_DAYS: Final = 36_500
_A_DAY_S: Final = 86_400


def _first_pages() -> list[tuple[str, _StrOrPromise]]:
    """Where people may arrive: their own pages, or those of a plugin that says where it begins."""
    plugins = [each for each in exts_pool.list_all() if each["topredirection_url"]]
    return [("user", _("My account")), *((each["name"], each["label"]) for each in plugins)]


class GeneralParametersForm(AdminParametersForm):
    """Sign-in, passwords, mail of the panel, lists, the public API and logs."""

    app = "core"

    sep_authentication = SeparatorField(label=_("Authentication"))
    authentication_type = forms.ChoiceField(
        label=_("Authentication type"),
        choices=[("local", _("Local")), ("ldap", _("LDAP"))],
        initial="local",
        help_text=_("Where passwords are checked."),
    )
    password_scheme = forms.ChoiceField(
        label=_("Default password scheme"),
        # Weak schemes verify old hashes, and are replaced at sign-in; nobody can choose them.
        choices=[(scheme.name, scheme.label) for scheme in SCHEMES.values() if not scheme.weak],
        initial="sha512crypt",
        help_text=_("How new passwords are kept. Others are converted when their owners sign in."),
    )
    rounds_number = forms.IntegerField(
        label=_("Rounds"),
        min_value=MIN_ROUNDS,
        max_value=MAX_ROUNDS,
        initial=70_000,
        help_text=_(
            "More rounds make guessing, and every sign-in, slower. Only for sha256crypt and sha512crypt."
        ),
    )
    default_password = forms.CharField(
        label=_("Default password"),
        help_text=_(
            "Offered for the administrator of a new domain. Without one, each gets a random password."
        ),
        required=False,
        initial="",
        strip=False,
        widget=PasswordBox(new=True),
    )
    random_password_length = forms.IntegerField(
        label=_("Length of random passwords"),
        min_value=8,
        max_value=128,
        initial=12,
        widget=UnitInput(_("characters")),
    )
    secret_key = forms.CharField(
        label=_("Secret key"),
        help_text=_(
            "For extensions that ask for it; the panel has its own keys elsewhere. 16, 24 or 32 characters."
        ),
        required=False,
        initial="",
        max_length=32,
        widget=PasswordBox({"autocomplete": "new-password"}),
    )

    sep_ldap = SeparatorField(label=_("LDAP"))
    ldap_server_address = forms.CharField(
        label=_("Server address"),
        initial="localhost",
        max_length=253,
        help_text=_("Name or IP address of the LDAP server."),
        widget=forms.TextInput(VERBATIM),
    )
    ldap_server_port = forms.IntegerField(
        label=_("Server port"), min_value=1, max_value=_MAX_PORT, initial=389, help_text=_("TCP port.")
    )
    ldap_secured = forms.BooleanField(
        label=_("Use a secure connection"),
        required=False,
        initial=True,
        help_text=_("TLS, with a certificate that is checked."),
    )
    ldap_auth_method = forms.ChoiceField(
        label=_("Authentication method"),
        choices=[("searchbind", _("Search and bind")), ("directbind", _("Direct bind"))],
        initial="directbind",
        help_text=_("Search for the person first, or know how his DN is made."),
    )
    ldap_bind_dn = forms.CharField(
        label=_("Bind DN"),
        required=False,
        initial="",
        max_length=1_000,
        help_text=_("Who searches. Blank: nobody, an anonymous bind."),
        widget=forms.TextInput(VERBATIM),
    )
    ldap_bind_password = forms.CharField(
        label=_("Bind password"),
        required=False,
        initial="",
        strip=False,
        max_length=1_000,
        widget=PasswordBox({"autocomplete": "new-password"}),
    )
    ldap_search_base = forms.CharField(
        label=_("Search base"),
        initial="",
        max_length=1_000,
        help_text=_("DN below which people are searched."),
        widget=forms.TextInput(VERBATIM),
    )
    ldap_search_filter = forms.CharField(
        label=_("Search filter"),
        initial="(mail=%(user)s)",
        max_length=1_000,
        help_text=_("In parentheses; %(user)s stands for the login name."),
        validators=[
            RegexValidator(r"\A\(.+\)\Z", _("Put the filter in parentheses."), code="no_parentheses")
        ],
        widget=forms.TextInput(VERBATIM),
    )
    ldap_user_dn_template = forms.CharField(
        label=_("User DN template"),
        initial="",
        max_length=1_000,
        help_text=_("DN of a person; %(user)s stands for the login name."),
        widget=forms.TextInput(VERBATIM),
    )
    ldap_password_attribute = forms.CharField(
        label=_("Password attribute"),
        initial="userPassword",
        max_length=100,
        help_text=_("Attribute in which passwords are kept."),
        widget=forms.TextInput(VERBATIM),
    )
    ldap_is_active_directory = forms.BooleanField(label=_("Active Directory"), required=False, initial=False)
    ldap_admin_groups = forms.CharField(
        label=_("Administrator groups"),
        required=False,
        initial="",
        max_length=1_000,
        help_text=_("Members become domain administrators. Separate the names of groups by “;”."),
        widget=forms.TextInput(VERBATIM),
    )
    ldap_group_type = forms.ChoiceField(
        label=_("Group type"),
        choices=[("posixgroup", "PosixGroup"), ("groupofnames", "GroupOfNames")],
        initial="posixgroup",
    )
    ldap_groups_search_base = forms.CharField(
        label=_("Groups search base"),
        required=False,
        initial="",
        max_length=1_000,
        help_text=_("DN below which groups are searched."),
        widget=forms.TextInput(VERBATIM),
    )

    sep_dashboard = SeparatorField(label=_("Dashboard"))
    rss_feed_url = forms.URLField(
        label=_("Custom news feed"),
        required=False,
        initial="",
        assume_scheme="https",
        help_text=_("RSS feed for resellers and domain administrators."),
    )
    hide_features_widget = forms.BooleanField(
        label=_("Hide the features widget"),
        required=False,
        initial=False,
        help_text=_("Resellers and domain administrators do not see it."),
    )

    sep_notifications = SeparatorField(label=_("Notifications"))
    sender_address = forms.EmailField(
        label=_("Sender address"),
        initial=DEFAULT_SENDER,
        help_text=_("What the panel's own mail comes from."),
    )

    sep_api = SeparatorField(label=_("Public API"))
    enable_api_communication = forms.BooleanField(
        label=_("Enable communication"),
        required=False,
        initial=False,
        help_text=_("The panel talks to Modoboa's public API."),
    )
    check_new_versions = forms.BooleanField(
        label=_("Check new versions"),
        required=False,
        initial=True,
        help_text=_("Look for newer versions of the panel and its extensions."),
    )
    send_statistics = forms.BooleanField(
        label=_("Send statistics"),
        required=False,
        initial=True,
        help_text=_("Numbers of domains, mailboxes and aliases, and which extensions are used."),
    )

    sep_misc = SeparatorField(label=_("Lists and logs"))
    items_per_page = forms.IntegerField(
        label=_("Items per page"),
        min_value=5,
        max_value=500,
        initial=30,
        help_text=_("Rows of a list."),
        widget=UnitInput(_("rows")),
    )
    inactive_account_threshold = forms.IntegerField(
        label=_("Inactive accounts"),
        min_value=1,
        max_value=_MOST_DAYS,
        initial=30,
        help_text=_(
            "How long nobody has signed in to an account that clean_inactive_accounts takes for inactive."
        ),
        widget=UnitInput(_("days")),
    )
    top_notifications_check_interval = forms.IntegerField(
        label=_("Top notifications check interval"),
        min_value=1,
        max_value=_A_DAY_S,
        initial=30,
        help_text=_("How often an open page asks for notifications."),
        widget=UnitInput(_("seconds")),
    )
    log_maximum_age = forms.IntegerField(
        label=_("Maximum log record age"),
        min_value=1,
        max_value=_MOST_DAYS,
        initial=365,
        help_text=_("The command cleanlogs removes older events."),
        widget=UnitInput(_("days")),
    )
    default_top_redirection = forms.ChoiceField(
        label=_("Default top redirection"),
        choices=_first_pages,
        initial="user",
        help_text=_("Where people without administrative rights arrive after signing in."),
    )

    visibility_rules = {
        "ldap_server_address": "authentication_type=ldap",
        "ldap_server_port": "authentication_type=ldap",
        "ldap_secured": "authentication_type=ldap",
        "ldap_auth_method": "authentication_type=ldap",
        "ldap_password_attribute": "authentication_type=ldap",
        "ldap_is_active_directory": "authentication_type=ldap",
        "ldap_admin_groups": "authentication_type=ldap",
        "ldap_group_type": "authentication_type=ldap",
        "ldap_groups_search_base": "authentication_type=ldap",
        "ldap_bind_dn": "ldap_auth_method=searchbind",
        "ldap_bind_password": "ldap_auth_method=searchbind",
        "ldap_search_base": "ldap_auth_method=searchbind",
        "ldap_search_filter": "ldap_auth_method=searchbind",
        "ldap_user_dn_template": "ldap_auth_method=directbind",
        "check_new_versions": "enable_api_communication=True",
        "send_statistics": "enable_api_communication=True",
    }

    def clean_default_password(self) -> str:
        """As good as any other password; none is offered when it is blank."""
        secret: str = self.cleaned_data["default_password"]
        if not secret:
            return ""
        try:
            check_secret(secret, self.cleaned_data.get("password_scheme", DEFAULT_SCHEME))
        except PasswordError as error:
            raise forms.ValidationError(error.message, code=error.code) from error
        validate_password(secret)
        return secret

    def clean_secret_key(self) -> str:
        """Keys of AES have these lengths."""
        key: str = self.cleaned_data["secret_key"]
        if key and len(key) not in _SECRET_LENGTHS:
            raise forms.ValidationError(_("A key has 16, 24 or 32 characters."), code="wrong_length")
        return key

    def clean_ldap_user_dn_template(self) -> str:
        """The login name, and nothing else, can be put in."""
        template: str = self.cleaned_data["ldap_user_dn_template"]
        others = template.replace("%%", "").replace(_LOGIN_NAME, "")
        if template and (_LOGIN_NAME not in template or "%" in others):
            message = _("Put the placeholder of the login name in, as it is shown here, and no other one.")
            raise forms.ValidationError(message, code="wrong_template")
        return template


def hashing_policy() -> HashingPolicy:
    """The scheme that the parameters name."""
    return HashingPolicy(
        scheme=get_global_parameter("password_scheme", "core"),
        rounds=get_global_parameter("rounds_number", "core"),
        random_length=get_global_parameter("random_password_length", "core"),
    )


def sender_address() -> str:
    """What mail of the panel itself comes from."""
    return str(get_global_parameter("sender_address", "core"))
