"""Every setting of Acervo, in one place.

What an operator may set is read here from the environment by the loud readers of `project.env`
and listed in docs/configuration.md. Knobs of the domain (spaces, models, roles) live in the admin.
"""

import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from project.env import env_bool, env_int, env_limit, env_list, env_path, env_secret, env_str
from project.logs import configure_logs

BASE_DIR = Path(__file__).resolve().parent.parent

# -- Where things are ---------------------------------------------------------------------------

ACERVO_DATA = env_path("ACERVO_DATA", BASE_DIR / "var")
ACERVO_HOST = env_str("ACERVO_HOST", "127.0.0.1")
ACERVO_PORT = env_int("ACERVO_PORT", 8000, minimum=1)
PRODUCTION = env_bool("ACERVO_PRODUCTION", default=False)
DEBUG = env_bool("ACERVO_DEBUG", default=False)
MEDIA_ROOT = ACERVO_DATA / "uploads"
STATIC_ROOT = ACERVO_DATA / "static"
STATIC_URL = "/static/"


def _stored_secret(name: str) -> str:
    """Return the secret of that name in the data folder, made on first use (mode 0600)."""
    path = ACERVO_DATA / "secrets" / name
    try:
        if path.exists():
            return path.read_text(encoding="utf-8").strip()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = secrets.token_urlsafe(48)
        # Two processes may start at once: the link decides who wrote the secret.
        draft = path.with_name(f".{name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(fresh, encoding="utf-8")
        try:
            os.link(draft, path)
        except FileExistsError:
            return path.read_text(encoding="utf-8").strip()
        finally:
            draft.unlink()
    except OSError as error:
        message = (
            f"The data folder {ACERVO_DATA} cannot be used ({error.strerror}). "
            "Set ACERVO_DATA to a folder that this user may write to."
        )
        raise ImproperlyConfigured(message) from None
    else:
        return fresh


SECRET_KEY = env_secret("ACERVO_SECRET_KEY") or _stored_secret("django-secret-key")
SECRET_KEY_FALLBACKS = env_list("ACERVO_SECRET_KEY_FALLBACKS")

_public_url = env_str("ACERVO_PUBLIC_URL")
ACERVO_PUBLIC_URL = _public_url.rstrip("/")
ALLOWED_HOSTS = env_list("ACERVO_ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]", ACERVO_HOST])
if _public_url:
    ALLOWED_HOSTS.append(urlsplit(_public_url).hostname or "")
CSRF_TRUSTED_ORIGINS = [ACERVO_PUBLIC_URL] if _public_url else []

# -- Apps ---------------------------------------------------------------------------------------

INSTALLED_APPS = [
    # It replaces runserver by an ASGI one; every other process starts 0.2 s sooner without it.
    *(["daphne"] if "runserver" in sys.argv else []),
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_prometheus",
    "simple_history",
    "axes",
    "csp",
    "project.apps.ProjectConfig",
    "project.http.apps.HttpConfig",
    "project.accounts",
    "project.inference",
    "project.events",
    "knowledge",
    "memory",
    "chat",
    "monitoring",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "project.http.middleware.TraceMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "project.accounts.middleware.PreferencesMiddleware",
    "project.http.visitors.VisitorLimitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
    "monitoring.middleware.FreshNumbersMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    "project.http.idempotency.IdempotencyMiddleware",  # last: see there
]

ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ]
        },
    }
]

# -- Postgres and Redis -------------------------------------------------------------------------


