"""Published tables: the only ones that Postfix and Dovecot read. One flat table for one question.

``admin/publication.py`` derives every row; nobody else writes here. docs/mail-servers.md documents the columns.
"""

from django.db import models

from admin.models.domain import NAME_LENGTH
from admin.models.mailbox import PATH_LENGTH
from core.fields import ExactCharField

ADDRESS_LENGTH = 254


class MailDomain(models.Model):
    """Names that this server answers for."""

    class Kind(models.TextChoices):
        """Which Postfix class the name belongs to."""

        MAILBOX = "mailbox"
        ALIAS = "alias"
        RELAY = "relay"

    name = ExactCharField(max_length=NAME_LENGTH, primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # The domain that an alias stands for; blank otherwise.
    target = ExactCharField(max_length=NAME_LENGTH, blank=True, default="")

    class Meta:
        db_table = "mail_domain"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind__in=["mailbox", "alias", "relay"]), name="mail_domain_kind_known"
            ),
        )

    def __str__(self) -> str:
        return self.name


class MailRoute(models.Model):
    """Next addresses of an address, or of ``@domain``."""

    pk = models.CompositePrimaryKey("address", "target")
    address = ExactCharField(max_length=ADDRESS_LENGTH)
    target = ExactCharField(max_length=ADDRESS_LENGTH)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "mail_route"

    def __str__(self) -> str:
        return f"{self.address} -> {self.target}"


class MailUser(models.Model):
    """Mailboxes that may sign in and receive."""

    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    password = models.CharField(max_length=256)
    # Path below the mail root.
    home = ExactCharField(max_length=PATH_LENGTH)
    # Megabytes; 0 = no limit.
    quota = models.BigIntegerField()

    class Meta:
        db_table = "mail_user"

    def __str__(self) -> str:
        return self.address


class MailSender(models.Model):
    """Logins that may send from an address, or from ``@domain``."""

    class Source(models.TextChoices):
        """Why."""

        MAILBOX = "mailbox"
        ALIAS = "alias"
        EXTRA = "extra"

    pk = models.CompositePrimaryKey("address", "login", "source")
    address = ExactCharField(max_length=ADDRESS_LENGTH)
    login = ExactCharField(max_length=ADDRESS_LENGTH)
    source = models.CharField(max_length=10, choices=Source.choices)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "mail_sender"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(source__in=["mailbox", "alias", "extra"]), name="mail_sender_source_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.address}: {self.login}"


class MailTransport(models.Model):
    """Addresses and domains whose mail does not go the usual way."""

    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    transport = models.CharField(max_length=300)

    class Meta:
        db_table = "mail_transport"

    def __str__(self) -> str:
        return f"{self.address}: {self.transport}"


class MailCheck(models.Model):
    """Addresses that are answered with an action at RCPT time; the action's text is a literal in the lookup."""

    class Action(models.TextChoices):
        """What Postfix is told."""

        RETRY = "retry"

    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    action = models.CharField(max_length=10, choices=Action.choices)

    class Meta:
        db_table = "mail_check"
        constraints = (
            models.CheckConstraint(condition=models.Q(action__in=["retry"]), name="mail_check_action_known"),
        )

    def __str__(self) -> str:
        return f"{self.address}: {self.action}"
