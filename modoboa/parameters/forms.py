"""Stable import path for plugins: the forms that declare parameters."""

from parameters.forms import AdminParametersForm, SeparatorField, UserParametersForm

__all__ = ["AdminParametersForm", "SeparatorField", "UserParametersForm"]
