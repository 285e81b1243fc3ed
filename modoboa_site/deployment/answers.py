"""What the command line left out is asked for."""

from __future__ import annotations

import getpass
import sys
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

from modoboa_site import databases
from modoboa_site.deployment.problems import Problem

_DEFAULT_PORTS = {"postgres": "5432", "mysql": "3306"}


def ask(question: str, default: str = "") -> str:
    """One line; the default for an empty one. Raises :class:`Problem` when nobody answers."""
    shown = f"{question} [{default}]: " if default else f"{question}: "
    try:
        return input(shown).strip() or default
    except EOFError as error:
        raise Problem(f"“{question}” was not answered. Give it on the command line (help deploy).") from error


def ask_secret(question: str) -> str:
    """One line that the terminal does not show."""
    if not sys.stdin.isatty():
        return ask(question)
    return getpass.getpass(f"{question}: ")


def ask_for_database(prefix: str) -> str:
    """A URL, put together from answers; asked for again until it is one."""
    print(f"Database “{prefix}”:")
    while True:
        url = _asked_for()
        try:
            databases.parse(url, f"the database “{prefix}”")
        except ImproperlyConfigured as error:
            print(error)
        except ImportError as error:
            raise Problem(
                f"The driver of that database is missing: {error} (extras of setup.py name it)."
            ) from error
        else:
            return url


def _asked_for() -> str:
    while (engine := ask("Engine (postgres, mysql, sqlite)", "postgres")) not in {*_DEFAULT_PORTS, "sqlite"}:
        print("Answer postgres, mysql or sqlite.")
    if engine == "sqlite":
        while not (path := ask("Absolute path of the file")).startswith("/"):
            print("The path must begin with a slash.")
        return f"sqlite:///{path}"
    host = ask("Host", "127.0.0.1")
    port = ask("Port", _DEFAULT_PORTS[engine])
    name = ask("Name of the database", "modoboa")
    user = ask("User", "modoboa")
    password = ask_secret("Password")
    place = f"[{host}]" if ":" in host else host
    return (
        f"{engine}://{quote(user, safe='')}:{quote(password, safe='')}@{place}:{port}/{quote(name, safe='')}"
    )
