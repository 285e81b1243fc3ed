"""Base classes with which an app declares its parameters: one form for one app and level."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from core.plugin_forms import SeparatorField

__all__ = ["AdminParametersForm", "ParametersForm", "SeparatorField", "UserParametersForm"]


class ParametersForm(forms.Form):
    """What both levels share. The name of a field is the name of the parameter, its ``initial`` the default.

    ``visibility_rules`` maps a field to ``"other_field=value"``: it is shown, and can be required, only while that
    holds. A field with a ``PasswordInput`` is a secret: it is written and never shown again.
    """

    app: ClassVar[str]
    visibility_rules: ClassVar[dict[str, str]] = {}

    @staticmethod
    def has_access(**kwargs: Any) -> bool:
        """Whether an account (``user``) sees these parameters."""
        del kwargs
        return True

    def full_clean(self) -> None:
        """What nobody sees may be blank."""
        if self.is_bound:
            for name in self.hidden_names():
                self.fields[name].required = False
        super().full_clean()

    def hidden_names(self) -> frozenset[str]:
        """Fields whose rule does not hold for what was sent, or that depend on one that is hidden."""

        def is_hidden(name: str) -> bool:
            rule = self.visibility_rules.get(name)
            if rule is None:
                return False
            other, _equals, wanted = rule.partition("=")
            return is_hidden(other) or str(self[other].data) != wanted

        return frozenset(filter(is_hidden, self.visibility_rules))


class AdminParametersForm(ParametersForm):
    """Site-wide parameters of one app."""

    def to_django_settings(self) -> None:
        """Put parameters into Django's settings; called in every process, at first and when a value has changed."""


class UserParametersForm(ParametersForm):
    """Parameters that every account chooses for itself."""
