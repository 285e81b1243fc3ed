"""Extensions: which there are, and their installation."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from http.client import HTTPException
from importlib.util import find_spec
from typing import Final
from urllib.parse import urljoin, urlsplit
from urllib.request import Request, urlopen

from modoboa_site.deployment.problems import Problem

_PUBLIC_API: Final = "https://api.modoboa.org/1/"
_LIMIT_S: Final = 15.0
_MOST_BYTES: Final = 1_000_000
# What the public API names is handed to pip: nothing but a name of our own packages.
_OFFERED: Final = re.compile(r"modoboa[-_][a-z0-9_-]{1,60}", re.ASCII)
_GIVEN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)


def wanted(names: Iterable[str]) -> list[str]:
    """Packages; “all” stands for what the public API offers."""
    given = list(dict.fromkeys(names))
    if "all" in given:
        given = offered()
    for name in given:
        if not _GIVEN.fullmatch(name):
            raise Problem(f"“{name}” is no name of an extension.")
    return given


def app_of(package: str) -> str:
    """The app in a package."""
    return package.replace("-", "_")


def offered() -> list[str]:
    """What the public API lists; raises :class:`Problem`."""
    url = urljoin(os.environ.get("MODOBOA_API_URL", _PUBLIC_API).rstrip("/") + "/", "extensions/")
    if urlsplit(url).scheme not in {"https", "http"}:
        raise Problem(f"MODOBOA_API_URL must begin with https:// (it is {url}).")
    try:
        listed = json.loads(_read(url))
        names = [entry["name"] if isinstance(entry, dict) else entry for entry in listed]
    except (OSError, HTTPException) as error:  # URLError and time limits are OSErrors
        raise Problem(
            f"The public API did not answer ({url}): {error}. Name the extensions instead of “all”."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(f"The public API answered something else than a list of extensions ({url}).") from error
    strange = [name for name in names if not (isinstance(name, str) and _OFFERED.fullmatch(name))]
    if strange or not names:
        raise Problem(f"The public API answered something else than a list of extensions ({url}).")
    return sorted(dict.fromkeys(names))


def _read(url: str) -> bytes:
    """The whole answer, in limited time and space."""
    deadline = time.monotonic() + _LIMIT_S
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310  offered() looked at the scheme
    with urlopen(request, timeout=_LIMIT_S) as answer:  # noqa: S310  as above
        pieces: list[bytes] = []
        while piece := answer.read1(65_536):
            pieces.append(piece)
            if time.monotonic() > deadline:
                raise TimeoutError("it takes too long")
            if sum(map(len, pieces)) > _MOST_BYTES:
                raise ValueError("too long")
        return b"".join(pieces)


def install(packages: Iterable[str], *, verbose: bool) -> None:
    """With pip, into the environment that runs this; raises :class:`Problem` with what pip said."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *packages]
    done = subprocess.run(command, capture_output=not verbose, text=True, check=False)  # noqa: S603  names of packages
    if done.returncode:
        said = "".join(text for text in (done.stdout, done.stderr) if text)
        raise Problem(f"{said}pip could not install {', '.join(packages)}. Nothing was made.")
    importlib.invalidate_caches()


def require(apps: Iterable[str]) -> None:
    """Raise :class:`Problem` unless all of them can be imported."""
    if missing := [app for app in apps if find_spec(app) is None]:
        raise Problem(f"There is no module {', '.join(missing)} here. Nothing was made.")
