"""What a POS proves itself with: API keys, webhook secrets, and secrets that sign launches.

An installation has at most two live ones of each, so that a new one can be brought in before the
old one goes. A secret can be read once, when it is issued.
"""

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from database.batch import Batch
from database.encryption import EncryptedTextField
from database.prepared import Prepared
from stores.models import Installation

SLOTS = (1, 2)
SHOWN_CHARACTERS = 6
# A launch secret's last use.
NOTED_EVERY = timedelta(hours=1)


def digest(secret: str) -> str:
    """SHA-256 in hexadecimal digits. Enough for what has 256 random bits: nobody can try them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """256 random bits in 43 characters that may stand in an address."""
    return secrets.token_urlsafe(32)


class TwoAreLive(Exception):
    """An installation's two places are taken: one must be revoked first."""


class Issued(models.Model):
    """One of two that are live at an installation at a time. A row is never used again."""

    # What a revoked row no longer holds.
    FORGOTTEN: ClassVar[dict[str, str]] = {}

    installation = models.ForeignKey(Installation, models.CASCADE)
    slot = models.PositiveSmallIntegerField(editable=False)
    label = models.CharField(
        max_length=200, blank=True, help_text="What it is for, to tell it from the other one."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "slot"],
                condition=Q(revoked_at=None),
                name="a_slot_holds_one_live_%(class)s",
            ),
            models.CheckConstraint(
                condition=Q(slot__in=SLOTS), name="an_installation_has_two_slots_for_%(class)ss"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shown} {self.label}".strip()

    @property
    def shown(self) -> str:
        """What tells it from others, and is no secret."""
        raise NotImplementedError

    def start(self) -> str:
        """Make this new row live, in a free slot. Returns its secret: the only time it is told.

        Raises TwoAreLive.
        """
        secret = self.make_secret()
        for self.slot in SLOTS:
            # Asked of the database alone: two who issue at once would both see the slot free.
            with suppress(IntegrityError), transaction.atomic():
                self.save(force_insert=True)
                return secret
        what = self._meta.verbose_name
        raise TwoAreLive(
            f"{self.installation} has two live {what}s already. Revoke the one that is no longer "
            "used, then issue a new one."
        )

    def make_secret(self) -> str:
        """A new secret, of which this row then holds what may be kept."""
        raise NotImplementedError

    def revoke(self) -> bool:
        """At once and for good. False where it was revoked already."""
        live = type(self)._default_manager.filter(pk=self.pk, revoked_at=None)
        return live.update(revoked_at=Now(), **self.FORGOTTEN) == 1


class Hashed(Issued):
    """A secret that is only ever compared: its SHA-256 is all that is kept."""

    SCHEME: ClassVar[str]  # What a secret begins with, so that one found astray is recognised.
    BY_HASH: ClassVar[Prepared[Any]]  # The live one of a hash.

    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=20, editable=False)

    class Meta(Issued.Meta):
        abstract = True

    @property
    def shown(self) -> str:
        return f"{self.prefix}…"

    def make_secret(self) -> str:
        secret = f"{self.SCHEME}{new_secret()}"
        self.sha256 = digest(secret)
        self.prefix = secret[: len(self.SCHEME) + SHOWN_CHARACTERS]
        return secret

    @classmethod
    def issue(cls, installation: Installation, label: str = "") -> str:
        """A new secret of 256 random bits, told this once. Raises TwoAreLive."""
        return cls(installation=installation, label=label).start()

    @classmethod
    def of_secret(cls, secret: str) -> Self | None:
        """The live one, with its active installation: one query, and nothing is written.

        That it was used is noted in memory, and written with others at most once a minute.
        """
        found: Self | None = next(iter(cls.BY_HASH.ask(digest(secret))), None)
        if found:
            last_used.put((cls, found.pk), None)
        return found

    @classmethod
    def live_at(cls, installation_id: str) -> models.QuerySet[Self]:
        """Those of an active installation, at most two: for comparing in constant time."""
        rows = cls._default_manager.select_related("installation")
        return rows.filter(
            installation_id=installation_id, revoked_at=None, installation__is_active=True
        ).order_by("slot")

    def note_used(self) -> None:
        """In memory, and written with others at most once a minute."""
        last_used.put((type(self), self.pk), None)

    @classmethod
    def live_of(cls, sha256: str) -> models.QuerySet[Self]:
        rows = cls._default_manager.select_related("installation")
        return rows.filter(sha256=sha256, revoked_at=None, installation__is_active=True)


class LastUsed(Batch[tuple[type[Issued], int], None]):
    """Which were used since the last batch."""

    lost = "last_used.batch_lost"

    def every_seconds(self) -> float | None:
        return settings.LAST_USED_SECONDS

    def save(self, noted: Mapping[tuple[type[Issued], int], None]) -> None:
        for kind in {kind for kind, _ in noted}:
            used = [pk for of_kind, pk in noted if of_kind is kind]
            kind._default_manager.filter(pk__in=used).update(last_used_at=Now())


last_used = LastUsed()


class ApiKey(Hashed):
    """Lets a POS's server call the JSON API as its installation."""

    SCHEME = "lp_"

    class Meta(Hashed.Meta):
        verbose_name = "API key"


class WebhookSecret(Hashed):
    """Stands in the address at which another system tells us things about its installation."""

    SCHEME = "lpw_"

    class Meta(Hashed.Meta):
        verbose_name = "webhook secret"


ApiKey.BY_HASH = Prepared(ApiKey.live_of, blank="")
WebhookSecret.BY_HASH = Prepared(WebhookSecret.live_of, blank="")


class LaunchSecret(Issued):
    """Signs launch tokens (HS256). Both sides need it to check one, so it is kept, encrypted."""

    kid = models.CharField("key id", max_length=32, unique=True, editable=False)
    secret = EncryptedTextField(editable=False)

    FORGOTTEN: ClassVar = {"secret": ""}

    class Meta(Issued.Meta):
        verbose_name = "launch secret"

    @property
    def shown(self) -> str:
        return self.kid

    def make_secret(self) -> str:
        self.kid = secrets.token_hex(8)
        self.secret = new_secret()
        return self.secret

    @classmethod
    def issue(cls, installation: Installation, label: str = "") -> "LaunchSecret":
        """A new one, with the `kid` that tokens name and the `secret` that signs them.

        The secret's characters are the key (43 bytes). Raises TwoAreLive.
        """
        row = cls(installation=installation, label=label)
        row.start()
        return row

    @classmethod
    def of_kid(cls, kid: str, installation_id: str) -> "LaunchSecret | None":
        """The live one of this installation, with it if it is active: one query.

        That it was used is noted in memory where that is not known of the last hour.
        """
        rows = cls.objects.select_related("installation")
        found: LaunchSecret | None = rows.filter(
            kid=kid,
            installation_id=installation_id,
            installation__is_active=True,
            revoked_at=None,
        ).first()
        if found and not found.was_just_used():
            last_used.put((cls, found.pk), None)
        return found

    def was_just_used(self) -> bool:
        """Its last use was written down within the hour."""
        return self.last_used_at is not None and self.last_used_at > timezone.now() - NOTED_EVERY
