"""Names that nobody but a super admin may add."""

from __future__ import annotations

import pytest

from admin.reserved_names import is_reserved

OWN = ("panel.hosting.example", "localhost")


@pytest.mark.parametrize(
    "name",
    [
        "co.uk",
        "gov.uk",
        "com.au",
        "k12.ca.us",
        "github.io",
        "xn--fiqs8s",
        "gmail.com",
        "mail.gmail.com",
        "a.b.web.de",
        "panel.hosting.example",
        "hosting.example",
        "example",
    ],
)
def test_a_name_that_no_customer_owns_is_reserved(name: str) -> None:
    assert is_reserved(name, OWN)


@pytest.mark.parametrize(
    "name",
    [
        "customer.co.uk",
        "customer.example",
        "notgmail.com",
        "gmail.com.customer.example",
        "other.hosting.example",
        "mail.panel.hosting.example",
        "anel.hosting.example",
        "xn--bcher-kva.example",
    ],
)
def test_any_other_name_is_free(name: str) -> None:
    assert not is_reserved(name, OWN)
