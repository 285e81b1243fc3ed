"""A request that is repeated with the same ``Idempotency-Key`` is carried out once, and answered the same again.

The answer is written in the transaction of the operation: a second request with the key waits for the first one, at the
unique key, and a request that fails or crashes leaves nothing behind. Only successes are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from core.models.stored_answer import StoredAnswer

KEPT_FOR: Final = timedelta(hours=24)
_DROPPED_AT_ONCE: Final = 100


class KeyReusedError(Exception):
    """The key came with another body before."""


# Status and body of an answer.
Answer = tuple[int, str]


def once(who: str, where: str, key: str, body: bytes, work: Callable[[], Answer]) -> tuple[Answer, bool]:
    """The answer of *work*, or that of the first request with this key; True when it is a repetition.

    *who*: the credential, since keys of others are no business of ours. Raises :class:`KeyReusedError`.
    """
    digest = salted_hmac("core.idempotency", f"{who}\0{where}\0{key}", algorithm="sha256").hexdigest()
    sent = hashlib.sha256(body).hexdigest()
    _drop_old()
    if found := _stored(digest, sent):
        return found, True
    try:
        with transaction.atomic():
            row = StoredAnswer.objects.create(key=digest, body=sent, status=0, answer="")
            row.status, row.answer = answer = work()
            row.save(update_fields=["status", "answer"])
    except IntegrityError:
        if found := _stored(digest, sent):  # somebody was faster
            return found, True
        raise
    return answer, False


def _stored(key: str, body: str) -> Answer | None:
    row = StoredAnswer.objects.filter(pk=key).first()
    if row is None:
        return None
    if row.created_at <= timezone.now() - KEPT_FOR:
        StoredAnswer.objects.filter(pk=key, created_at=row.created_at).delete()
        return None
    if row.body != body:
        raise KeyReusedError
    return row.status, row.answer


def _drop_old() -> None:
    """Keep the table small; looked for without locks."""
    old = StoredAnswer.objects.filter(created_at__lte=timezone.now() - KEPT_FOR)
    if keys := list(old.values_list("key", flat=True)[:_DROPPED_AT_ONCE]):
        StoredAnswer.objects.filter(key__in=keys).delete()
