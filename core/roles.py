"""The four roles and their rank."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """Stored under the names of the documentation; one account has exactly one role."""

    SUPER_ADMIN = "SuperAdmins", _("Super administrator")
    RESELLER = "Resellers", _("Reseller")
    DOMAIN_ADMIN = "DomainAdmins", _("Domain administrator")
    SIMPLE_USER = "SimpleUsers", _("Simple user")

    @property
    def rank(self) -> int:
        """Height in the hierarchy: nobody acts on an account that ranks above him."""
        return _RANKS[self]

    def up_to_here(self) -> "list[Role]":
        """Roles that do not rank above this one."""
        return [role for role in Role if role.rank <= self.rank]

    @property
    def administers(self) -> bool:
        """True when accounts of this role may administer domains."""
        return self in {Role.RESELLER, Role.DOMAIN_ADMIN}


_RANKS = {Role.SUPER_ADMIN: 3, Role.RESELLER: 2, Role.DOMAIN_ADMIN: 1, Role.SIMPLE_USER: 0}
