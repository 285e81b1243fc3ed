"""What the version history keeps is what Django's serializer would write."""

from __future__ import annotations

import pytest
import reversion
from django.core import serializers
from reversion.models import Version

from admin.models import Account, Alias, Domain, DomainAlias, Mailbox
from admin.operations import (
    create_account,
    create_alias,
    create_domain,
    create_domain_aliases,
    update_account,
)
from admin.operations.accounts import MailboxSpec
from admin.operations.domains import DomainAliasSpec
from relaydomains.models import RelayDomain, Service
from relaydomains.operations import create_relay_domain
from relaydomains.operations.services import _create_services
from tests.cast import Cast


@pytest.mark.django_db
def test_versions_are_what_the_serializer_writes(cast: Cast) -> None:
    create_domain(cast.root, name="history.example", quota=7, default_mailbox_quota=3)
    create_domain_aliases(cast.root, [DomainAliasSpec(name="also.example", target="history.example")])
    create_relay_domain(cast.root, name="relayed.example", target_host="mx.example.net")
    new = create_account(
        cast.root,
        username="jo@history.example",
        first_name='Jo "é" \\ ☃',
        last_name="O'Hara </script>",
        password="Correct-Horse-7",
        mailbox=MailboxSpec(address="jo@history.example", quota=2),
    )
    update_account(cast.root, new.account, is_active=False)
    create_alias(
        cast.root, address="@history.example", recipients=("jo@history.example",), description="\n ü"
    )
    _create_services(cast.root, ["slow"])
    for model in (Account, Mailbox, Domain, DomainAlias, Alias, RelayDomain, Service):
        instance = model._default_manager.order_by("-pk")[0]
        concrete = instance._meta.concrete_model
        registered = reversion.revisions._get_options(concrete)
        version = Version.objects.get_for_object_reference(concrete, instance.pk)[0]
        wanted = serializers.serialize("json", (instance,), fields=registered.fields)
        assert version.serialized_data == wanted
        assert version.object_repr == str(instance)
        assert version.format == registered.format == "json"
