"""A program that uses the API with a token."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django.http import HttpResponseBase
from django.test import Client

from core.actor import Actor, Credential
from core.models import Scope
from core.operations.tokens import create_token

EVERYTHING = tuple(Scope.values)
ROOT = "/api/v1"


class Program:
    """Speaks JSON, as *actor* or as nobody."""

    def __init__(self, actor: Actor | None, scopes: tuple[str, ...] = EVERYTHING, **token: Any) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers: dict[str, str] = {}
        if actor is not None:
            owner = replace(actor, credential=Credential.COMMAND)
            self.new = create_token(owner, name="program", scopes=scopes, **token)
            self.headers["Authorization"] = f"Token {self.new.clear}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer, with its JSON in ``.value`` (None without a body)."""
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        call = getattr(self.client, method.lower())
        answer: Any = call(f"{ROOT}{path}", headers=self.headers | named, **sent)
        answer.value = value_of(answer)
        return answer

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("get", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("post", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("put", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("patch", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.ask("delete", path, **headers)


def value_of(answer: HttpResponseBase) -> Any:
    """Its JSON."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]  # one of the two
    return json.loads(content) if content and "json" in answer.headers["Content-Type"] else None
