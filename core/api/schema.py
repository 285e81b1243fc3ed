"""How endpoints describe themselves: what they read, answer and refuse, from what they are."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from core.api.endpoints import Endpoint, ItemEndpoint, ListEndpoint
from core.api.listing import Listing


class ErrorShape(serializers.Serializer[Any]):
    """What is wrong: detail and code, or messages by field with codes beside them."""

    detail = serializers.CharField(required=False, help_text="A sentence.")
    code = serializers.CharField(required=False, help_text="Stable; programs compare this.")
    codes = serializers.DictField(required=False, help_text="Codes by field; messages stand under the field.")


_VERBS: Final = {
    "GET": "Read",
    "POST": "Create",
    "PUT": "Replace",
    "PATCH": "Change",
    "DELETE": "Delete",
}
_ERRORS: Final = {
    400: "What was sent is wrong; a batch is answered with one entry for each of its objects.",
    401: "No token, or none that works.",
    403: "The role or the scopes do not allow this.",
    404: "There is nothing of the kind, or not for you.",
    409: "Somebody else changed the same thing, or it is there already.",
    412: "If-Match names another state; the present one is answered.",
    413: "The body is too large.",
    422: "The Idempotency-Key was used with another body.",
    424: "The pool of the reseller does not hold this much.",
    429: "Too many requests; Retry-After says how long to wait.",
}


class EndpointSchema(AutoSchema):
    """The library asks a view about these things."""

    view: Any

    def get_summary(self) -> str | None:
        """The verb and what the endpoint is about."""
        subject = (type(self.view).__doc__ or "").splitlines()[0].rstrip(".")
        if self.method == "POST":
            subject = f"{subject.removesuffix(' that you see')}, one or a list of them"
        return f"{_VERBS[self.method]}: {subject[:1].lower()}{subject[1:]}"

    def get_operation_id(self) -> str:
        """As routes are named."""
        noun = self.path.strip("/").removeprefix("api/v1/").partition("/")[0]
        rest = [part for part in self.path.strip("/").split("/")[3:] if not part.startswith("{")]
        what = (
            "list"
            if self._is_list_view()
            else {"GET": "retrieve", "PUT": "update"}.get(self.method, _VERBS[self.method].lower())
        )
        return "_".join((noun, *rest, what))

    def _is_list_view(self, serializer: Any = None) -> bool:  # noqa: ARG002  the library's signature
        return self.method == "GET" and isinstance(getattr(self.view, "listing", None), Listing)

    def get_request_serializer(self) -> Any:
        """What is sent."""
        return None if self.method in {"GET", "DELETE"} else self.view.shape

    def get_response_serializers(self) -> Any:
        """What is answered, and how it is refused."""
        answers: dict[int, Any] = {}
        if self.method == "DELETE":
            answers[204] = OpenApiResponse(description="It is gone.")
        elif self.path.endswith("/password/"):
            answers[200] = OpenApiResponse(description="The password is changed.")
        elif self.method == "POST":
            answers[201] = self.view.shape
        else:
            answers[200] = self.view.shape(many=True) if self._is_list_view() else self.view.shape
        return answers | {
            code: OpenApiResponse(ErrorShape, description=_ERRORS[code]) for code in self._refusals()
        }

    def _refusals(self) -> list[int]:
        codes = {400, 401, 403, 429, *getattr(self.view, "statuses", {}).values()}
        if self.method == "GET":
            codes -= {409, 424, 404}
        if "{" in self.path:
            codes.add(404)
        if self.method in {"POST", "PUT", "PATCH"}:
            codes |= {409, 413}
        if self.method == "POST":
            codes.add(422)
        if self.method in {"PUT", "PATCH", "DELETE"} and isinstance(self.view, ItemEndpoint):
            codes.add(412)
        return sorted(codes)

    def get_override_parameters(self) -> Any:
        """What stands in the address and in headers."""
        if self._is_list_view():
            return _of_list(self.view.listing)
        if self.path.endswith("/exists/"):
            return [OpenApiParameter("email", str, required=True, description="The address.")]
        if self.method == "GET" or not isinstance(self.view, Endpoint):
            return []
        found = [OpenApiParameter("dry_run", bool, description="Tell what would happen; change nothing.")]
        if isinstance(self.view, ListEndpoint):
            words = "Carried out once in 24 hours, however often it is sent."
            found.append(OpenApiParameter("Idempotency-Key", str, "header", description=words))
        elif isinstance(self.view, ItemEndpoint):
            words = "ETag of the state that is to be changed."
            found.append(OpenApiParameter("If-Match", str, "header", description=words))
        return found

    def get_examples(self) -> list[OpenApiExample]:
        """One request."""
        example = getattr(self.view, "example", None)
        if not example or self.method in {"GET", "DELETE"}:
            return []
        return [OpenApiExample("Request", value=dict(example), request_only=True)]


def _of_list(listing: Listing) -> list[OpenApiParameter]:
    order = f"-?({'|'.join(listing.orders)})"
    found = [OpenApiParameter(name, str, description="Only these.") for name in listing.filters]
    if listing.search is not None:
        found.append(OpenApiParameter("search", str, description="Beginning of a name or address."))
    return [
        *found,
        OpenApiParameter(
            "ordering",
            str,
            pattern=f"^({order}(,{order})*)?$",
            description=f"By {', '.join(listing.orders)}; - the other way round.",
        ),
        OpenApiParameter("fields", str, description=f"Only these of {', '.join(listing.fields)}."),
        OpenApiParameter("page", int, description="From 1; with Link and X-Total-Count in the answer."),
        OpenApiParameter("page_size", int, description="Up to 1000; 50."),
    ]
