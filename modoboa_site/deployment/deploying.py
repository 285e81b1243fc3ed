"""``deploy``: an instance, its database and its first administrator.

Whatever can be refused is looked at before anything is made, and the directory appears complete. A step that fails
afterwards leaves it there, and says so, and how to go on.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files as resources
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured

from modoboa_site import databases
from modoboa_site.deployment import extensions
from modoboa_site.deployment.answers import ask, ask_for_database, ask_secret
from modoboa_site.deployment.problems import Problem
from modoboa_site.languages import LANGUAGES

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII | re.IGNORECASE)
_PREFIX = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_SCHEMES = frozenset({"postgres", "postgresql", "mysql", "sqlite"})
_PLACEHOLDER = re.compile(r"@([a-z]+)@")
_TEXTS = {
    "manage.py": "manage.py.txt",
    "{name}/settings.py": "settings.py.txt",
    "{name}/urls.py": "urls.py.txt",
    "{name}/wsgi.py": "wsgi.py.txt",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line says. None: it says nothing."""

    name: str
    dburl: list[str] | None = None
    dburl_file: Path | None = None
    domain: str | None = None
    lang: str = "en-us"
    timezone: str = "UTC"
    collectstatic: bool = False
    devel: bool = False
    extensions: list[str] = field(default_factory=list)
    install_extensions: bool = True
    admin_username: str = "admin"
    admin_password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the new instance, and what to look at when it fails."""

    words: tuple[str, ...]
    hint: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    # A file that is a database is nobody else's; -1: as it is.
    umask: int = 0o077


def deploy(wish: Wish, *, verbose: bool = False) -> None:
    """Do it; raises :class:`Problem`."""
    place = Path(wish.name).absolute()
    _check(wish, place)
    urls = _databases(wish)
    host = _host_name(wish)
    password = _password(wish, asked=not (wish.domain is not None and _is_given(wish)))
    packages = extensions.wanted(wish.extensions)
    if packages and wish.install_extensions:
        extensions.install(packages, verbose=verbose)
    apps = [extensions.app_of(package) for package in packages]
    extensions.require(apps)
    _make(place, _texts(wish.name, urls, apps), _variables(wish, urls, host))
    _run(list(_steps(wish, password)), place, verbose=verbose)


# --- what is wanted ---------------------------------------------------------------------------------------------


def _check(wish: Wish, place: Path) -> None:
    """Refuse what cannot be used."""
    if not _NAME.fullmatch(wish.name):
        raise Problem(
            f"“{wish.name}” cannot be the name of an instance: letters, digits and _, a letter first."
        )
    if find_spec(wish.name) is not None and not place.exists():
        raise Problem(f"There is a Python package named “{wish.name}” already: choose another name.")
    if place.exists():
        raise Problem(f"{place} exists already. Nothing was changed.")
    if not os.access(place.parent, os.W_OK):
        raise Problem(f"You may not write to {place.parent}.")
    if _language(wish) not in dict(LANGUAGES):
        known = ", ".join(code for code, _name in LANGUAGES)
        raise Problem(f"“{wish.lang}” is no language of the panel: {known}.")
    try:
        ZoneInfo(wish.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Problem(f"“{wish.timezone}” is no time zone, such as Europe/Paris.") from error


def _language(wish: Wish) -> str:
    """The code of the panel's language that *wish* names, perhaps by a variant such as en-us."""
    code = wish.lang.lower()
    return code if code in dict(LANGUAGES) else code.partition("-")[0]


def _is_given(wish: Wish) -> bool:
    return bool(wish.dburl or wish.dburl_file or os.environ.get("DATABASE_URL"))


def _databases(wish: Wish) -> dict[str, str]:
    """URLs by prefix. Raises :class:`Problem` when a driver is missing, or nobody answers the questions."""
    words = list(wish.dburl or ())
    if wish.dburl_file:
        try:
            words += wish.dburl_file.read_text(encoding="utf-8").split()
        except (OSError, UnicodeError) as error:
            raise Problem(f"{wish.dburl_file} cannot be read: {error}") from error
    urls: dict[str, str] = {}
    for word in words:
        prefix, url = _parsed(word)
        urls[prefix] = url
    if "default" not in urls and (given := os.environ.get("DATABASE_URL")):
        urls["default"] = _checked("default", given)
    if "default" not in urls:
        urls["default"] = ask_for_database("default")
    return urls


def _parsed(word: str) -> tuple[str, str]:
    """Prefix and URL; questions instead of one that is no database URL."""
    prefix, colon, url = word.partition(":")
    # The word is not repeated: it may hold a password.
    if not (colon and _PREFIX.fullmatch(prefix)):
        raise Problem("A database of --dburl is written as PREFIX:URL, such as default:postgres://…")
    if prefix in _SCHEMES:
        raise Problem(f"A database of --dburl has no prefix: write default:{prefix}://…")
    return prefix, _checked(prefix, url)


def _checked(prefix: str, url: str) -> str:
    name = f"The URL of the database “{prefix}”"
    if not url.isprintable():
        raise Problem(f"{name} has characters that cannot be written to a file of lines: encode them (%0A).")
    try:
        found = databases.parse(url, name)
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr)
        return ask_for_database(prefix)
    except ImportError as error:
        raise Problem(
            f"The driver of that database is missing: {error} (extras of setup.py name it)."
        ) from error
    if url.startswith("sqlite:") and not Path(str(found["NAME"])).is_absolute():
        raise Problem(
            f"{name} needs the absolute path of a file: sqlite:////srv/panel.sqlite3, four slashes."
        )
    return url


