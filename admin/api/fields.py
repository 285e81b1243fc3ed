"""Fields of several shapes."""

from __future__ import annotations

from typing import Any

from django.core.validators import BaseValidator
from rest_framework import serializers

from admin.models.domain import MAX_QUOTA_MB


class QuotaField(serializers.IntegerField):
    """MB; what is out of range has the code that it has at every door."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_QUOTA_MB, **kwargs)
        for validator in self.validators:
            if isinstance(validator, BaseValidator):
                validator.code = "quota_out_of_range"
