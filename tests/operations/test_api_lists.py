"""A list without pages says the same as its pages, however it is read from the database."""

from __future__ import annotations

import pytest

from admin.operations import AliasSpec, create_aliases, create_domain
from core import streaming
from core.operations.tokens import create_token
from tests.cast import PASSWORD, Cast
from tests.contracts.api_client import Program


@pytest.mark.parametrize(
    "path",
    [
        "domains/?ordering=-name",
        "domains/?ordering=quota",
        "accounts/",
        "accounts/?ordering=-role",
        "aliases/?search=a",
        "aliases/",
        "quotas/?ordering=-used_bytes",
        "logs/",
    ],
)
def test_a_whole_list_is_its_pages_one_after_the_other(
    cast: Cast, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_CHUNK", 2)
    for number in range(3):
        create_domain(cast.root, name=f"d{number}.example")
    recipients = ("x@elsewhere.example",)
    create_aliases(
        cast.root, [AliasSpec(address=f"a{n}@dora.example", recipients=recipients) for n in range(5)]
    )
    create_token(cast.root, name="x", scopes=["domains:read"], current_password=PASSWORD)
    root, sign = Program(cast.root), "&" if "?" in path else "?"
    whole = root.get(f"/{path}").value
    pages = [root.get(f"/{path}{sign}page_size=3&page={number}").value for number in range(1, 12)]
    assert len(whole) > 2
    assert whole == [row for page in pages for row in page]
