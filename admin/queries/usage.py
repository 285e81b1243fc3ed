"""Storage in use, as Dovecot wrote it."""

from django.db.models import BigIntegerField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from admin.models import Quota


def used_bytes(address: str) -> Coalesce:
    """Bytes used by the mailbox whose full address stands in the column *address*; 0 before its first delivery."""
    row = Quota.objects.filter(username=OuterRef(address)).values("bytes")
    return Coalesce(Subquery(row), Value(0), output_field=BigIntegerField())
