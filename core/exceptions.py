"""What a plugin raises to have a request answered with a sentence and a status."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _


class ModoboaException(Exception):  # noqa: N818  documented name
    """A sentence for the person, and the HTTP status of the answer."""

    http_code: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __str__(self) -> str:
        return " ".join(str(part) for part in self.args)


class InternalError(ModoboaException):
    """Something that should work does not."""


class BadRequest(ModoboaException):
    """What was asked for makes no sense."""

    http_code = 400
    code = "bad_request"


class PermDeniedException(ModoboaException):
    """This person may not do it."""

    http_code = 403
    code = "permission_denied"

    def __str__(self) -> str:
        return super().__str__() or str(_("You may not do this."))


class NotFound(ModoboaException):
    """There is no such thing."""

    http_code = 404
    code = "not_found"


class Conflict(ModoboaException):
    """It exists already, or somebody else was faster."""

    http_code = 409
    code = "conflict"
