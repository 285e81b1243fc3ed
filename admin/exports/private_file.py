"""A file for its owner alone, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from django.utils.translation import gettext as _

from admin.exports.credentials import ExportError


def write_private_file(name: str, pieces: Iterable[bytes]) -> None:
    """Replace the file *name*; raises :class:`ExportError`, and then it is as it was."""
    place = Path(name).absolute()
    draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    try:
        if place.is_dir():
            raise ExportError(_("%(file)s is a directory.") % {"file": place})
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(descriptor)
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        message = _("%(file)s was not written: %(reason)s.")
        reason = (error.strerror or str(error)).lower()
        raise ExportError(message % {"file": place, "reason": reason}) from error
