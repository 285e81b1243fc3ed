"""Mailboxes and what belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin.models.domain import MAX_QUOTA_MB, NAME_LENGTH, Domain
from core import shapes
from core.fields import ExactCharField

if TYPE_CHECKING:
    from core.actor import Actor

# `<domain>/<local part>`.
PATH_LENGTH = NAME_LENGTH + 1 + 64


class MailboxQuerySet(models.QuerySet["Mailbox"]):
    """Named selections of mailboxes."""

    def visible_to(self, actor: Actor) -> Self:
        """Mailboxes in domains that *actor* sees, except those of accounts of higher rank, and his own."""
        if actor.is_super:
            return self
        tenants = Q(domain__in=Domain.objects.visible_to(actor), user__role__in=actor.role.up_to_here())
        return self.filter(tenants | Q(user_id=actor.pk))


class Mailbox(models.Model):
    """Where mail is kept. ``address`` is the local part; the full address stands in the account's ``email``."""

    address = ExactCharField(_("local part"), max_length=64)
    domain = models.ForeignKey(Domain, on_delete=models.DO_NOTHING, related_name="mailboxes")
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, related_name="mailbox")
    # Megabytes; 0 = no limit.
    quota = models.BigIntegerField(_("quota"), default=0, db_default=0)
    use_domain_quota = models.BooleanField(_("use the domain's value"), default=False, db_default=False)
    # Directory below the mail root, where it is not `<domain>/<local part>`: blank after creation, kept by a rename.
    home = ExactCharField(
        _("directory"), max_length=PATH_LENGTH, blank=True, default="", db_default="", db_index=True
    )
    creation = models.DateTimeField(_("created"), default=timezone.now)
    last_modification = models.DateTimeField(_("modified"), default=timezone.now)
    # Who created it, and pays for it.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.DO_NOTHING, null=True, related_name="+"
    )

    objects = MailboxQuerySet.as_manager()

    class Meta:
        db_table = "admin_mailbox"
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        ordering = ("address",)
        constraints = (
            models.UniqueConstraint(fields=["domain", "address"], name="admin_one_mailbox_per_address"),
            models.CheckConstraint(
                condition=shapes.mailbox_local_part("address"), name="admin_mailbox_address_is_canonical"
            ),
            models.CheckConstraint(
                condition=Q(quota__gte=0, quota__lte=MAX_QUOTA_MB), name="admin_mailbox_quota_in_range"
            ),
        )

    def __str__(self) -> str:
        return self.full_address

    @property
    def full_address(self) -> str:
        """Address of the mailbox (reads ``domain``: select it)."""
        return f"{self.address}@{self.domain.name}"


class SenderAddress(models.Model):
    """Extra address, or ``@domain``, that the owner of a mailbox may send from."""

    address = ExactCharField(_("sender address"), max_length=254)
    mailbox = models.ForeignKey(Mailbox, on_delete=models.DO_NOTHING, related_name="sender_addresses")

    class Meta:
        db_table = "admin_senderaddress"
        verbose_name = _("sender address")
        verbose_name_plural = _("sender addresses")
        ordering = ("address",)
        constraints = (
            models.UniqueConstraint(
                fields=["address", "mailbox"], name="admin_one_sender_address_per_mailbox"
            ),
            models.CheckConstraint(
                condition=shapes.sender_address("address"), name="admin_senderaddress_is_canonical"
            ),
        )

    def __str__(self) -> str:
        return self.address


class Quota(models.Model):
    """Usage of a mailbox, written by Dovecot: keyed by login, deleted and made anew at will."""

    username = ExactCharField(max_length=254, primary_key=True)
    bytes = models.BigIntegerField(default=0, db_default=0)
    messages = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "admin_quota"
        verbose_name = _("quota usage")
        verbose_name_plural = _("quota usages")

    def __str__(self) -> str:
        return self.username


class MailboxOperationQuerySet(models.QuerySet["MailboxOperation"]):
    """Named selections of operations."""

    def occupying(self) -> Self:
        """Those whose directories belong to somebody still: what is not done, failures included, and what is kept."""
        return self.exclude(~Q(kind="keep"), state="done")


class MailboxOperation(models.Model):
    """Work on a mail directory that waits for the command run by the owner of the mail files."""

    class Kind(models.TextChoices):
        """What to do."""

        RENAME = "rename", _("Rename")
        DELETE = "delete", _("Delete")
        # Nothing to do: a directory that stays when its mailbox goes, so that nobody inherits it.
        KEEP = "keep", _("Keep")

    class State(models.TextChoices):
        """How far it is."""

        PENDING = "pending", _("Pending")
        PREPARED = "prepared", _("Prepared")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING, db_default="pending"
    )
    # The mailbox may be gone when its directory is: identity only, no foreign key.
    mailbox_id = models.BigIntegerField(db_index=True)
    # Full addresses that do not answer until the work is done; blank for a deletion.
    old_address = ExactCharField(max_length=254, blank=True, default="", db_default="")
    new_address = ExactCharField(max_length=254, blank=True, default="", db_default="")
    # Paths below the mail root.
    source = ExactCharField(max_length=512)
    target = ExactCharField(max_length=512, blank=True, default="", db_default="")
    device = models.BigIntegerField(null=True, blank=True)
    inode = models.BigIntegerField(null=True, blank=True)
    attempts = models.IntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True, default="")
    owner_token = models.CharField(max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now)

    objects = MailboxOperationQuerySet.as_manager()

    class Meta:
        db_table = "admin_mailboxoperation"
        verbose_name = _("mailbox operation")
        verbose_name_plural = _("mailbox operations")
        ordering = ("pk",)
        indexes = (
            models.Index(fields=["old_address"], name="admin_mbop_old_address"),
            models.Index(fields=["new_address"], name="admin_mbop_new_address"),
            models.Index(fields=["source"], name="admin_mbop_source"),
            models.Index(fields=["target"], name="admin_mbop_target"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["rename", "delete", "keep"]), name="admin_mailboxoperation_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "prepared", "done", "failed"]),
                name="admin_mailboxoperation_state_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.source}"
