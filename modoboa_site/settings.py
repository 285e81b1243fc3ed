"""Settings of the panel: everything that differs between machines comes from the environment.

docs/installation.md lists the variables. Outside debug mode the panel refuses to start without a secret key,
and `manage.py check --deploy` is clean with the documented production variables.
"""

from importlib import import_module
from pathlib import Path

from csp.constants import NONE, SELF

from modoboa_site import databases, languages
from modoboa_site import environment as env

# Where the code is, and where manage.py is: the same in a source tree, not in an instance (modoboa-admin.py deploy).
BASE_DIR = Path(__file__).resolve().parent.parent
INSTANCE_DIR = Path(env.text("MODOBOA_INSTANCE_DIR", str(BASE_DIR)))

DEBUG = env.boolean("MODOBOA_DEBUG", default=False)
SECRET_KEY = env.text("MODOBOA_SECRET_KEY", "only-for-debug-on-loopback" if DEBUG else None)
SITE_HOST = env.text("MODOBOA_SITE_HOST", "localhost")
# What links in mail begin with; never what a visitor's browser calls this site.
SITE_ORIGIN = env.text(
    "MODOBOA_SITE_ORIGIN", f"http://{SITE_HOST}:8000" if DEBUG else f"https://{SITE_HOST}"
).rstrip("/")
ALLOWED_HOSTS = env.words(
    "MODOBOA_ALLOWED_HOSTS", default=("localhost", "127.0.0.1", "[::1]") if DEBUG else (SITE_HOST,)
)
CSRF_TRUSTED_ORIGINS = env.words("MODOBOA_TRUSTED_ORIGINS")
DATA_DIR = Path(env.text("MODOBOA_DATA_DIR", str(INSTANCE_DIR / ".data")))
# What plugins encrypt (core/encryption.py): the first one is used, older ones still read; none: SECRET_KEY.
MODOBOA_ENCRYPTION_KEYS = env.words("MODOBOA_ENCRYPTION_KEYS")

INSTALLED_APPS = [
    "core.apps.CoreConfig",
    "parameters.apps.ParametersConfig",
    "limits.apps.LimitsConfig",
    "admin.apps.AdminConfig",
    "relaydomains.apps.RelaydomainsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # the assets of the page
    "reversion",
    "csp",
    "django_htmx",
    "template_partials.apps.SimpleAppConfig",  # the loaders are named below
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",  # every view is closed unless it says otherwise
    "core.middleware.ActorMiddleware",
    "parameters.middleware.LocalConfigMiddleware",
    "core.middleware.PluginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "core.middleware.NoStoreMiddleware",
]

ROOT_URLCONF = "modoboa_site.urls"
WSGI_APPLICATION = "modoboa_site.wsgi.application"
ASGI_APPLICATION = "modoboa_site.asgi.application"

_LOADERS = ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"]
if not DEBUG:
    _LOADERS = [("django.template.loaders.cached.Loader", _LOADERS)]  # type: ignore[list-item]  # Django's own shape
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [("template_partials.loader.Loader", _LOADERS)],
            "builtins": ["template_partials.templatetags.partials", "core.templatetags.panel"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "core.navigation.context",
                "core.plugin_parts.context",
            ],
        },
    },
]
FORM_RENDERER = "core.form_rendering.PanelRenderer"

# MariaDB and MySQL leave out the index of administrators alone: they look for them in the whole table (models.W037).
SILENCED_SYSTEM_CHECKS = ["models.W037"]

# --- database -------------------------------------------------------------------------------------------------

DATABASES = {"default": databases.from_environment("DATABASE_URL", f"sqlite:///{DATA_DIR / 'panel.sqlite3'}")}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people ---------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["core.authentication.PanelBackend"]
LOGIN_URL = "core:sign_in"
LOGIN_REDIRECT_URL = "core:root"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {
        "NAME": "core.validators.ComplexityValidator",
        "OPTIONS": {"upper": 1, "lower": 1, "digits": 1, "specials": 0},
    },
]
PASSWORD_RESET_TIMEOUT = 3600
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# --- outside worlds -------------------------------------------------------------------------------------------

# The server that takes mail from the panel to people. On a developer's machine it is shown on the console instead.
EMAIL_HOST = env.text("MODOBOA_MAIL_HOST", "" if DEBUG else "localhost")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = env.integer("MODOBOA_MAIL_PORT", default=25)
EMAIL_HOST_USER = env.text("MODOBOA_MAIL_USER", "")
EMAIL_HOST_PASSWORD = env.text("MODOBOA_MAIL_PASSWORD", "")
_mail_tls = env.choice("MODOBOA_MAIL_TLS", ("none", "starttls", "tls"), default="none")
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail_tls == "starttls", _mail_tls == "tls"
EMAIL_TIMEOUT = 10

