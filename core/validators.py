"""Password validators beyond Django's own, for AUTH_PASSWORD_VALIDATORS."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

from django.core.exceptions import ValidationError
from django.utils.translation import ngettext

if TYPE_CHECKING:
    from collections.abc import Callable

SPECIALS: Final = frozenset(string.punctuation)


class ComplexityValidator:
    """At least so many capitals, small letters, digits and ASCII punctuation marks; 0 asks for none.

    Letters and digits of every script count.
    """

    def __init__(self, upper: int = 1, lower: int = 1, digits: int = 1, specials: int = 0) -> None:
        self.upper = upper
        self.lower = lower
        self.digits = digits
        self.specials = specials

    def validate(self, password: str, user: object = None) -> None:  # noqa: ARG002 - Django's signature
        """Raise one ValidationError with everything that is missing."""
        errors = [
            ValidationError(message, code=code)
            for code, least, belongs, message in self._demands()
            if sum(map(belongs, password)) < least
        ]
        if errors:
            raise ValidationError(errors)

    def get_help_text(self) -> str:
        """What is asked for, as sentences."""
        return " ".join(message for _code, least, _belongs, message in self._demands() if least > 0)

    def _demands(self) -> list[tuple[str, int, Callable[[str], bool], str]]:
        """Code, least number, who belongs to the class, and the sentence that asks for it."""
        return [
            (
                "password_no_upper",
                self.upper,
                str.isupper,
                ngettext(
                    "The password needs at least %(count)d capital letter.",
                    "The password needs at least %(count)d capital letters.",
                    self.upper,
                )
                % {"count": self.upper},
            ),
            (
                "password_no_lower",
                self.lower,
                str.islower,
                ngettext(
                    "The password needs at least %(count)d small letter.",
                    "The password needs at least %(count)d small letters.",
                    self.lower,
                )
                % {"count": self.lower},
            ),
            (
                "password_no_digit",
                self.digits,
                str.isdecimal,
                ngettext(
                    "The password needs at least %(count)d digit.",
                    "The password needs at least %(count)d digits.",
                    self.digits,
                )
                % {"count": self.digits},
            ),
            (
                "password_no_special",
                self.specials,
                SPECIALS.__contains__,
                ngettext(
                    "The password needs at least %(count)d of these characters: %(characters)s",
                    "The password needs at least %(count)d of these characters: %(characters)s",
                    self.specials,
                )
                % {"count": self.specials, "characters": string.punctuation},
            ),
        ]
