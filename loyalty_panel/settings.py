"""The one settings file. Every variable it reads is explained in dotenv-sample."""

from pathlib import Path

import django
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from loyalty_panel.logs import logging_config
from loyalty_panel.modes import (
    Mode,
    check_ca_file,
    check_fernet_key,
    check_secret,
    check_tasks_engine,
    check_url,
    mail_options,
    read_mode,
    throwaway_fernet_key,
    throwaway_secret,
)
from stores.loopback import is_loopback

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

LOYALTY_MODE = read_mode(env.str("LOYALTY_MODE", default="production"))
PRODUCTION = LOYALTY_MODE is Mode.PRODUCTION
DEMO = LOYALTY_MODE is Mode.DEMO
if PRODUCTION:
    # The file of the machine; what the environment already holds wins over it.
    environ.Env.read_env(BASE_DIR / ".env")

# Debug pages print local variables, and those hold customers.
DEBUG = False


# Secrets


def secret(name: str, value: str) -> str:
    return check_secret(name, value) if PRODUCTION else value or throwaway_secret(name)


SECRET_KEY = secret("SECRET_KEY", env.str("SECRET_KEY", default=""))
SECRET_KEY_FALLBACKS = [
    secret("SECRET_KEY_FALLBACKS", old) for old in env.list("SECRET_KEY_FALLBACKS", default=[])
]
BLIND_INDEX_KEY = secret("BLIND_INDEX_KEY", env.str("BLIND_INDEX_KEY", default=""))
PIN_PEPPER = secret("PIN_PEPPER", env.str("PIN_PEPPER", default=""))
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[])
if not ENCRYPTION_KEYS and not PRODUCTION:
    ENCRYPTION_KEYS = [throwaway_fernet_key("ENCRYPTION_KEYS")]
if PRODUCTION:
    for key in ENCRYPTION_KEYS or [""]:
        check_fernet_key("ENCRYPTION_KEYS", key)


# Where we are

PUBLIC_URL = check_url(
    "PUBLIC_URL",
    env.str("PUBLIC_URL", default="" if PRODUCTION else "http://127.0.0.1:8000"),
    LOYALTY_MODE,
)
ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=[] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]", "testserver"]
)
if PRODUCTION and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS is not set: the host names that we answer to.")
if DEMO and not all(is_loopback(host) or host == "testserver" for host in ALLOWED_HOSTS):
    raise ImproperlyConfigured(
        "LOYALTY_MODE=demo logs people in without a password: ALLOWED_HOSTS must be loopback names."
    )
# The one whose panel opens without a log-in in the demo; `seed_demo` makes it.
DEMO_INSTALLATION = "demo"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
ROOT_URLCONF = "loyalty_panel.urls"
WSGI_APPLICATION = "loyalty_panel.wsgi.application"

# So many proxies stand in front, each of which adds whom it saw to X-Forwarded-For.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
if TRUSTED_PROXIES < 0:
    raise ImproperlyConfigured("TRUSTED_PROXIES must be 0 or more: how many proxies are in front.")


# People at a shared till

PIN_DIGITS = env.int("PIN_DIGITS", default=6)
if not 4 <= PIN_DIGITS <= 8:
    raise ImproperlyConfigured("PIN_DIGITS must be 4 to 8.")
# So long after the last thing that somebody did, a till where people sign in by PIN is locked.
IDLE_LOCK_SECONDS = env.int("IDLE_LOCK_SECONDS", default=180)
if not 30 <= IDLE_LOCK_SECONDS <= 3600:
    raise ImproperlyConfigured("IDLE_LOCK_SECONDS must be 30 to 3600; 120 to 300 is usual.")
# That somebody did something is written in batches, at most this often; the tests write them.
ACTIVE_SECONDS = None if LOYALTY_MODE is Mode.TEST else 5.0


# The loyalty engine

YOTPO_BASE_URL = check_url(
    "YOTPO_BASE_URL",
    env.str(
        "YOTPO_BASE_URL",
        default="https://loyalty.yotpo.com/api/v2"
        if PRODUCTION
        else "http://127.0.0.1:8701/api/v2",
    ),
    LOYALTY_MODE,
)
YOTPO_GUID = env.str("YOTPO_GUID", default="" if PRODUCTION else "sandbox-guid")
YOTPO_API_KEY = env.str("YOTPO_API_KEY", default="" if PRODUCTION else "sandbox-key")
if not (YOTPO_GUID and YOTPO_API_KEY):
    raise ImproperlyConfigured(
        "YOTPO_GUID and YOTPO_API_KEY are not both set. Find them in the Loyalty admin, "
        "Settings, General settings."
    )