# Recursive name servers to ask instead of the system's.
MODOBOA_DNS_SERVERS = env.endpoints("MODOBOA_DNS_SERVERS", default_port=53)

# Where mail is kept; only handle_mailbox_operations, run by the owner of mail, looks at it.
MODOBOA_MAIL_ROOT = env.text("MODOBOA_MAIL_ROOT", "/srv/vmail")
# Where to look for Dovecot's programs when they are neither in PATH nor in the usual places.
DOVECOT_LOOKUP_PATH = env.words("MODOBOA_DOVECOT_LOOKUP_PATH")

# --- API ------------------------------------------------------------------------------------------------------

# Of one token, counted over all processes; 0: no limit.
MODOBOA_API_REQUESTS_PER_MINUTE = env.integer("MODOBOA_API_REQUESTS_PER_MINUTE", default=600)
MODOBOA_API_MAX_BODY_BYTES = env.integer("MODOBOA_API_MAX_BODY_BYTES", default=1_000_000)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": (
        "core.api.authentication.TokenAuthentication",  # first: it says how to, with a 401
        "core.api.authentication.BrowserAuthentication",
    ),
    "DEFAULT_PERMISSION_CLASSES": ("core.api.authentication.WithinScopes",),
    "DEFAULT_RENDERER_CLASSES": ("core.api.rendering.PlainJSONRenderer",),
    "DEFAULT_PARSER_CLASSES": (
        "core.api.parsing.StrictJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ),
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.EndpointSchema",
    "EXCEPTION_HANDLER": "core.api.errors.answer_to",
    "SCHEMA_COERCE_PATH_PK": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Modoboa API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

# --- grammar --------------------------------------------------------------------------------------------------

MODOBOA_UTF8_LOCAL_PARTS = env.boolean("MODOBOA_UTF8_LOCAL_PARTS", default=False)
# Own host name and names that no customer of ours can own; a super admin may still add them.
MODOBOA_RESERVED_DOMAINS = (SITE_HOST, *env.words("MODOBOA_RESERVED_DOMAINS"))

# --- language and time ----------------------------------------------------------------------------------------

LANGUAGE_CODE = env.text("MODOBOA_LANGUAGE", "en")
LANGUAGES = languages.LANGUAGES
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.text("MODOBOA_TIME_ZONE", "UTC")
USE_TZ = True

# --- files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/sitestatic/"
STATIC_ROOT = Path(env.text("MODOBOA_STATIC_ROOT", str(INSTANCE_DIR / "sitestatic")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
    },
}

# Files that people put there, and those of plugins. The panel shows nobody anything in it but the logo.
MEDIA_URL = "/media/"
MEDIA_ROOT = Path(env.text("MODOBOA_MEDIA_ROOT", str(DATA_DIR / "media")))
# A picture below MEDIA_URL instead of our name, and one for dark backgrounds.
MODOBOA_CUSTOM_LOGO = env.text("MODOBOA_CUSTOM_LOGO", "")
MODOBOA_CUSTOM_LOGO_DARK = env.text("MODOBOA_CUSTOM_LOGO_DARK", "")

# --- the browser's safety belts -------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
if not DEBUG:
    SECURE_SSL_REDIRECT = env.boolean("MODOBOA_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = env.integer("MODOBOA_HSTS_S", default=365 * 24 * 3600)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean("MODOBOA_HSTS_SUBDOMAINS", default=True)
    SECURE_HSTS_PRELOAD = env.boolean("MODOBOA_HSTS_PRELOAD", default=True)
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    if env.boolean("MODOBOA_BEHIND_TLS_PROXY", default=False):
        # The generated proxy samples overwrite this header; without such a proxy it must not be trusted.
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Peers whose X-Forwarded-For is believed (addresses); everybody else is logged as seen on the socket.
MODOBOA_TRUSTED_PROXIES = env.words("MODOBOA_TRUSTED_PROXIES")

# The longest file that somebody imports in a browser.
MODOBOA_IMPORT_MAX_MB = env.integer("MODOBOA_IMPORT_MAX_MB", default=200)
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "django.server": {
            "handlers": ["stderr"],
            "level": "INFO" if DEBUG else "WARNING",
            "propagate": False,
        },
        "modoboa": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}

# --- plugins: last, because they may change everything above ---------------------------------------------------

MODOBOA_APPS = env.words("MODOBOA_APPS")
# By name: mypy reads the settings before the models, and what it would meet on this way changes how it types them.
_plugins = import_module("core.plugins")
# Django takes configurations beside names; those of plugins know what to do when something in them is broken.
INSTALLED_APPS += [*_plugins.installed(MODOBOA_APPS, INSTALLED_APPS), "modoboa_site.apps.SiteConfig"]
MIGRATION_MODULES: dict[str, str | None] = {}
_plugins.apply_settings(globals())
