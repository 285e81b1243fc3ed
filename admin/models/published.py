"""Published tables: the only ones that Postfix and Dovecot read. One flat table for one question.

``admin/publication.py`` derives every row; nobody else writes here. The one table that a server writes comes last.
docs/mail-servers.md documents the columns.
"""

from django.db import models

from admin.models.domain import NAME_LENGTH
from admin.models.mailbox import PATH_LENGTH
from core import shapes
from core.fields import ExactCharField

ADDRESS_LENGTH = 254
SERVICE_LENGTH = 100


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
    """Addresses and domains whose mail does not go the usual way; the lookup makes Postfix's text of the parts."""

    class Kind(models.TextChoices):
        """Where it goes."""

        # It waits: the mailbox is being moved.
        RETRY = "retry"
        # To Dovecot, though the domain of the address is relayed.
        LOCAL = "local"
        # To another host.
        RELAY = "relay"

    # An address, or the name of a relay domain.
    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # Of a relay only: a service of Postfix, and host name or IP address.
    service = ExactCharField(max_length=SERVICE_LENGTH, blank=True, default="")
    host = ExactCharField(max_length=NAME_LENGTH, blank=True, default="")
    port = models.IntegerField(default=0)

    class Meta:
        db_table = "mail_transport"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind__in=["retry", "local"], service="", host="", port=0)
                | models.Q(
                    shapes.service_name("service"),
                    shapes.host("host"),
                    kind="relay",
                    port__gte=1,
                    port__lte=65_535,
                ),
                name="mail_transport_is_one_of_three",
            ),
        )

    def __str__(self) -> str:
        return " ".join((f"{self.address}:", self.kind, self.service, self.host)).rstrip()


class MailCheck(models.Model):
    """Keys that are answered with an action at RCPT time; the action's text is a literal in the lookup."""

    class Action(models.TextChoices):
        """What Postfix is told."""

        # The mailbox is being moved.
        RETRY = "retry"
        # Somebody has the address, but it is switched off or expired.
        CLOSED = "closed"
        # It takes mail, whatever becomes of the same address without its extension.
        OPEN = "open"
        # Ask the host that the domain is relayed to.
        VERIFY = "verify"

    # An address, or (to verify) a domain name.
    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    action = models.CharField(max_length=10, choices=Action.choices)
    # The action counts from this instant on.
    since = models.DateTimeField(null=True)

    class Meta:
        db_table = "mail_check"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(action__in=["retry", "closed", "open", "verify"]),
                name="mail_check_action_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.address}: {self.action}"


class MailLogin(models.Model):
    """Sign-ins by IMAP and POP3 that the panel has not taken note of yet. Written by Dovecot."""

    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    # Since 1970.
    seconds = models.BigIntegerField(db_default=0)

    class Meta:
        db_table = "mail_login"

    def __str__(self) -> str:
        return self.address