# Trusted beside the usual authorities: for a network whose proxy looks into TLS.
YOTPO_CA_FILE = check_ca_file("YOTPO_CA_FILE", env.str("YOTPO_CA_FILE", default=""))
# Calls a second that we allow ourselves; the engine's own headers lead where it sends them.
YOTPO_RATE_PER_SECOND = env.float("YOTPO_RATE_PER_SECOND", default=10.0)
# One total deadline for a call that changes something at the engine.
ENGINE_DEADLINE_SECONDS = env.float("ENGINE_DEADLINE_SECONDS", default=10.0)
# How long a redemption may stay unseen in the engine's history before we say it was not made.
ENGINE_SETTLE_SECONDS = env.float("ENGINE_SETTLE_SECONDS", default=120.0)
# Whether the engine takes the ids of orders and refunds as keys, as its reference lets one think:
# a second telling then changes nothing. With 0 a lost answer is read, else parked for a person.
ENGINE_KEYS_ORDERS = env.bool("ENGINE_KEYS_ORDERS", default=True)
# As many as gunicorn's --threads: so many tills may wait for the engine in one process.
WEB_THREADS = env.int("WEB_THREADS", default=100)
if WEB_THREADS < 1:
    raise ImproperlyConfigured("WEB_THREADS must be 1 or more: gunicorn's --threads.")
# Last known figures of members are written in batches, at most this often; the tests write them.
LAST_KNOWN_SECONDS = None if LOYALTY_MODE is Mode.TEST else 5.0
# As many as gunicorn's --workers, which reads the same variable.
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", default=4 if PRODUCTION else 1)
if WEB_CONCURRENCY < 1:
    raise ImproperlyConfigured("WEB_CONCURRENCY must be 1 or more: gunicorn's --workers.")
# What one API key may ask: so many a second, and so many at once after a pause. Each web process
# counts for itself and gives out its share, one in WEB_CONCURRENCY.
API_RATE_PER_SECOND = env.float("API_RATE_PER_SECOND", default=100.0)
API_BURST = env.int("API_BURST", default=1000)
if API_RATE_PER_SECOND <= 0 or API_BURST < 1:
    raise ImproperlyConfigured("API_RATE_PER_SECOND must be above 0, and API_BURST 1 or more.")
# Which offers have no codes left is read again so often, beside look-ups; the tests read it. With
# None (0 in the environment) nothing is hidden: the engine refuses then.
EMPTY_POOLS_SECONDS = env.float("EMPTY_POOLS_SECONDS", default=5.0) or None
if LOYALTY_MODE is Mode.TEST:
    EMPTY_POOLS_SECONDS = None
# When a key was last used is written in batches too.
LAST_USED_SECONDS = None if LOYALTY_MODE is Mode.TEST else 60.0
# Customers that may be looked up within an hour at one till, and by one associate: more than
# anybody serves. Counts are written in batches.
LOOK_UPS_OF_A_TILL = env.int("LOOK_UPS_OF_A_TILL", default=600)
LOOK_UPS_OF_AN_ASSOCIATE = env.int("LOOK_UPS_OF_AN_ASSOCIATE", default=600)
if min(LOOK_UPS_OF_A_TILL, LOOK_UPS_OF_AN_ASSOCIATE) < 1:
    raise ImproperlyConfigured("LOOK_UPS_OF_A_TILL and LOOK_UPS_OF_AN_ASSOCIATE must be 1 or more.")
LOOK_UPS_SECONDS = None if LOYALTY_MODE is Mode.TEST else 5.0
# Built once per process by the rooms that call the engine.
ENGINE_FACTORY = "loyalty_panel.routes.make_engine"


# Database

if PRODUCTION and not env.str("DATABASE_URL", default=""):
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. Use sqlite:////absolute/path or postgres://user:password@host/name"
    )
