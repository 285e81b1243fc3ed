"""Stable import path for plugins: registering and reading parameters."""

from parameters.tools import (
    NotDefined,
    get_global_parameter,
    get_global_parameters,
    get_user_parameters,
    registry,
)

__all__ = ["NotDefined", "get_global_parameter", "get_global_parameters", "get_user_parameters", "registry"]
