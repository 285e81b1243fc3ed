from tests.cast import Cast
from admin.models import *
from admin.operations import *
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

def test_everything_once(cast: Cast) -> None:
    from admin import publication
    print(list(MailRoute.objects.values_list()), list(MailUser.objects.values_list("address","home","quota")), list(MailSender.objects.values_list()), list(MailDomain.objects.values_list()))
    a = create_alias(cast.dora, address="info@dora.example", recipients=("sam@dora.example", "dora@dora.example"))
    c = create_alias(cast.dora, address="@dora.example", recipients=("x@elsewhere.example",))
    update_domain(cast.root, cast.dora_example, aliases=("bücher.example",))
    print(list(MailRoute.objects.values_list()))
    assert not list(publication.drift())
    with CaptureQueriesContext(connection, ) as ctx:
        create_account(cast.root, username="z@dora.example", mailbox=MailboxSpec(address="z@dora.example"))
    for q in ctx.captured_queries: print(q["sql"][:150])
    print(len(ctx))
    with CaptureQueriesContext(connection, ) as ctx:
        create_alias(cast.root, address="zz@dora.example", recipients=("z@dora.example","k@x.org"))
    print(len(ctx))
    update_account(cast.root, Account.objects.get(username="sam@dora.example"), is_active=False)
    print(list(MailRoute.objects.values_list()))
    update_domain(cast.root, cast.dora_example, enabled=False)
    assert not list(publication.drift())
    print(list(MailRoute.objects.values_list()), list(MailDomain.objects.values_list()))
    update_domain(cast.root, cast.dora_example, enabled=True)
    delete_accounts(cast.root, list(Account.objects.filter(email__endswith="@dora.example")))
    print(list(AliasRecipient.objects.values_list("address")))
    delete_domains(cast.root, [cast.dora_example])
    assert not list(publication.drift())
    print(list(MailRoute.objects.values_list()), list(MailDomain.objects.values_list()))
