"""Stable import path for plugins: fields and steps of forms."""

from core.plugin_forms import SeparatorField, WizardStep, YesNoField

__all__ = ["SeparatorField", "WizardStep", "YesNoField"]
