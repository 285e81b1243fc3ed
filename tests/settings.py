"""Settings of the tests: the product's own, without TLS and without a build step for static files."""

import os

os.environ.setdefault("MODOBOA_SECRET_KEY", "only-for-tests")
os.environ.setdefault("MODOBOA_SSL_REDIRECT", "no")

from modoboa_site.settings import *  # noqa: F403  the environment must be set first
from modoboa_site.settings import STORAGES

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sessionid", "csrftoken"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True