DATABASES = {
    "default": env.db(
        "DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'var' / LOYALTY_MODE}.sqlite3"
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    # Django's own, with a queue for those who write.
    DATABASES["default"]["ENGINE"] = "database.sqlite3"
    DATABASES["default"]["OPTIONS"] = {
        # A transaction that reads first and writes later fails under load; IMMEDIATE waits.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: a row that says "we are about to spend points" must survive a power cut.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # Opening the file costs more than all that a look-up reads in it, so each thread keeps its own;
    # not for ever, for a file that was put in its place would never be noticed.
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    # A file, so that several connections see one database, as they do in production.
    DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "var" / "test-suite.sqlite3"}
else:
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 20, "timeout": 10}}
    # A pool that outlives a test keeps its database from being dropped.
    if LOYALTY_MODE is Mode.TEST:
        DATABASES["default"]["OPTIONS"] = {}


# Background work

SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
# Runs the wake-ups of deliveries and the periodic jobs; what is to be done, our own tables say.
TASKS_ENGINE = check_tasks_engine(
    env.str("TASKS_ENGINE", default="django-tasks-db" if SQLITE else "procrastinate"), sqlite=SQLITE
)
TASKS = {
    "default": {
        "BACKEND": "outbox.engines.procrastinate_backend.ProcrastinateBackend"
        if TASKS_ENGINE == "procrastinate"
        else "django_tasks_db.DatabaseBackend"
    }
}
# The tables of both where both can be, so that an engine is changed by its variable alone. From
# Django 6.0 on the Tasks API is part of it; until then a package lends it.
TASKS_APPS = [
    *(["django_tasks"] if django.VERSION < (6,) else []),
    "django_tasks_db",
    *([] if SQLITE else ["procrastinate.contrib.django"]),
]
PROCRASTINATE_IMPORT_PATHS = ["outbox.engines.procrastinate_backend"]
# So many deliveries at once in one worker process.
WORKER_THREADS = env.int("WORKER_THREADS", default=4)
if WORKER_THREADS < 1:
    raise ImproperlyConfigured("WORKER_THREADS must be 1 or more.")
# How much a worker stands back from web processes of the same machine, as of `nice`: 0 to 19.
WORKER_NICE = env.int("WORKER_NICE", default=5)
if not 0 <= WORKER_NICE <= 19:
    raise ImproperlyConfigured("WORKER_NICE must be 0 to 19.")
# Calls a second to each outside system; background work takes half of it beside people.
# What came in by a webhook is handled within the house: as fast as the database writes.
OUTSIDE_RATES = {
    "yotpo": YOTPO_RATE_PER_SECOND,
    "mail": 5.0,
    "alert_webhook": 10.0,
    "webhooks": 1000.0,
}
# Breakers and quotas are one for all processes; a test asks for that where it is about it.
SHARED_LIMITS = LOYALTY_MODE is not Mode.TEST
# Our ledger and the engine's are compared for so long after an act.
RECONCILE_DAYS = env.int("RECONCILE_DAYS", default=14)
if not 1 <= RECONCILE_DAYS <= 90:
    raise ImproperlyConfigured("RECONCILE_DAYS must be 1 to 90.")
# Kind of delivery -> outbox.routes.Route.
DELIVERY_ROUTES = "loyalty_panel.routes.DELIVERIES"
# Source of webhooks -> topic -> handler.
WEBHOOK_HANDLERS = "loyalty_panel.routes.WEBHOOKS"
# What an installation may be told: so many a second, and so many at once after a pause. Each web
# process gives out its share, one in WEB_CONCURRENCY.
WEBHOOK_RATE_PER_SECOND = env.float("WEBHOOK_RATE_PER_SECOND", default=50.0)
WEBHOOK_BURST = env.int("WEBHOOK_BURST", default=500)
if WEBHOOK_RATE_PER_SECOND <= 0 or WEBHOOK_BURST < 1:
    raise ImproperlyConfigured(
        "WEBHOOK_RATE_PER_SECOND must be above 0, and WEBHOOK_BURST 1 or more."
    )
# What a webhook says is kept for so long, for a person to read; then its body is emptied.
WEBHOOK_BODY_DAYS = env.int("WEBHOOK_BODY_DAYS", default=30)
if WEBHOOK_BODY_DAYS < 1:
    raise ImproperlyConfigured("WEBHOOK_BODY_DAYS must be 1 or more.")
