"""See, retry, give up or restore what the panel ordered about mail directories."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from admin import policies
from admin.models import Mailbox, MailboxOperation
from admin.operations import (
    Restoration,
    give_up_directory_orders,
    only_order,
    restore_directories,
    retry_directory_orders,
)
from core.actor import Actor
from core.commands import ActingCommand


class Command(ActingCommand):
    """``modo directories --list | --trash | --retry N… | --give-up N… | --restore N [--to ADDRESS]``."""

    help = "See, retry, give up or restore what was ordered about mail directories."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to do."""
        super().add_arguments(parser)
        choice = parser.add_mutually_exclusive_group(required=True)
        choice.add_argument("--list", action="store_true", help="orders that are not over")
        choice.add_argument("--trash", action="store_true", help="directories that can be restored")
        choice.add_argument("--retry", type=int, nargs="+", metavar="NUMBER", help="try failed orders again")
        choice.add_argument(
            "--give-up", type=int, nargs="+", metavar="NUMBER", help="leave the directories where they are"
        )
        choice.add_argument("--restore", type=int, metavar="NUMBER", help="bring back what an order deleted")
        parser.add_argument(
            "--to", metavar="ADDRESS", help="mailbox for --restore (default: the one with the old address)"
        )

    def handle(self, **options: Any) -> None:
        """Do it."""
        actor = self.actor(options)
        if not policies.may_decide_about_directories(actor):
            raise PermissionDenied
        if options["to"] and not options["restore"]:
            raise CommandError(_("--to says whose directory --restore brings back: give both."))
        if options["list"] or options["trash"]:
            self._show(actor, in_trash=options["trash"])
        elif options["restore"]:
            self._restore(actor, options["restore"], options["to"])
        else:
            decide = retry_directory_orders if options["retry"] else give_up_directory_orders
            numbers = options["retry"] or options["give_up"]
            decide(actor, [only_order(actor, number) for number in numbers])

    def _show(self, actor: Actor, *, in_trash: bool) -> None:
        orders = MailboxOperation.objects.visible_to(actor)
        chosen = orders.in_trash() if in_trash else orders.unfinished()
        for order in chosen.order_by("pk").iterator():
            end = order.old_address if in_trash else f"{order.target} {order.last_error}"
            self.stdout.write(f"{order.pk} {order.state} {order.kind} {order.source} {end}".rstrip())

    def _restore(self, actor: Actor, number: int, address: str | None) -> None:
        box = None
        if address:
            box = Mailbox.objects.visible_to(actor).filter(user__email=address.lower()).first()
            if box is None:
                raise CommandError(_("There is no mailbox %(address)s.") % {"address": address})
        restore_directories(actor, [Restoration(only_order(actor, number), box)])
