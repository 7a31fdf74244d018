"""Columns that nobody reads from a stolen database, and an index to find them by.

Fails closed: without the right key a value is an error, never its ciphertext.
"""

import hashlib
import hmac
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.test.signals import setting_changed


class DecryptionFailed(Exception):
    """No key of ENCRYPTION_KEYS opens this value."""


@cache
def keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])


def forget_keys(*, setting: str, **_kwargs: object) -> None:
    if setting == "ENCRYPTION_KEYS":
        keys.cache_clear()


setting_changed.connect(forget_keys)


def encrypt(text: str) -> str:
    return keys().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return keys().decrypt(token.encode()).decode()
    except InvalidToken:
        raise DecryptionFailed(
            "No key of ENCRYPTION_KEYS opens this value. Was a key removed?"
        ) from None


def blind_index(text: str) -> str:
    """The same text gives the same 64 hexadecimal digits, and nobody without the key gets back."""
    return hmac.new(settings.BLIND_INDEX_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


class EncryptedTextField(models.TextField):
    """Text that is encrypted at rest. It can be read and written, and not searched."""

    def from_db_value(self, value: str | None, *_args: Any) -> str | None:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(str(value))

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError("An encrypted column cannot be searched; use its blind index.")
