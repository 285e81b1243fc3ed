"""What gunicorn serves for bench/api.py: the panel with the addresses of api_bare.py."""

from __future__ import annotations

from django.conf import settings

from modoboa_site.wsgi import application

__all__ = ["application"]

settings.ROOT_URLCONF = "bench.api_bare"
