"""The example plugin as an administrator installs it, and some broken ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).resolve().parents[2]

BROKEN: Final[Mapping[str, Mapping[str, str]]] = {
    "broken_import": {"__init__.py": "raise ImportError('no such library')\n"},
    "broken_models": {
        "models.py": "from django.db import models\n\n\nclass Half(models.Model):\n    pass\n\n\n1 / 0\n",
        "migrations/__init__.py": "",
        "migrations/0001_initial.py": "from broken_models.models import Half\n",
        "modo_extension.py": "",
    },
    "broken_ready": {
        "apps.py": (
            "from django.apps import AppConfig\n\n\nclass Config(AppConfig):\n    name = 'broken_ready'\n\n"
            "    def ready(self):\n        raise RuntimeError('not ready')\n"
        ),
    },
    "broken_load": {
        "load": "        signals.extra_admin_menu_entries.connect(menu)\n        {}['missing']\n"
    },
    "broken_settings": {
        "settings.py": "def apply(settings):\n    settings['NO']['WAY'] = 1\n",
        "load": "        pass\n",
    },
    "broken_tags": {
        "templatetags/__init__.py": "",
        "templatetags/tags.py": "import not_there_any_more\n",
        "load": "        pass\n",
    },
    "broken_migrations": {
        "migrations/__init__.py": "",
        "migrations/0001_initial.py": "import not_there_any_more\n",
        "load": "        pass\n",
    },
    "broken_command": {
        "management/__init__.py": "",
        "management/subcommands/__init__.py": "",
        "management/subcommands/greet.py": "import not_there_any_more\n",
        "management/subcommands/publish.py": "class Command:\n    pass\n",
        "load": "        pass\n",
        "known_problems.py": "known_problems = ['no problem']\n",
    },
    "broken_urls": {"urls.py": "from . import nothing_like_this\n", "load": "        pass\n"},
    "wrong_urls": {"urls.py": "urlpatterns = [1, 2]\n", "load": "        pass\n"},
    "broken_data": {
        "load": "        pass\n\n    def load_initial_data(self):\n        raise ValueError('no data today')\n"
    },
    "silent": {"modo_extension.py": ""},
    "plain": {},
    "core": {},
    "admin": {},
}
_EXTENSION: Final = """from modoboa.core import signals
from modoboa.core.extensions import ModoExtension, exts_pool


def menu(**_sent):
    return [{{"label": "Of a broken plugin", "url": "/nowhere/"}}]


class Extension(ModoExtension):
    name = "{name}"
    label = "{name}"

    def load(self):
{load}

exts_pool.register_extension(Extension)
"""


def install(target: Path) -> None:
    """Install the example with pip, without a network, into *target*."""
    command = (
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--root-user-action=ignore",
        "--target",
        str(target),
    )
    # A copy: building writes beside the sources.
    source = target.with_name("example-plugin")
    shutil.copytree(TOP / "docs" / "example-plugin", source)
    subprocess.run((*command, str(source)), check=True, cwd=target.parent)  # noqa: S603  our own words


def write_broken(target: Path) -> None:
    """Put the broken ones beside it."""
    for name, files in BROKEN.items():
        if name in {"core", "admin"}:
            continue  # they are the panel's
        package = target / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        for file, text in files.items():
            path = package / ("modo_extension.py" if file == "load" else file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_EXTENSION.format(name=name, load=text) if file == "load" else text)


def environment(target: Path, data: Path, *, broken: bool = False) -> dict[str, str]:
    """Variables of a panel of its own that has the plugins, and nothing of the run that starts it."""
    names = ["example_plugin", *(BROKEN if broken else ()), *(["no_such_plugin"] if broken else [])]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "MODOBOA_", "DJANGO_", "DATABASE_URL"))
    }
    return kept | {
        "MODOBOA_APPS": ",".join(names),
        "MODOBOA_DATA_DIR": str(data),
        "PYTHONPATH": os.pathsep.join([str(target), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
