"""``/docs/api/``: the page about the API, with its assets from here, and the schema that it shows."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer

from core.api.authentication import BrowserAuthentication, TokenAuthentication


class ApiSchema(SpectacularAPIView):
    """The schema, for whoever is signed in or has a token."""

    authentication_classes = (TokenAuthentication, BrowserAuthentication)
    permission_classes = (IsAuthenticated,)
    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [OpenApiJsonRenderer]  # type: ignore[misc]  # the stubs have none


class ApiPage(SpectacularSwaggerSplitView):
    """The page; a script of its own, as our content security policy asks."""

    authentication_classes = (TokenAuthentication, BrowserAuthentication)
    permission_classes = (IsAuthenticated,)
    url_name = "core:api_schema"
    template_name = "core/api_page.html"


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's
    """How the schema describes tokens."""

    target_class = "core.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002  the library's signature
        """A header."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and a token of *My account > API tokens*.",
        }


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's
    """How the schema describes sessions."""

    target_class = "core.api.authentication.BrowserAuthentication"
    name = "session"
    definition: ClassVar[dict[str, Any]] = {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "The session of a browser; changes need the header `X-CSRFToken`.",
    }

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002  as above
        """A cookie."""
        return self.definition
