"""How settings are read: three modes, loud failure, and a hint for every failure.

`production` is the mode unless LOYALTY_MODE says otherwise, so that a forgotten variable
can never open the demo's automatic log-in.
"""

import base64
import hashlib
import ssl
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from stores.loopback import is_loopback

SECRET_LENGTH = 32
# Fewer different characters than this come from a finger held on a key.
FEWEST_CHARACTERS = 8
HOW_TO_MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
MAKE_A_FERNET_KEY = (
    "python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
)
PLACEHOLDERS = ("change-me", "changeme", "secret", "default", "example", "django-insecure")


class Mode(StrEnum):
    PRODUCTION = "production"
    DEMO = "demo"
    TEST = "test"


def read_mode(word: str) -> Mode:
    try:
        return Mode(word)
    except ValueError:
        known = ", ".join(Mode)
        raise ImproperlyConfigured(
            f"LOYALTY_MODE is {word!r}; it must be one of {known}."
        ) from None


def throwaway_secret(name: str) -> str:
    """The same on every start, and known to everyone: for the demo and the tests only."""
    return hashlib.sha256(f"loyalty-panel throw-away {name}".encode()).hexdigest()


def throwaway_fernet_key(name: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(f"throw-away {name}".encode()).digest()).decode()


def check_secret(name: str, value: str, how: str = HOW_TO_MAKE_ONE) -> str:
    """Refuse a secret that is missing, short, a placeholder, or one of the throw-away ones."""
    lowered = value.lower()
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Make one: {how}")
    if len(value) < SECRET_LENGTH:
        raise ImproperlyConfigured(
            f"{name} is shorter than {SECRET_LENGTH} characters. Make one: {how}"
        )
    first = name.removesuffix("_FALLBACKS")
    thrown_away = (throwaway_secret(first), throwaway_fernet_key(first))
    too_simple = len(set(value)) < FEWEST_CHARACTERS
    if value in thrown_away or too_simple or lowered.startswith(PLACEHOLDERS):
        raise ImproperlyConfigured(f"{name} is a default that anyone can know. Make one: {how}")
    return value


def check_fernet_key(name: str, value: str) -> str:
    """As `check_secret`, and one that can encrypt: else the first member would find out."""
    check_secret(name, value, MAKE_A_FERNET_KEY)
    try:
        Fernet(value)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} is not a Fernet key. Make one: {MAKE_A_FERNET_KEY}"
        ) from None
    return value


def check_url(name: str, url: str, mode: Mode) -> str:
    """Refuse plain http beyond this machine, and any outside address in the demo."""
    scheme, host = scheme_and_host(url)
    if scheme not in {"http", "https"} or not host:
        raise ImproperlyConfigured(f"{name} must be a whole http(s) address, such as https://host")
    loopback = is_loopback(host)
    if scheme == "http" and not loopback:
        raise ImproperlyConfigured(f"{name} must start with https:// (plain http is for loopback).")
    if mode is not Mode.PRODUCTION and not loopback:
        raise ImproperlyConfigured(
            f"LOYALTY_MODE={mode} logs people in without a password, so {name} must be on "
            "loopback (127.0.0.1). Unset LOYALTY_MODE to run for real."
        )
    return url.rstrip("/")


def scheme_and_host(url: str) -> tuple[str, str]:
    """Both empty for what is no address at all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme, parts.hostname or ""


def check_ca_file(name: str, path: str) -> str:
    """The path of a file of certificates, or nothing. Raises ImproperlyConfigured."""
    try:
        if path:
            ssl.create_default_context(cafile=path)
    except OSError:
        raise ImproperlyConfigured(
            f"{name} must name a file of certificates in PEM form that this process can read."
        ) from None
    return path


def check_tasks_engine(name: str, *, sqlite: bool) -> str:
    """One of the two that there are. Raises ImproperlyConfigured."""
    if name not in {"django-tasks-db", "procrastinate"}:
        raise ImproperlyConfigured("TASKS_ENGINE must be django-tasks-db or procrastinate.")
    if sqlite and name == "procrastinate":
        raise ImproperlyConfigured(
            "TASKS_ENGINE=procrastinate needs PostgreSQL: name one in DATABASE_URL, or unset "
            "TASKS_ENGINE."
        )
    return name


MAILERS = {
    Mode.PRODUCTION: "django.core.mail.backends.smtp.EmailBackend",
    Mode.DEMO: "django.core.mail.backends.console.EmailBackend",
    Mode.TEST: "django.core.mail.backends.locmem.EmailBackend",
}
MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}


def mail_options(url: str, timeout: float, mode: Mode) -> dict[str, Any]:
    """How alerts are mailed: a backend of Django's by its dotted path, and what it is made with.

    `url` is smtp://, smtp+tls:// (STARTTLS) or smtp+ssl://, with user:password@host:port. The demo
    writes mails into its log unless it is given one.
    """
    if not url and mode is not Mode.PRODUCTION:
        return {"backend": MAILERS[mode]}
    parts = urlsplit(url or "smtp://localhost:25")
    if parts.scheme not in MAIL_PORTS or not parts.hostname:
        raise ImproperlyConfigured(
            "EMAIL_URL must be like smtp+tls://user:password@mail.example.com:587"
        )
    return {
        "backend": MAILERS[Mode.PRODUCTION],
        "host": parts.hostname,
        "port": parts.port or MAIL_PORTS[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_tls": parts.scheme == "smtp+tls",
        "use_ssl": parts.scheme == "smtp+ssl",
        "timeout": timeout,
        "ssl_keyfile": "",
        "ssl_certfile": "",
    }
