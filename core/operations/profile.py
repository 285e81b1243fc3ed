"""What a person may write about himself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from core.models import User
    from core.refusals import Refusals

_TEXT_LIMITS = {"first_name": 150, "last_name": 150, "phone_number": 128, "secondary_email": 254}


def check_profile(account: User, refusals: Refusals, position: int) -> None:
    """Lengths, printable characters, the form of the secondary address, and a language that the panel speaks."""
    for field, limit in _TEXT_LIMITS.items():
        text = getattr(account, field)
        if len(text) > limit:
            message = _("At most %(limit)d characters fit here.") % {"limit": limit}
            refusals.add(position, field, "too_long", message)
        elif not text.isprintable():
            refusals.add(
                position,
                field,
                "hidden_character",
                _("This contains an invisible character; remove it."),
            )
    if account.secondary_email:
        try:
            validate_email(account.secondary_email)
        except ValidationError:
            refusals.add(
                position,
                "secondary_email",
                "invalid_email",
                _("Enter an e-mail address, for example name@example.com."),
            )
    if account.language and account.language not in dict(settings.LANGUAGES):
        refusals.add(position, "language", "unknown_language", _("The panel does not speak this language."))
