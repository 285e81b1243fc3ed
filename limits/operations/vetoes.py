"""Plugins may be against the creation of something: the hook ``can_create_object``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.signals import can_create_object
from limits.kinds import Kind

if TYPE_CHECKING:
    from django.db.models import Model

    from core.refusals import Refusals

_models: dict[Kind, type[Model]] = {}


def things_are(kind: Kind, model: type[Model]) -> None:
    """Register which model stands for *kind*; an app above knows."""
    _models[kind] = model


def ask_plugins(context: Model, kind: Kind, places: Sequence[int], refusals: Refusals, field: str) -> None:
    """Whether *context*, the account that creates or the domain that holds, may have one more for each of *places*.

    Code: ``vetoed``, at the first place.
    """
    if not places or kind not in _models:
        return
    for words in can_create_object.objections(
        context=context, klass=_models[kind], object_type=kind.value, count=len(places), instance=None
    ):
        refusals.add(places[0], field, "vetoed", words)
