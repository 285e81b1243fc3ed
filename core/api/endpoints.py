"""What every endpoint does: know the actor, list, create, change, delete; each write is an operation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import background
from core.actor import Actor
from core.api.authentication import TokenRate, WithinScopes, actor_of
from core.api.errors import KeyReused, refused
from core.api.listing import Listing, Row, answer_list, to_json, truth
from core.api.parsing import check_query, check_size, check_values
from core.api.rendering import Written
from core.editing import newest_event
from core.idempotency import KeyReusedError, once
from core.refusals import Reason, Refusal

_MOST_AT_ONCE: Final = 1000
_LONGEST_KEY: Final = 200
# What a column of keys holds.
LARGEST_KEY: Final = 2**63 - 1


class Endpoint(APIView):
    """One address. *areas*: what scopes of a token are about; *beside*: fields of refusals under their names here."""

    http_method_names: Sequence[str] = ("get", "head", "post", "put", "patch", "delete")
    permission_classes = (WithinScopes,)
    throttle_classes = (TokenRate,)
    areas: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, str]] = {}
    # Fields of refusals with these codes.
    beside_codes: ClassVar[Mapping[str, str]] = {}
    statuses: ClassVar[Mapping[str, int]] = {}
    # Of what is answered, and (but for further addresses) sent; an example of the latter.
    shape: ClassVar[type[serializers.Serializer[Any]] | None] = None
    example: ClassVar[Mapping[str, Any]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what no endpoint reads."""
        check_size(request)
        check_query(request.query_params)
        super().initial(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return actor_of(self.request)

    def sent(self) -> Any:
        """The body, whatever its form; texts in forms are checked as those in JSON are."""
        data = self.request.data
        if hasattr(data, "lists"):
            check_values([[name, *values] for name, values in data.lists()])
        return data

    def write(self, work: Callable[[], Response], *, size: int | None = None) -> Response:
        """Answer *work*; with ``?dry_run=1`` everything is as if, and nothing stays."""
        rehearsal = truth(self.request.query_params.get("dry_run", "0"))
        try:
            if not rehearsal:
                return work()
            with background.muted(), transaction.atomic():
                response = work()
                transaction.set_rollback(True)
        except Refusal as refusal:
            response = refused(refusal, size=size, place=self._place, statuses=self.statuses)
        if rehearsal:
            response["X-Dry-Run"] = "1"
        return response

    def _place(self, reason: Reason) -> str:
        return self.beside_codes.get(reason.code) or self.beside.get(reason.field, reason.field)


class Resource(Endpoint):
    """A kind of object. *kind*: its name in the event log."""

    kind: ClassVar[str]

    def rows(self) -> QuerySet[Any]:
        """What the actor sees."""
        raise NotImplementedError

    def present(self, rows: Sequence[Any]) -> list[Row]:
        """Objects as they are answered."""
        raise NotImplementedError

    def may_write(self) -> bool:
        """Whether the role of the actor has the feature; operations say the rest."""
        raise NotImplementedError

    def require_writer(self) -> None:
        """Answer 403 to those whose role lacks the feature, before anything is looked up."""
        if not self.may_write():
            raise PermissionDenied

    def parse(self, data: Any, *, partial: bool = False, target: Any = None) -> Any:
        """Checked values of one object, or of each in a list."""
        assert self.shape is not None  # noqa: S101  every resource has one
        shape = self.shape(
            data=data, many=isinstance(data, list), partial=partial, context={"target": target}
        )
        shape.is_valid(raise_exception=True)
        return shape.validated_data


class ListEndpoint(Resource):
    """All objects of a kind, and new ones."""

    http_method_names: Sequence[str] = ("get", "head", "post")
    listing: ClassVar[Listing]

    def create(self, batch: Sequence[Row]) -> Sequence[Any]:
        """Create, all or nothing; what is new."""
        raise NotImplementedError

    def get(self, request: Request) -> HttpResponseBase:
        """A plain array."""
        return answer_list(request, self.rows(), self.listing, self.present)

    def post(self, request: Request) -> Response:
        """One object, or a list of them: all or nothing."""
        self.require_writer()
        key = request.headers.get("Idempotency-Key", "")
        if not key or truth(request.query_params.get("dry_run", "0")):
            return self._post()
        if len(key) > _LONGEST_KEY:
            raise exceptions.ValidationError({"non_field_errors": ["This Idempotency-Key is too long."]})
        body = bytes(request._request.body)  # noqa: SLF001  before anything is parsed: the bytes that were sent
        return self._once(key, body)

    def _once(self, key: str, body: bytes) -> Response:
        failures: list[Response] = []

        def work() -> tuple[int, str]:
            response = self._post()
            if response.status_code != status.HTTP_201_CREATED:
                failures.append(response)
                raise _NothingToKeepError
            return response.status_code, to_json(response.data)

        who = f"{self.actor.credential} {getattr(self.request.auth, 'token', self.actor.user).pk}"
        try:
            (code, text), is_repetition = once(who, self.request.get_full_path(), key, body, work)
        except KeyReusedError as error:
            raise KeyReused from error
        except _NothingToKeepError:
            return failures[0]
        response = Response(Written(text), code)
        if is_repetition:
            response["Idempotent-Replayed"] = "true"
        return response

    def _post(self) -> Response:
        data = self.sent()
        many = isinstance(data, list)
        if many and len(data) > _MOST_AT_ONCE:
            message = f"At most {_MOST_AT_ONCE} at once."
            raise exceptions.ValidationError({"non_field_errors": [message]}, code="too_many")
        values = self.parse(data)
        batch = values if many else [values]

        def work() -> Response:
            shown = self.present(self.create(batch) if batch else [])
            response = Response(shown if many else shown[0], status.HTTP_201_CREATED)
            if not many:
                response["ETag"] = entity_tag(shown[0])
            return response

        return self.write(work, size=len(batch) if many else None)


class ItemEndpoint(Resource):
    """One object."""

    http_method_names: Sequence[str] = ("get", "head", "put", "patch", "delete")

    def change(self, target: Any, values: Row, seen: int | None) -> None:
        """Change *target*; *seen* as operations have it."""
        raise NotImplementedError

    def remove(self, target: Any) -> None:
        """Delete *target*."""
        raise NotImplementedError

    def load(self, pk: int) -> Any:
        """The object, or 404."""
        target = self.rows().filter(pk=pk).first() if pk <= LARGEST_KEY else None
        if target is None:
            raise Http404
        return target

    def get(self, request: Request, pk: int) -> Response:
        """The object, with its entity tag."""
        shown = self.present([self.load(pk)])[0]
        if request.headers.get("If-None-Match") == entity_tag(shown):
            return self._tagged(Response(None, status.HTTP_304_NOT_MODIFIED), shown)
        return self._tagged(Response(shown), shown)

    def put(self, request: Request, pk: int) -> Response:  # noqa: ARG002  the library's signature
        """New values; optional fields that are missing stay."""
        return self._change(pk, partial=False)

    def patch(self, request: Request, pk: int) -> Response:  # noqa: ARG002  as above
        """New values for some fields."""
        return self._change(pk, partial=True)

    def delete(self, request: Request, pk: int) -> Response:  # noqa: ARG002  as above
        """Delete the object."""
        self.require_writer()
        target = self.load(pk)
        if (stale := self._stale(target)) is not None:
            return stale

        def work() -> Response:
            self.remove(target)
            return Response(None, status.HTTP_204_NO_CONTENT)

        return self.write(work)

    def _change(self, pk: int, *, partial: bool) -> Response:
        self.require_writer()
        # Before the values: what happens in between is refused by the operation.
        seen = newest_event(self.kind, pk) if "If-Match" in self.request.headers else None
        target = self.load(pk)
        if (stale := self._stale(target)) is not None:
            return stale
        data = self.sent()
        if isinstance(data, list):
            raise exceptions.ValidationError({"non_field_errors": ["One object is changed at a time."]})
        values = self.parse(data, partial=partial, target=target)

        def work() -> Response:
            self.change(target, values, seen)
            row = self.rows().filter(pk=pk).first()
            if row is None:  # it moved out of the actor's sight
                return Response(None, status.HTTP_204_NO_CONTENT)
            shown = self.present([row])[0]
            return self._tagged(Response(shown), shown)

        response = self.write(work)
        if seen is not None and isinstance(response.data, dict) and _is_stale(response.data):
            return self._present_state(self.load(pk))
        return response

    def _stale(self, target: Any) -> Response | None:
        """The present state (412) when the client asked for another one."""
        wanted = self.request.headers.get("If-Match")
        if wanted is None or wanted.strip() == "*":
            return None
        tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
        if entity_tag(self.present([target])[0]) in tags:
            return None
        return self._present_state(target)

    def _present_state(self, target: Any) -> Response:
        shown = self.present([target])[0]
        return self._tagged(Response(shown, status.HTTP_412_PRECONDITION_FAILED), shown)

    def _tagged(self, response: Response, shown: Row) -> Response:
        response["ETag"] = entity_tag(shown)
        return response


def entity_tag(shown: Row) -> str:
    """Another one for every other state."""
    return f'"{hashlib.sha256(to_json(shown).encode()).hexdigest()[:32]}"'


def _is_stale(body: Mapping[str, Any]) -> bool:
    return "changed_meanwhile" in body.get("codes", {}).get("non_field_errors", ())


class _NothingToKeepError(Exception):
    """Takes the transaction of a stored answer back."""
