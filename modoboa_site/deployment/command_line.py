"""The command line of ``modoboa-admin.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from modoboa_site.deployment import deploying
from modoboa_site.deployment.problems import Problem

_DESCRIPTION = "Make and look after instances of Modoboa."


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, or 1 with a message on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in words[:1]
    command, *rest = words[int(verbose) :] or ["help"]
    try:
        if command in {"help", "-h", "--help"}:
            return _help(rest)
        parser = _parser_of(command)
        options = parser.parse_args(rest)
        deploying.deploy(_wish(options), verbose=verbose or options.verbose)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 1
    return 0


def _help(words: Sequence[str]) -> int:
    """Of one command, or of all."""
    if words:
        _parser_of(words[0]).print_help()
        return 0
    parser = argparse.ArgumentParser("modoboa-admin.py", description=_DESCRIPTION)
    parser.add_argument("--verbose", action="store_true", help="show every step and what it says")
    parser.add_argument("command", choices=("deploy", "help"), help="“help deploy” lists what deploy takes")
    parser.print_help()
    return 0


def _parser_of(command: str) -> argparse.ArgumentParser:
    if command != "deploy":
        raise Problem(f"Unknown command “{command}”. Commands are: deploy, help.")
    parser = argparse.ArgumentParser(
        "modoboa-admin.py deploy", description="Make an instance: settings, database, first administrator."
    )
    parser.add_argument("name", help="name of the instance and of its directory, which must not be there yet")
    parser.add_argument(
        "--dburl",
        nargs="+",
        metavar="PREFIX:URL",
        help="databases, such as default:postgres://user:password@host:5432/name; further ones for extensions have "
        "prefixes of their own. Other users see a command line: --dburl-file or DATABASE_URL (without a prefix, for "
        "the default) in the environment keep passwords to yourself (default: questions are asked)",
    )
    parser.add_argument("--dburl-file", metavar="FILE", type=Path, help="file of lines PREFIX:URL")
    parser.add_argument("--domain", "--hostname", help="host name of the panel (default: it is asked for)")
    parser.add_argument(
        "--lang", default="en-us", help="language for those who have not chosen (default: en-us)"
    )
    parser.add_argument("--timezone", default="UTC", help="time zone, such as Europe/Paris (default: UTC)")
    parser.add_argument("--collectstatic", action="store_true", help="collect the static files")
    parser.add_argument(
        "--devel", action="store_true", help="settings for development: never reachable from a network"
    )
    parser.add_argument(
        "--extensions",
        nargs="+",
        default=[],
        metavar="NAME",
        help="packages to install with pip; “all” asks the public API (MODOBOA_API_URL) which there are",
    )
    parser.add_argument(
        "--dont-install-extensions", action="store_true", help="the extensions are installed already"
    )
    parser.add_argument(
        "--admin-username", default="admin", help="name of the first administrator (default: admin)"
    )
    parser.add_argument(
        "--admin-password-file",
        type=Path,
        metavar="FILE",
        help="file whose first line is his password; MODOBOA_ADMIN_PASSWORD in the environment works, too "
        "(default: a random one, shown once)",
    )
    parser.add_argument("--verbose", action="store_true", help="show every step and what it says")
    return parser


def _wish(options: argparse.Namespace) -> deploying.Wish:
    values = vars(options).copy()
    del values["verbose"]
    values["install_extensions"] = not values.pop("dont_install_extensions")
    return deploying.Wish(**values)
