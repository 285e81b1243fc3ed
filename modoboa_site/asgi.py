"""ASGI entry point: ``uvicorn modoboa_site.asgi:application``."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modoboa_site.settings")

application = get_asgi_application()

from core.checks import refuse_development_password  # noqa: E402  the apps are loaded now

refuse_development_password()
