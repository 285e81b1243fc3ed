"""Stable import path for plugins: the forms that declare parameters."""

from parameters.forms import AdminParametersForm, UserParametersForm

__all__ = ["AdminParametersForm", "UserParametersForm"]
