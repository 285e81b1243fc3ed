"""Settings of the tests: the product's own, without TLS and without a build step for static files."""

import os

os.environ.setdefault("MODOBOA_SECRET_KEY", "only-for-tests")
os.environ.setdefault("MODOBOA_SSL_REDIRECT", "no")

from modoboa_site.settings import *  # noqa: F403  the environment must be set first
from modoboa_site.settings import DATABASES, STORAGES

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sessionid", "csrftoken"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_AUTOREFRESH = True
MODOBOA_DNS_SERVERS = [("127.0.0.1", 9)]  # nobody: a test that asks the DNS brings its own server

_database = DATABASES["default"]
if _database["ENGINE"].endswith("sqlite3"):
    # A file: threads and mail servers open it as well. What a crash would lose is worth nothing here.
    _database["TEST"] = {"NAME": f"{_database['NAME']}.test"}
    _database["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