# What is done again and again, and every how many seconds.
PERIODIC_JOBS = {
    "loyalty_panel.jobs.settle": 1.0,
    "outbox.sweeper.sweep": 5.0,
    "api.idempotency.prune": 3600.0,
    "access.pin_sessions.end_idle": 15.0,
    "access.tries.prune": 3600.0,
    "alerts.watching.watch": 30.0,
    "alerts.watching.prune": 3600.0,
    "webhooks.keeping.prune": 3600.0,
    "redemptions.told.prune": 3600.0,
    "offers.filling.discard_old_previews": 3600.0,
    "reconciliation.job.reconcile": 60.0,
}


# Alerts

# Each gives what a person should know of now, as `database.conditions` says.
ALERT_WATCHES = [
    "outbox.watches.watch_parked",
    "outbox.watches.watch_breakers",
    "redemptions.watches.watch_disputes",
    "redemptions.watches.watch_uncertain",
    "redemptions.watches.watch_points_not_gone",
    "access.watches.watch_harvesting",
    "redemptions.told.watch_questions",
    "webhooks.watches.watch_unhandled",
    "offers.watches.watch_pools",
    "reconciliation.watch.watch_differences",
    "sales.watches.watch_conflicts",
    "sales.watches.watch_refunds",
    "sales.watches.watch_remainders",
]
# Who is told of every alert, beside the recipients that managers add in the admin.
ALERT_EMAILS = env.list("ALERT_EMAILS", default=[])
ALERT_FROM_EMAIL = env.str("ALERT_FROM_EMAIL", default="loyalty-panel@localhost")
# What is gone for so long is over; what comes back before was there all the time.
ALERT_CALM_SECONDS = 600.0
# A webhook may lead to this machine, and without TLS: for the demo and the tests only.
ALERT_LOOPBACK = not PRODUCTION
ALERT_MAIL = mail_options(
    env.str("EMAIL_URL", default=""), env.float("EMAIL_TIMEOUT", default=10.0), LOYALTY_MODE
)


# Rooms

# Partials of templates are part of Django from 6.0 on; until then a package lends them.
LENT_APPS = ["template_partials"] if django.VERSION < (6,) else []
LENT_TAGS = [f"{app}.templatetags.partials" for app in LENT_APPS]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    *LENT_APPS,
    *TASKS_APPS,
    "audit",
    "stores",
    "access",
    "members",
    "offers",
    "outbox",
    "redemptions",
    "sales",
    "reconciliation",
    "associates",
    "api",
    "alerts",
    "webhooks",
    # Without it the API's docs page would load its scripts from a stranger's server.
    "ninja",
]
MIDDLEWARE = [
    "loyalty_panel.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # A secret beside what a stranger may put in can leak by the length (BREACH). The panel answers
    # nobody without a bearer, and the admin's log-in cookie is not sent across sites.
    "django.middleware.gzip.GZipMiddleware",
    "loyalty_panel.middleware.ContentSecurityPolicy",
    "loyalty_panel.middleware.ManagerSession",
    "loyalty_panel.middleware.NamedHosts",
    # A stale bearer must get 401, so that the panel renews it.
    "access.middleware.BearerMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "loyalty_panel.middleware.ManagerLogin",
    "loyalty_panel.middleware.ManagerMessages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "access.framing.PanelFraming",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": LENT_TAGS,
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator")
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    }
]


# Screens

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else BASE_DIR / "var" / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}


# Security

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
if env.bool("TRUST_PROXY_TLS", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
# django-csp sends this wherever a view says nothing else; the panel names its own ancestors.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# Nothing that a browser could lend us is used but the clipboard, for the code.
PERMISSIONS_POLICY: dict[str, str | list[str]] = {
    **{
        feature: []
        for feature in (
            "accelerometer",
            "autoplay",
            "camera",
            "display-capture",
            "fullscreen",
            "geolocation",
            "gyroscope",
            "hid",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "publickey-credentials-get",
            "serial",
            "usb",
        )
    },
    "clipboard-write": "self",
}
# A till sends a few hundred bytes; anything larger is a mistake or an attack.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024


# Watching

LOGGING = logging_config(json=PRODUCTION)