def _database(url: str) -> dict[str, Any]:
    """Return Django's settings for a `postgresql://` address."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        message = "DATABASE_URL must look like postgresql://user:password@host:5432/name."
        raise ImproperlyConfigured(message)
    return {
        "ENGINE": "project.database",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,  # connections live in the pool; anything else leaks them under ASGI
        "OPTIONS": {
            **dict(parse_qsl(parts.query)),
            "pool": {
                "min_size": 1,
                "max_size": env_int("ACERVO_DB_POOL", 12, minimum=2),
                "timeout": 10,
                "max_idle": 120,
            },
        },
    }


DATABASES = {
    "default": _database(env_str("DATABASE_URL", "postgresql://acervo@127.0.0.1:5432/acervo"))
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ACERVO_DB_THREADS = env_int("ACERVO_DB_THREADS", 8, minimum=1)
REDIS_URL = env_str("REDIS_URL", "redis://127.0.0.1:6379/0")

CACHES = {
    "default": {
        "BACKEND": "project.quick_cache.QuickCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "acervo",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.5,
            "SOCKET_TIMEOUT": 0.5,
        },
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
            "prefix": "acervo-asgi",
        },
    }
}

# -- Jobs ---------------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True  # outcomes are written on the rows that the tasks work for
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 1500
CELERY_TASK_SOFT_TIME_LIMIT = 1440
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 1800,
    "unacked_restore_throttle": 1,
    "health_check_interval": 25,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "global_keyprefix": "celery:",
}
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_ROUTES = {
    "knowledge.tasks.ingest*": {"queue": "ingest"},
    "chat.tasks.attachment_read": {"queue": "ingest"},
    "knowledge.tasks.node_index*": {"queue": "embed"},
    "knowledge.tasks.nodes_recut": {"queue": "embed"},
    "knowledge.tasks.proposal_prepare": {"queue": "embed"},
    "knowledge.tasks.generations_*": {"queue": "embed"},
    "memory.tasks.*": {"queue": "memory"},
    "project.events.tasks.*": {"queue": "webhooks"},
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
DJANGO_CELERY_BEAT_TZ_AWARE = True
CELERY_BEAT_SCHEDULE = {
    "jobs-recover": {"task": "knowledge.tasks.jobs_recover", "schedule": 30.0},
    "files-sweep": {"task": "knowledge.tasks.files_sweep", "schedule": 3600.0},
    "generations-maintain": {"task": "knowledge.tasks.generations_maintain", "schedule": 120.0},
    "past-versions-fill": {"task": "knowledge.tasks.past_versions_fill", "schedule": 600.0},
    "past-vectors-drop": {"task": "knowledge.tasks.past_vectors_drop", "schedule": 86_400.0},
    "space-changes-fold": {"task": "knowledge.tasks.space_changes_fold", "schedule": 60.0},
    "passages-reanalyse": {"task": "knowledge.tasks.passages_reanalyse", "schedule": 60.0},
    "spellings-fold": {"task": "knowledge.tasks.spellings_fold", "schedule": 86_400.0},
    "space-statistics": {"task": "knowledge.tasks.statistics_fold", "schedule": 300.0},
    "episodes-embed": {"task": "memory.tasks.episodes_embed_missing", "schedule": 120.0},
    "nodes-recut": {"task": "knowledge.tasks.nodes_recut", "schedule": 60.0},
    "quality-refresh": {"task": "knowledge.tasks.quality_refresh", "schedule": 60.0},
    "suggestions-refresh": {"task": "knowledge.tasks.suggestions_refresh", "schedule": 60.0},
    "feeds-schedule": {"task": "knowledge.tasks.feeds_schedule", "schedule": 60.0},
    "reviews-remind": {"task": "knowledge.tasks.reviews_remind", "schedule": 3600.0},
    "vectors-sweep": {"task": "project.inference.tasks.vectors_sweep", "schedule": 3600.0},
    "budget-mails": {"task": "chat.tasks.budget_mails_send", "schedule": 120.0},
    "attachments-recover": {"task": "chat.tasks.attachments_recover", "schedule": 60.0},
    "conversation-changes-fold": {"task": "chat.tasks.conversation_changes_fold", "schedule": 60.0},
    "conversations-cool": {"task": "chat.tasks.conversations_cool", "schedule": 86_400.0},
    "webhooks-send": {"task": "project.events.tasks.webhooks_send", "schedule": 15.0},
    "experiments-adapt": {"task": "chat.tasks.experiments_adapt", "schedule": 600.0},
    "rows-expire": {"task": "monitoring.tasks.rows_expire", "schedule": 3600.0},
}

# -- People and security ------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("sign-in")
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = reverse_lazy("sign-in")

AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_LOCKOUT_TEMPLATE = "accounts/locked_out.html"
AXES_HTTP_RESPONSE_CODE = 429
ACERVO_TRUSTED_PROXIES = env_int("ACERVO_TRUSTED_PROXIES", 0, minimum=0)
AXES_CLIENT_IP_CALLABLE = "project.http.client_address.client_address"

SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_NAME = "acervo_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "acervo_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "project.http.error_pages.csrf_failed"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if ACERVO_TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}
# The admin theme runs a framework that compiles expressions, and some of its forms carry inline
# scripts; it is a place for signed-in staff, so it has a policy of its own (see TraceMiddleware).
ADMIN_CONTENT_SECURITY_POLICY = {
    "default-src": [SELF],
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:", "blob:"],
    "font-src": [SELF, "data:"],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}

# -- Uploads and input limits -------------------------------------------------------------------

ACERVO_MAX_UPLOAD_BYTES = env_int("ACERVO_MAX_UPLOAD_MB", 100, minimum=1) * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o640
# What reading one file may take: memory, and time without a new page.
ACERVO_PARSE_MEMORY_BYTES = env_int("ACERVO_PARSE_MEMORY_MB", 1536, minimum=256) * 1024 * 1024
ACERVO_PARSE_PAGE_SECONDS = env_int("ACERVO_PARSE_PAGE_SECONDS", 300, minimum=5)
# "auto": read text in pictures where tesseract is installed; "off"; or the program's path.
ACERVO_OCR = env_str("ACERVO_OCR", "auto")
ACERVO_MESSAGE_MAX_CHARS = env_int("ACERVO_MESSAGE_MAX_CHARS", 2000, minimum=1)
ACERVO_ATTACHMENTS = env_int("ACERVO_ATTACHMENTS", 5, minimum=0)  # files of a conversation
ACERVO_ATTACHMENT_BYTES = env_int("ACERVO_ATTACHMENT_MB", 10, minimum=1) * 1024 * 1024

# -- Answering ----------------------------------------------------------------------------------

ACERVO_AGENT_TURNS = env_int("ACERVO_AGENT_TURNS", 200, minimum=1)
ACERVO_TURN_TIMEOUT = env_int("ACERVO_TURN_TIMEOUT", 180, minimum=5)
# A dead agent's turns wait this long (seconds); a living one renews four times in it.
ACERVO_TURN_LEASE = env_int("ACERVO_TURN_LEASE", 15, minimum=2)
# Turns that may wait for an agent before new questions are turned away; 0: any number.
ACERVO_TURN_QUEUE = env_int("ACERVO_TURN_QUEUE", 500, minimum=0)
# Open sockets and streams: of one person over all processes, and of one process; 0: no limit.
ACERVO_CONNECTIONS_PER_USER = env_int("ACERVO_CONNECTIONS_PER_USER", 30, minimum=0)
ACERVO_CONNECTIONS_PER_PROCESS = env_int("ACERVO_CONNECTIONS_PER_PROCESS", 4000, minimum=0)
# How long a socket stays open on one token (seconds); a fresh token prolongs it.
ACERVO_SOCKET_TOKEN_SECONDS = env_int("ACERVO_SOCKET_TOKEN_SECONDS", 3600, minimum=10)

# -- Care and mail ------------------------------------------------------------------------------

# Days before its date from which a review, or the end of a validity, is told of.
ACERVO_REVIEW_NOTICE_DAYS = env_int("ACERVO_REVIEW_NOTICE_DAYS", 14, minimum=0)
# Days until the next review, where neither the space nor the kind says.
ACERVO_REVIEW_DAYS = env_int("ACERVO_REVIEW_DAYS", 365, minimum=1)
# Without a host no mail is sent, and nothing waits for one.
EMAIL_HOST = env_str("ACERVO_EMAIL_HOST")
EMAIL_PORT = env_int("ACERVO_EMAIL_PORT", 587, minimum=1)
EMAIL_HOST_USER = env_str("ACERVO_EMAIL_USER")
EMAIL_HOST_PASSWORD = env_secret("ACERVO_EMAIL_PASSWORD")
EMAIL_USE_SSL = env_bool("ACERVO_EMAIL_SSL", default=EMAIL_PORT == 465)
EMAIL_USE_TLS = env_bool("ACERVO_EMAIL_STARTTLS", default=EMAIL_PORT == 587) and not EMAIL_USE_SSL
EMAIL_TIMEOUT = 20  # seconds
DEFAULT_FROM_EMAIL = env_str("ACERVO_EMAIL_FROM", "acervo@localhost")

# -- Feeds and imports --------------------------------------------------------------------------

# Hosts, networks or addresses that may be read although they are not public.
ACERVO_FETCH_ALLOW = env_list("ACERVO_FETCH_ALLOW")
ACERVO_FETCH_TIMEOUT = env_int("ACERVO_FETCH_TIMEOUT", 60, minimum=1)  # seconds a call
# Folders of this machine that feeds may watch; none by default.
ACERVO_FEED_FOLDERS = env_list("ACERVO_FEED_FOLDERS")
# Dotted paths of connector classes beside those that Acervo brings along.
ACERVO_CONNECTORS = env_list("ACERVO_CONNECTORS")

# -- Search -------------------------------------------------------------------------------------

# Seconds that an answer may be given again, as long as nothing has changed; 0 keeps none.
ACERVO_SEARCH_CACHE_SECONDS = env_int("ACERVO_SEARCH_CACHE_SECONDS", 600, minimum=0)
# How many of the searches asked most are made ready again after a publish; 0 counts none.
ACERVO_SEARCH_WARM = env_int("ACERVO_SEARCH_WARM", 20, minimum=0)

# -- Answers that are given again ------------------------------------------------------------------

# Months without a touch after which the content of a conversation is put away; 0: never.
ACERVO_COLD_AFTER_MONTHS = env_int("ACERVO_COLD_AFTER_MONTHS", 12, minimum=0)
ACERVO_ANSWER_CACHE = env_bool("ACERVO_ANSWER_CACHE", default=True)
# Likeness of two questions, in hundredths of the cosine, from which on one may stand for the other.
ACERVO_ANSWER_CACHE_SIMILARITY = env_int("ACERVO_ANSWER_CACHE_SIMILARITY", 88, minimum=50)
ACERVO_ANSWER_CACHE_SAMPLE = env_int("ACERVO_ANSWER_CACHE_SAMPLE", 2, minimum=0)  # in a hundred

# -- Context and checking of answers ---------------------------------------------------------------

# Tokens of a prompt, estimated; complex questions get up to twice as many (docs/chat.md).
ACERVO_CONTEXT_TOKENS = env_int("ACERVO_CONTEXT_TOKENS", 4000, minimum=1500)
# Confidence of retrieval, in hundredths, below which a question is not answered; 0 answers all.
ACERVO_CONFIDENCE = env_int("ACERVO_CONFIDENCE", 32, minimum=0)
# Whether a language model, where one is set up, judges the sentences that rules leave in doubt.
ACERVO_VERIFY_BY_MODEL = env_bool("ACERVO_VERIFY_BY_MODEL", default=False)
ACERVO_ESCALATION = env_bool("ACERVO_ESCALATION", default=True)
ACERVO_HEDGE_MS = env_int("ACERVO_HEDGE_MS", 0, minimum=0)

# -- Rate limits ("" turns one off) ---------------------------------------------------------------

ACERVO_RATE_API = env_limit("ACERVO_RATE_API", "6000/minute")
# Of a person or key; people and groups may be allowed more in the admin.
ACERVO_RATE_MESSAGES = env_limit("ACERVO_RATE_MESSAGES", "100/hour")
ACERVO_RATE_MESSAGES_PREMIUM = env_limit("ACERVO_RATE_MESSAGES_PREMIUM", "1000/hour")
# Of a guest, and of an address: messages of all its guests, and guests who begin there.
ACERVO_RATE_GUEST = env_limit("ACERVO_RATE_GUEST", "20/hour")
ACERVO_RATE_GUEST_ADDRESS = env_limit("ACERVO_RATE_GUEST_ADDRESS", "60/hour")
ACERVO_GUEST_DAYS = env_int("ACERVO_GUEST_DAYS", 7, minimum=1)  # a silent guest is kept so long
ACERVO_RATE_UPLOADS = env_limit("ACERVO_RATE_UPLOADS", "3000/hour")
# Of an address, while nobody is signed in.
ACERVO_RATE_ANONYMOUS = env_limit("ACERVO_RATE_ANONYMOUS", "500/hour")

# -- Models -------------------------------------------------------------------------------------

# "auto" is the built-in model where it can run; "hashing" needs no model at all.
ACERVO_EMBEDDING = env_str("ACERVO_EMBEDDING", "auto")
ACERVO_EMBED_THREADS = env_int("ACERVO_EMBED_THREADS", min(4, os.cpu_count() or 1), minimum=1)
# Vectors of texts, kept so that the same text is not embedded again: MiB, and days without use.
ACERVO_EMBEDDING_CACHE_MB = env_int("ACERVO_EMBEDDING_CACHE_MB", 1024, minimum=0)
ACERVO_EMBEDDING_CACHE_DAYS = env_int("ACERVO_EMBEDDING_CACHE_DAYS", 90, minimum=1)
ACERVO_LLM_BASE_URL = env_str("ACERVO_LLM_BASE_URL")
ACERVO_LLM_API_KEY = env_secret("ACERVO_LLM_API_KEY")
ACERVO_LLM_MODEL = env_str("ACERVO_LLM_MODEL")

# -- REST ---------------------------------------------------------------------------------------

IDEMPOTENT_TOO = ["chat.api.guests.GuestAuthentication"]  # callers whom few resources know
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "project.accounts.authentication.ApiKeyAuthentication",
        "project.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["project.accounts.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["project.http.parsers.JsonParser"],
    "DEFAULT_PAGINATION_CLASS": "project.http.pagination.CursorPages",
    "DEFAULT_THROTTLE_CLASSES": ["project.http.throttling.ApiThrottle"],
    "DEFAULT_SCHEMA_CLASS": "project.http.schema.AcervoSchema",
    "EXCEPTION_HANDLER": "project.http.exceptions.handle_exception",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Acervo",
    "DESCRIPTION": "Versioned knowledge, cited answers and long-term memory.",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "NodeStatus": "knowledge.choices.NodeStatus",
        "RelationStatus": "knowledge.choices.RelationStatus",
        "SuggestionStatus": "knowledge.choices.SuggestionStatus",
        "GenerationStatus": "knowledge.choices.GenerationStatus",
        "DeliveryStatus": "project.events.choices.DeliveryStatus",
        "JobStatus": "knowledge.choices.JobStatus",
        "JobStage": "knowledge.choices.JobStage",
        "JobKind": "knowledge.choices.JobKind",
        "SourceKind": "knowledge.choices.SourceKind",
        "Visibility": "knowledge.choices.Visibility",
        "SearchMode": "knowledge.choices.SearchMode",
        "ProposalStatus": "knowledge.choices.ProposalStatus",
        "ProposalOrigin": "knowledge.choices.ProposalOrigin",
        "ChangeAction": "knowledge.choices.ChangeAction",
        "KindMigrationStatus": "knowledge.choices.KindMigrationStatus",
        "RelationOrigin": "knowledge.choices.RelationOrigin",
        "EvaluationStatus": "knowledge.choices.EvaluationStatus",
        "TurnStatus": "chat.choices.TurnStatus",
        "HandoffStatus": "chat.choices.HandoffStatus",
        "HandoffOrigin": "chat.choices.HandoffOrigin",
    },
}

# -- Languages ----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("pt-br", _("Brazilian Portuguese"))]
LOCALE_PATHS = [BASE_DIR / "project" / name for name in ("locale", "locale_packages")]
LANGUAGE_COOKIE_NAME = "acervo_language"
USE_I18N = True
USE_TZ = True
TIME_ZONE = env_str("ACERVO_TIME_ZONE", "UTC")

# -- Static files -------------------------------------------------------------------------------

STATICFILES_DIRS = [BASE_DIR / "project" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # a checkout serves its files without a collectstatic step
WHITENOISE_MAX_AGE = 0 if DEBUG else 3600

# -- Watching -----------------------------------------------------------------------------------

PROMETHEUS_EXPORT_MIGRATIONS = False
ACERVO_METRICS_PUBLIC = env_bool("ACERVO_METRICS_PUBLIC", default=False)
LOG_FORMAT = env_str("ACERVO_LOG_FORMAT", "console")
LOG_LEVEL = env_str("ACERVO_LOG_LEVEL", "INFO")
SIMPLE_HISTORY_HISTORY_ID_USE_UUID = True
SILENCED_SYSTEM_CHECKS = [] if PRODUCTION else ["security.W004"]

# -- Admin --------------------------------------------------------------------------------------

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Acervo",
    "SITE_HEADER": "Acervo",
    "SITE_SYMBOL": "library_books",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": f"{STATIC_URL}acervo/favicon.svg"}
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": reverse_lazy("set-language"), "navigation": []},
    "STYLES": [f"{STATIC_URL}acervo/admin/admin.css"],
    "COLORS": {  # the green of the chat
        "primary": {
            "50": "#eef7f5",
            "100": "#d6ece7",
            "200": "#aedacf",
            "300": "#7fcfbd",
            "400": "#5bb8a5",
            "500": "#2f8f7d",
            "600": "#186b5e",
            "700": "#14594f",
            "800": "#114840",
            "900": "#0d3832",
            "950": "#08231f",
        }
    },
    "DASHBOARD_CALLBACK": "monitoring.dashboard.dashboard_context",
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "monitoring.navigation.sidebar",
    },
}

# -- Logs ---------------------------------------------------------------------------------------

LOGGING_CONFIG = None
configure_logs(form=LOG_FORMAT, level=LOG_LEVEL)
