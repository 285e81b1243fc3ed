"""WSGI entry point: ``gunicorn modoboa_site.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modoboa_site.settings")

application = get_wsgi_application()

from core.checks import refuse_development_password  # noqa: E402  the apps are loaded now

refuse_development_password()
