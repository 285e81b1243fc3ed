"""How this panel's own commands are started, from whichever server runs it."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings


def python() -> str:
    """The interpreter of this environment: inside uWSGI and mod_wsgi ``sys.executable`` is the server."""
    own = Path(sys.prefix, "bin", "python3")
    return str(own) if own.exists() else sys.executable


def manage() -> list[str]:
    """The words before the name of a command."""
    script = Path(settings.INSTANCE_DIR, "manage.py")
    return [python(), str(script)] if script.exists() else [python(), "-m", "django"]
