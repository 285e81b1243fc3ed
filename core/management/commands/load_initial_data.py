"""Make a new installation usable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.utils.translation import gettext as _

from core import passwords
from core.actor import Actor, Credential
from core.addresses import AddressError, canonical_login_name
from core.checks import DEVELOPMENT_ADMIN, DEVELOPMENT_PASSWORD
from core.commands import PanelCommand
from core.extensions import exts_pool
from core.initial_data import make_fixtures
from core.models import User
from core.role_permissions import write_groups
from core.roles import Role


class Command(PanelCommand):
    """``load_initial_data [--admin-username NAME] [--admin-password-file FILE]``; the second time it does nothing."""

    help = "Create the first super administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        """Name and password of the first account."""
        parser.add_argument("--admin-username", default=DEVELOPMENT_ADMIN, help="login name (default: admin)")
        parser.add_argument(
            "--admin-password-file",
            help="file whose first line is the password; the variable MODOBOA_ADMIN_PASSWORD works, too "
            "(default: a random one, shown once)",
        )
        parser.add_argument(
            "--extra-fixtures",
            action="store_true",
            help="add domains, people and aliases to try the panel with (debug mode only)",
        )

    def handle(self, **options: Any) -> None:
        """First the panel's own, then what plugins bring."""
        self._create_first_administrator(options)
        for sentence in (*write_groups(), *exts_pool.load_initial_data()):
            self.stderr.write(sentence)

    @transaction.atomic
    def _create_first_administrator(self, options: Mapping[str, Any]) -> None:
        """Create the account unless there is a super administrator already."""
        if options["extra_fixtures"] and not settings.DEBUG:
            raise CommandError(
                _("--extra-fixtures makes accounts with a well-known password: debug mode only.")
            )
        if not User.objects.super_admins().exists():
            self._make_administrator(options)
        if options["extra_fixtures"]:
            make_fixtures(Actor(User.objects.active().super_admins().order_by("pk")[0], Credential.COMMAND))

    def _make_administrator(self, options: Mapping[str, Any]) -> None:
        try:
            name = canonical_login_name(options["admin_username"])
        except AddressError as error:
            raise CommandError(str(error)) from error
        given = self._given_password(options["admin_password_file"], name)
        password = given or (DEVELOPMENT_PASSWORD if settings.DEBUG else passwords.random_password(16))
        admin = User(username=name, role=Role.SUPER_ADMIN)
        admin.set_password(password)
        admin.save()
        User.objects.filter(pk=admin.pk).update(owner=admin)
        if given is None:
            self.stdout.write(
                _("Super administrator %(name)s, password %(password)s")
                % {
                    "name": name,
                    "password": password,
                }
            )

    def _given_password(self, file_name: str | None, name: str) -> str | None:
        """Password from a file or the environment, None for neither; raises :class:`CommandError` for a weak one."""
        password = os.environ.get("MODOBOA_ADMIN_PASSWORD")
        if file_name:
            try:
                password = Path(file_name).read_text(encoding="utf-8").split("\n", 1)[0]
            except (OSError, UnicodeError) as error:
                message = f"{file_name}: {error}"
                raise CommandError(message) from error
            if not password:
                raise CommandError(_("%(file)s: the first line is empty.") % {"file": file_name})
        if not password:
            return None
        try:
            validate_password(password, User(username=name))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return password
