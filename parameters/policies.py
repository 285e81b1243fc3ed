"""Who may change parameters."""

from core.actor import Actor


def may_change_parameters(actor: Actor, /, *_values: object) -> bool:
    """Only super administrators set what holds for everybody."""
    return actor.is_super
