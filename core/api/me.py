"""``/api/v1/me/``."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core import token_domains
from core.api.endpoints import Endpoint
from core.models import ApiToken
from core.token_use import TokenUse


class MeShape(serializers.Serializer[Any]):
    """Who asks, and by which token."""

    pk = serializers.IntegerField()
    username = serializers.CharField()
    role = serializers.CharField()
    email = serializers.CharField(help_text="Address of the mailbox; blank without one.")
    token = serializers.CharField(allow_null=True, help_text="Name of the token; null in a browser.")
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    domains = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Where alone the token works; null: everywhere.",
    )
    expires_at = serializers.DateTimeField(allow_null=True)


class Me(Endpoint):
    """Who the panel takes the client for."""

    http_method_names = ("get", "head")
    shape = MeShape

    def get(self, request: Request) -> Response:
        """Any token may ask."""
        user = self.actor.user
        token = request.auth.token if isinstance(request.auth, TokenUse) else None
        return Response(
            {
                "pk": user.pk,
                "username": user.username,
                "role": user.role,
                "email": user.email,
                "token": token and token.name,
                "scopes": token and token.scopes,
                "domains": token and _names_of_domains(token),
                "expires_at": token and token.expires_at and token.expires_at.isoformat(),
            }
        )


def _names_of_domains(token: ApiToken) -> list[str] | None:
    return None if token.domains is None else sorted(token_domains.names_of(token.domains).values())