def _host_name(wish: Wish) -> str:
    host = ask("Host name of the panel", "localhost") if wish.domain is None else wish.domain or "localhost"
    if not _HOST_NAME.fullmatch(host):
        raise Problem(f"“{host}” is no host name, such as panel.example.org.")
    return host.lower()


def _password(wish: Wish, *, asked: bool) -> str:
    """Of the first administrator; blank: a random one, or the one of development instances."""
    if wish.admin_password_file:
        try:
            password = wish.admin_password_file.read_text(encoding="utf-8").split("\n", 1)[0]
        except (OSError, UnicodeError) as error:
            raise Problem(f"{wish.admin_password_file} cannot be read: {error}") from error
        if not password:
            raise Problem(f"The first line of {wish.admin_password_file} is empty.")
        return password
    if given := os.environ.get("MODOBOA_ADMIN_PASSWORD"):
        return given
    return ask_secret("Password of the first administrator (empty: a random one is shown)") if asked else ""


# --- files ------------------------------------------------------------------------------------------------------


def _variables(wish: Wish, urls: Mapping[str, str], host: str) -> dict[str, str]:
    """What panel.env says."""
    variables = {
        "MODOBOA_SECRET_KEY": os.environ.get("MODOBOA_SECRET_KEY") or secrets.token_urlsafe(64),
        "MODOBOA_SITE_HOST": host,
        "MODOBOA_LANGUAGE": _language(wish),
        "MODOBOA_TIME_ZONE": wish.timezone,
    }
    if wish.devel:
        variables["MODOBOA_DEBUG"] = "yes"
    return variables | {_variable_of(prefix): url for prefix, url in urls.items()}


def _variable_of(prefix: str) -> str:
    return "DATABASE_URL" if prefix == "default" else f"{prefix.upper()}_DATABASE_URL"


def _texts(name: str, urls: Mapping[str, str], apps: list[str]) -> dict[str, str]:
    """The files without secrets, by path."""
    further = [
        f'DATABASES["{prefix}"] = databases.from_environment("{_variable_of(prefix)}")\n'
        for prefix in urls
        if prefix != "default"
    ]
    values = {
        "name": name,
        "python": sys.executable,
        "databases": "".join(["\n", *further] if further else []),
        "apps": "".join(f'        "{app}",\n' for app in apps),
    }
    here = resources("modoboa_site.deployment") / "instance"
    filled = {
        path.format(name=name): _PLACEHOLDER.sub(
            lambda found: values[found[1]], (here / text).read_text(encoding="utf-8")
        )
        for path, text in _TEXTS.items()
    }
    return {f"{name}/__init__.py": "", **filled}


def _make(place: Path, texts: Mapping[str, str], variables: Mapping[str, str]) -> None:
    """All files, or none: they are put together under another name."""
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        draft.mkdir(mode=0o700)
        for path, text in texts.items():
            file = draft / path
            file.parent.mkdir(mode=0o755, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            file.chmod(0o755 if path == "manage.py" else 0o644)
        for name, mode in (("media", 0o750), (".data", 0o700)):
            (draft / name).mkdir()
            (draft / name).chmod(mode)
        descriptor = os.open(draft / "panel.env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file_of_secrets:
            file_of_secrets.writelines(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
        (draft / place.name).chmod(0o755)
        draft.chmod(0o755)
        draft.rename(place)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError | UnicodeError):
            raise Problem(f"{place} could not be made: {error}. Nothing is left of it.") from error
        raise


# --- steps ------------------------------------------------------------------------------------------------------


def _steps(wish: Wish, password: str) -> Iterator[Step]:
    yield Step(
        ("migrate", "--no-input"),
        "Is the database server running, is there such a database, and may this user make tables in it?",
    )
    yield Step(
        ("load_initial_data", "--admin-username", wish.admin_username),
        "Is the name a possible one, and the password good enough?",
        {"MODOBOA_ADMIN_PASSWORD": password} if password else {},
    )
    if wish.collectstatic:
        yield Step(("collectstatic", "--no-input"), "Is there room on the disk?", umask=-1)


def _run(steps: list[Step], place: Path, *, verbose: bool) -> None:
    for number, step in enumerate(steps):
        if verbose:
            print("manage.py", *step.words, flush=True)
        done = subprocess.run(  # noqa: S603  our own commands
            [sys.executable, "manage.py", *step.words],
            cwd=place,
            env={**_environment(), **step.secrets},
            umask=step.umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Problem(
                f"{done.stdout}{done.stderr}"
                f"manage.py {shlex.join(step.words)} failed. {step.hint}\n" + _way_on(steps[number:], place)
            )
        # The password of the first administrator is shown once, whoever listens.
        if verbose or step.words[0] == "load_initial_data":
            print(done.stdout, end="", flush=True)
            print(done.stderr, end="", file=sys.stderr, flush=True)


def _environment() -> dict[str, str]:
    """Without settings of another panel: those of the new one are in its file."""
    return {
        name: value
        for name, value in os.environ.items()
        if not (
            name.startswith("MODOBOA_") or name.endswith("DATABASE_URL") or name == "DJANGO_SETTINGS_MODULE"
        )
    }


def _way_on(left: list[Step], place: Path) -> str:
    lines = [f"{place} was made and stays. Mend what is wrong, then, in that directory:"]
    lines += [f"    {sys.executable} manage.py {shlex.join(step.words)}" for step in left]
    lines.append("Or remove the directory and deploy again.")
    return "\n".join(lines)
