"""Published tables: the only ones that Postfix and Dovecot read. One flat table for one question.

``admin/publication.py`` derives every row; nobody else writes here. The one table that a server writes comes last.
docs/mail-servers.md documents the columns.
"""

from collections.abc import Iterable

from django.db import models
from django.db.models import Case, CharField, F, Q, Value, When
from django.db.models.functions import Cast, Concat

from admin.models.domain import NAME_LENGTH
from admin.models.mailbox import PATH_LENGTH
from core import shapes
from core.fields import ExactCharField

ADDRESS_LENGTH = 254
SERVICE_LENGTH = 100

# What Postfix is told. Constants, so that no stored text can become an action or a transport.
RETRY_ACTION = "450 4.2.1 This mailbox is being moved, please try again in a few minutes"
CLOSED_ACTION = "550 5.2.1 This address is switched off"
# What a person is told who signs in.
MOVING_REASON = "Your mailbox is being moved. Please try again in a few minutes."
# A hash that no password has.
NO_PASSWORD = "{CRYPT}*"  # noqa: S105  what the name says
# No refusal, and no question for the same address without its extension.
OPEN_ACTION = "DUNNO"
RETRY_TRANSPORT = "retry:4.2.1 mailbox is being moved"
LOCAL_TRANSPORT = "lmtp:unix:private/dovecot-lmtp"


def listed(texts: Iterable[str]) -> str:
    """One text of several addresses, as Postfix joins rows itself; no address has a comma in it."""
    return ",".join(sorted(set(texts)))


def unlisted(text: str) -> list[str]:
    """The addresses of :func:`listed`."""
    return text.split(",") if text else []


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
                condition=Q(kind__in=["mailbox", "alias", "relay"]), name="mail_domain_kind_known"
            ),
        )

    def __str__(self) -> str:
        return self.name


class MailRoute(models.Model):
    """Next addresses of an address, or of ``@domain``."""

    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    # As :func:`listed` makes it.
    targets = models.TextField()
    # The address is one of its own targets.
    ends_here = models.BooleanField()
    # When it has to be published anew.
    expires_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        db_table = "mail_route"
        constraints = (models.CheckConstraint(condition=~Q(targets=""), name="mail_route_leads_somewhere"),)

    def __str__(self) -> str:
        return f"{self.address} -> {self.targets}"


class MailUser(models.Model):
    """Mailboxes that may sign in and receive, and addresses of those that are being moved."""

    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    password = models.CharField(max_length=256)
    # Path below the mail root.
    home = ExactCharField(max_length=PATH_LENGTH)
    # Megabytes; 0 = no limit.
    quota = models.BigIntegerField()
    # The same as Dovecot wants it, since version 2.4 and before.
    quota_size = models.GeneratedField(
        expression=Concat(Cast("quota", CharField(max_length=20)), Value("M"), output_field=CharField()),
        output_field=CharField(max_length=30),
        db_persist=True,
    )
    quota_rule = models.GeneratedField(
        expression=Concat(
            Value("*:bytes="),
            Cast("quota", CharField(max_length=20)),
            Value("M"),
            output_field=CharField(),
        ),
        output_field=CharField(max_length=40),
        db_persist=True,
    )
    # The directory is on its way: nobody signs in, and what is to be delivered waits.
    is_moving = models.BooleanField(default=False)
    # What Dovecot is told then, and nothing otherwise.
    closed = models.GeneratedField(
        expression=Case(When(is_moving=True, then=Value("y")), default=None),
        output_field=CharField(max_length=1, null=True),
        db_persist=True,
    )
    reason = models.GeneratedField(
        expression=Case(When(is_moving=True, then=Value(MOVING_REASON)), default=None),
        output_field=CharField(max_length=100, null=True),
        db_persist=True,
    )

    class Meta:
        db_table = "mail_user"

    def __str__(self) -> str:
        return self.address


class MailSender(models.Model):
    """Logins that may send from an address, or from ``@domain``; all columns as :func:`listed` makes them."""

    address = ExactCharField(max_length=ADDRESS_LENGTH, primary_key=True)
    logins = models.TextField()
    # Those of them whom an alias delivers to, and those who were given the address.
    alias_logins = models.TextField(blank=True, default="")
    extra_logins = models.TextField(blank=True, default="")

    class Meta:
        db_table = "mail_sender"
        constraints = (models.CheckConstraint(condition=~Q(logins=""), name="mail_sender_has_a_login"),)

    def __str__(self) -> str:
        return f"{self.address}: {self.logins}"


class MailTransport(models.Model):
    """Addresses and domains whose mail does not go the usual way; the database makes Postfix's text of the parts."""

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
    answer = models.GeneratedField(
        expression=Case(
            When(kind=Kind.RETRY, then=Value(RETRY_TRANSPORT)),
            When(kind=Kind.LOCAL, then=Value(LOCAL_TRANSPORT)),
            default=Concat(
                F("service"),
                Value(":["),
                F("host"),
                Value("]:"),
                Cast("port", CharField(max_length=5)),
                output_field=CharField(),
            ),
            output_field=CharField(),
        ),
        output_field=CharField(max_length=SERVICE_LENGTH + NAME_LENGTH + 10),
        db_persist=True,
    )

    class Meta:
        db_table = "mail_transport"
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=["retry", "local"], service="", host="", port=0)
                | Q(
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
    """Keys that are answered with an action at RCPT time; the database makes Postfix's text of it."""

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
    answer = models.GeneratedField(
        expression=Case(
            When(action=Action.RETRY, then=Value(RETRY_ACTION)),
            When(action=Action.CLOSED, then=Value(CLOSED_ACTION)),
            default=Value(OPEN_ACTION),
        ),
        output_field=CharField(max_length=100),
        db_persist=True,
    )

    class Meta:
        db_table = "mail_check"
        constraints = (
            models.CheckConstraint(
                condition=Q(action__in=["retry", "closed", "open", "verify"]),
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
