"""Accounts: people and programs that sign in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Self, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core import passwords, preferences, shapes
from core.fields import ExactCharField
from core.hashing_policy import hash_secret
from core.roles import Role

U = TypeVar("U", bound="User")


class UserQuerySet(models.QuerySet[U]):
    """Named selections of accounts."""

    def active(self) -> Self:
        """Accounts that may sign in."""
        return self.filter(is_active=True)

    def super_admins(self) -> Self:
        """Accounts that may do everything."""
        return self.filter(role=Role.SUPER_ADMIN)

    def get_by_natural_key(self, username: str) -> U:
        """Account with this login name (Django's authentication and serializers ask for it)."""
        return self.get(username=username.lower())


class User(AbstractBaseUser):
    """Account of the panel. ``email`` is the address of its mailbox, blank without one, and Dovecot's user name."""

    username = ExactCharField(_("user name"), max_length=254, unique=True)
    email = ExactCharField(_("e-mail address"), max_length=254, blank=True, default="", db_default="")
    # `{SCHEME}hash`, as Dovecot reads it (core/passwords.py).
    password = models.CharField(_("password"), max_length=256)
    first_name = models.CharField(_("first name"), max_length=150, blank=True, default="", db_default="")
    last_name = models.CharField(_("last name"), max_length=150, blank=True, default="", db_default="")
    is_active = models.BooleanField(_("enabled"), default=True, db_default=True)
    is_local = models.BooleanField(_("local"), default=True, db_default=True)
    master_user = models.BooleanField(_("master user"), default=False, db_default=False)
    role = models.CharField(
        _("role"),
        max_length=20,
        choices=Role.choices,
        default=Role.SIMPLE_USER,
        db_default=Role.SIMPLE_USER.value,
    )
    language = models.CharField(_("language"), max_length=10, blank=True, default="", db_default="")
    phone_number = models.CharField(_("phone number"), max_length=128, blank=True, default="", db_default="")
    secondary_email = models.CharField(
        _("secondary address"), max_length=254, blank=True, default="", db_default=""
    )
    date_joined = models.DateTimeField(_("created"), default=timezone.now)
    owner = models.ForeignKey(
        "self", on_delete=models.DO_NOTHING, null=True, blank=True, related_name="owned_accounts"
    )

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "secondary_email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    # The event log's word for an account, here and in the proxies above: what people call it.
    event_kind = "account"

    objects = UserQuerySet.as_manager()

    class Meta:
        db_table = "core_user"
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ("username",)
        indexes = (
            models.Index(fields=["email", "is_active"], name="core_user_email_active"),
            # Few among many: whoever looks for administrators does not look at everybody.
            models.Index(
                fields=["username"], condition=~Q(role=Role.SIMPLE_USER), name="core_user_administrators"
            ),
        )
        constraints = (
            models.CheckConstraint(condition=Q(role__in=Role.values), name="core_user_role_known"),
            models.CheckConstraint(condition=~Q(username=""), name="core_user_has_a_name"),
            models.CheckConstraint(
                condition=shapes.login_name("username"), name="core_user_name_is_canonical"
            ),
            models.CheckConstraint(
                condition=Q(master_user=False) | Q(role=Role.SUPER_ADMIN),
                name="core_user_master_is_super_admin",
            ),
        )

    def __str__(self) -> str:
        return self.username

    @property
    def full_name(self) -> str:
        """First and last name, blank when neither is known."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def initials(self) -> str:
        """One or two capitals for the round badge."""
        words = self.full_name.split() or [self.username]
        letters = words[0][:1] + words[-1][:1] if len(words) > 1 else words[0][:2]
        return letters.upper()

    @property
    def is_staff(self) -> bool:
        """Django's word for "may open pages about the system"."""
        return self.role == Role.SUPER_ADMIN

    is_superuser = is_staff

    @cached_property
    def parameters(self) -> preferences.Chosen:
        """What the account chose for itself: ``user.parameters.get_value("name")``."""
        return preferences.chosen_by(self)

    # Django's own question, for views of plugins; the panel asks its policies.

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002  Django's signature
        """Whether the role of the account has a permission, ``app.codename``."""
        return self.is_active and (self.is_superuser or perm in self._role_permissions)

    def has_perms(self, perm_list: Iterable[str], obj: object = None) -> bool:
        """Whether it has all of them."""
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        """Whether it has any of an app's."""
        if self.is_superuser or not self.is_active:
            return self.is_active
        return any(name.startswith(f"{app_label}.") for name in self._role_permissions)

    @cached_property
    def _role_permissions(self) -> frozenset[str]:
        # By name: Django's models know this one.
        rows = self._meta.apps.get_model("auth.Permission")._default_manager.filter(group__name=self.role)
        names = rows.values_list("content_type__app_label", "codename")
        return frozenset(f"{app}.{codename}" for app, codename in names)

    def check_password(self, raw_password: str | None) -> bool:
        """Compare with the stored hash; the hash itself is upgraded at sign-in, not here."""
        return raw_password is not None and passwords.verify_password(raw_password, self.password)

    def set_password(self, raw_password: str | None) -> None:
        """Store the hash of *raw_password* in the preferred scheme; None makes the account unable to sign in."""
        if raw_password is None:
            self.password = passwords.unusable_password()
            return
        self.password = hash_secret(raw_password)
        self._password = raw_password

    def set_unusable_password(self) -> None:
        """Make the account unable to sign in."""
        self.password = passwords.unusable_password()

    def has_usable_password(self) -> bool:
        """False when no password can ever match."""
        return passwords.is_usable(self.password)
