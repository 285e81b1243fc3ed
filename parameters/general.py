"""The tab "General": parameters of the core."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.hashing_policy import HashingPolicy
from core.passwords import MAX_ROUNDS, MIN_ROUNDS, SCHEMES
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
    random_password_length = forms.IntegerField(
        label=_("Length of random passwords"), min_value=8, max_value=128, initial=12
    )
    items_per_page = forms.IntegerField(label=_("Items per page"), min_value=5, max_value=500, initial=30)


def hashing_policy() -> HashingPolicy:
    """The scheme that the parameters name."""
    return HashingPolicy(
        scheme=get_global_parameter("password_scheme", "core"),
        rounds=get_global_parameter("rounds_number", "core"),
        random_length=get_global_parameter("random_password_length", "core"),
    )
