"""The tab "General": parameters of the core."""

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from core.hashing_policy import HashingPolicy
from core.mailing import DEFAULT_SENDER
from core.passwords import DEFAULT_SCHEME, MAX_ROUNDS, MIN_ROUNDS, SCHEMES, PasswordError, check_secret
from parameters.forms import AdminParametersForm
from parameters.tools import get_global_parameter


class GeneralParametersForm(AdminParametersForm):
    """Sign-in, lists and languages."""

    app = "core"

    password_scheme = forms.ChoiceField(
        label=_("Default password scheme"),
        # Weak schemes verify old hashes, and are replaced at sign-in; nobody can choose them.
        choices=[(scheme.name, scheme.label) for scheme in SCHEMES.values() if not scheme.weak],
        initial="sha512crypt",
    )
    rounds_number = forms.IntegerField(
        label=_("Rounds"), min_value=MIN_ROUNDS, max_value=MAX_ROUNDS, initial=70_000
    )
    default_password = forms.CharField(
        label=_("Default password"),
        help_text=_(
            "Offered for the administrator of a new domain. Without one, each gets a random password."
        ),
        required=False,
        initial="",
        strip=False,
    )
    random_password_length = forms.IntegerField(
        label=_("Length of random passwords"), min_value=8, max_value=128, initial=12
    )
    sender_address = forms.EmailField(
        label=_("Sender address"),
        initial=DEFAULT_SENDER,
        help_text=_("What the panel's own mail comes from."),
    )
    log_maximum_age = forms.IntegerField(
        label=_("Days in the log"),
        help_text=_("How long events are kept; the command cleanlogs deletes older ones."),
        min_value=1,
        initial=365,
    )
    inactive_account_threshold = forms.IntegerField(
        label=_("Inactive after days"),
        help_text=_(
            "How long nobody signs in before the command clean_inactive_accounts takes an account for inactive."
        ),
        min_value=1,
        initial=30,
    )
    items_per_page = forms.IntegerField(label=_("Items per page"), min_value=5, max_value=500, initial=30)

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
