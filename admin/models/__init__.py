"""Tables of the mail domains: what people manage, and the published part that mail servers read."""

from admin.models.account import Account
from admin.models.alias import Alias, AliasRecipient
from admin.models.domain import Domain, DomainAlias, DomainName
from admin.models.mailbox import Heartbeat, Mailbox, MailboxOperation, Quota, SenderAddress
from admin.models.published import (
    MailCheck,
    MailDomain,
    MailLogin,
    MailRoute,
    MailSender,
    MailTransport,
    MailUser,
)

__all__ = [
    "Account",
    "Alias",
    "AliasRecipient",
    "Domain",
    "DomainAlias",
    "DomainName",
    "Heartbeat",
    "MailCheck",
    "MailDomain",
    "MailLogin",
    "MailRoute",
    "MailSender",
    "MailTransport",
    "MailUser",
    "Mailbox",
    "MailboxOperation",
    "Quota",
    "SenderAddress",
]
