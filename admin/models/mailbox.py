"""Mailboxes and what belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

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
        """Mailboxes in domains that *actor* sees, except those of accounts of higher rank, and his own.

        A token for some domains does not see its owner's because it is his.
        """
        if actor.is_super:
            return self
        tenants = Q(domain__in=Domain.objects.visible_to(actor), user__role__in=actor.role.up_to_here())
        return self.filter(tenants | Q(user_id=actor.pk) if actor.domains is None else tenants)


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


class SenderAddressQuerySet(models.QuerySet["SenderAddress"]):
    """Named selections of sender addresses."""

    def visible_to(self, actor: Actor) -> Self:
        """Those of mailboxes that *actor* sees."""
        return self if actor.is_super else self.filter(mailbox__in=Mailbox.objects.visible_to(actor))


class SenderAddress(models.Model):
    """Extra address, or ``@domain``, that the owner of a mailbox may send from."""

    address = ExactCharField(_("sender address"), max_length=254)
    mailbox = models.ForeignKey(Mailbox, on_delete=models.DO_NOTHING, related_name="sender_addresses")

    objects = SenderAddressQuerySet.as_manager()

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

    def visible_to(self, actor: Actor) -> Self:
        """What happens on disk is the business of super administrators."""
        return self if actor.is_super else self.none()

    def orders(self) -> Self:
        """Work that somebody ordered, without the notes of what is kept."""
        return self.exclude(kind="keep")

    def occupying(self) -> Self:
        """Those whose directories belong to somebody still: what is not over, failures included, and what is kept."""
        return self.exclude(~Q(kind="keep"), state__in=("done", "given_up"))

    def waiting(self) -> Self:
        """Those that the command works off next."""
        return self.filter(state__in=("pending", "prepared"))

    def moving(self) -> Self:
        """Those whose addresses do not answer: a rename or a restoration that is not over."""
        return self.unfinished().filter(kind__in=("rename", "restore"))

    def unfinished(self) -> Self:
        """Those that the command works off, now or after a person decided."""
        return self.filter(state__in=("pending", "prepared", "failed"))

    def in_trash(self) -> Self:
        """Those that left a directory in the trash, from where it can be restored."""
        return self.filter(trash="kept")


class MailboxOperation(models.Model):
    """Work on a mail directory that waits for the command run by the owner of the mail files."""

    class Kind(models.TextChoices):
        """What to do."""

        RENAME = "rename", _("Rename")
        DELETE = "delete", _("Delete")
        # From the trash to the place of a mailbox.
        RESTORE = "restore", _("Restore")
        # Nothing to do: a directory that stays when its mailbox goes, so that nobody inherits it.
        KEEP = "keep", _("Keep")

    class State(models.TextChoices):
        """How far it is."""

        PENDING = "pending", _("Pending")
        # The directory is known; it may or may not be moved already, which the disk tells.
        PREPARED = "prepared", _("Prepared")
        DONE = "done", _("Done")
        # Waits for a person.
        FAILED = "failed", _("Failed")
        # The directory stays where it was.
        GIVEN_UP = "given_up", _("Given up")

    class Trash(models.TextChoices):
        """What became of the directory that the operation put into the trash."""

        NONE = "", _("None")
        KEPT = "kept", _("Kept")
        RESTORING = "restoring", _("Being restored")
        PURGING = "purging", _("Being purged")

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING, db_default="pending"
    )
    # The mailbox may be gone when its directory is: identity only, no foreign key.
    mailbox_id = models.BigIntegerField(db_index=True)
    # Full addresses: of a rename, that do not answer until the work is done; of a deletion, what it was; of a
    # restoration, whose it becomes.
    old_address = ExactCharField(max_length=254, blank=True, default="", db_default="")
    new_address = ExactCharField(max_length=254, blank=True, default="", db_default="")
    # Paths below the mail root.
    source = ExactCharField(max_length=512)
    target = ExactCharField(max_length=512, blank=True, default="", db_default="")
    # Of the directory, from "prepared" on.
    device = models.BigIntegerField(null=True, blank=True)
    inode = models.BigIntegerField(null=True, blank=True)
    # Of a failed one: the directory is at its new place although the work could not be ended.
    is_moved = models.BooleanField(default=False, db_default=False)
    attempts = models.IntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True, default="")
    # Who works on it, or did last.
    owner_token = models.CharField(max_length=64, blank=True, default="", db_default="")
    # Where the file system has no locks: how long nobody else does.
    leased_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    trash = models.CharField(
        max_length=10, choices=Trash.choices, blank=True, default=Trash.NONE, db_default=""
    )
    # Below the mail root.
    trash_path = ExactCharField(max_length=512, blank=True, default="", db_default="")

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
            models.Index(fields=["state", "id"], name="admin_mbop_state"),
            models.Index(fields=["trash", "finished_at"], name="admin_mbop_trash"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["rename", "delete", "restore", "keep"]),
                name="admin_mailboxoperation_kind_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "prepared", "done", "failed", "given_up"]),
                name="admin_mailboxoperation_state_known",
            ),
            models.CheckConstraint(
                condition=Q(trash__in=["", "kept", "restoring", "purging"]),
                name="admin_mailboxoperation_trash_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.source}"

    @property
    def addresses(self) -> list[str]:
        """Whose directory it is: of a rename, the old address and the new one."""
        return [address for address in (self.old_address, self.new_address) if address]

    @property
    def wanted_by(self) -> str:
        """Address whose mailbox gets the directory back from the trash, unless another one is chosen."""
        return self.new_address or self.old_address


class Heartbeat(models.Model):
    """When a command that cron starts was last at work, so that one notices when it no longer is."""

    DIRECTORIES: ClassVar = "handle_mailbox_operations"

    name = models.CharField(max_length=40, primary_key=True)
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "admin_heartbeat"
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name
