"""The complexity of passwords, class by class."""

from __future__ import annotations

import string

import pytest
from django.contrib.auth.password_validation import get_password_validators, validate_password
from django.core.exceptions import ValidationError
from django.utils import translation

from core.validators import ComplexityValidator


def codes(password: str, **options: int) -> set[str | None]:
    try:
        ComplexityValidator(**options).validate(password)
    except ValidationError as error:
        return {each.code for each in error.error_list}
    return set()


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("Toto1234", set()),
        ("toto1234", {"password_no_upper"}),
        ("TOTO1234", {"password_no_lower"}),
        ("Totototo", {"password_no_digit"}),
        ("1234", {"password_no_upper", "password_no_lower"}),
        ("", {"password_no_upper", "password_no_lower", "password_no_digit"}),
        ("Ééé٣", set()),
    ],
)
def test_by_default_a_capital_a_small_letter_and_a_digit_are_asked_for(
    password: str, missing: set[str]
) -> None:
    assert codes(password) == missing


def test_specials_are_asked_for_when_configured() -> None:
    assert codes("Toto1234", specials=1) == {"password_no_special"}
    for mark in string.punctuation:
        assert codes(f"Toto1234{mark}", specials=1) == set()
    assert codes("Toto1234 é§", specials=1) == {"password_no_special"}


def test_each_number_is_a_least_number() -> None:
    options = {"upper": 2, "lower": 2, "digits": 2, "specials": 2}
    assert codes("ABab12!?", **options) == set()
    assert codes("Aab1!", **options) == {"password_no_upper", "password_no_digit", "password_no_special"}


def test_nothing_is_asked_for_when_all_numbers_are_zero() -> None:
    options = {"upper": 0, "lower": 0, "digits": 0, "specials": 0}
    assert codes("", **options) == set()
    assert ComplexityValidator(**options).get_help_text() == ""


def test_messages_say_how_many_in_singular_and_plural() -> None:
    with translation.override("en"):
        assert "at least 1 capital letter." in ComplexityValidator().get_help_text()
        with pytest.raises(ValidationError) as refusal:
            ComplexityValidator(upper=3, specials=1).validate("toto1234")
    assert refusal.value.messages == [
        "The password needs at least 3 capital letters.",
        f"The password needs at least 1 of these characters: {string.punctuation}",
    ]


def test_django_finds_and_runs_the_validator() -> None:
    validators = get_password_validators(
        [{"NAME": "core.validators.ComplexityValidator", "OPTIONS": {"digits": 2}}]
    )
    validate_password("Toto12", password_validators=validators)
    with pytest.raises(ValidationError):
        validate_password("Toto1", password_validators=validators)
