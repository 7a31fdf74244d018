"""The bearer: how a panel in a frame says which till and which person it serves.

It lives in the page's memory, because no cookie and no storage survives in a cross-site
frame under every browser policy.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from access.keys import ApiKey, LaunchSecret, WebhookSecret, digest, new_secret
from access.launching import LaunchCode, UsedToken
from access.look_ups import LookUps
from access.pairing import PairedTill, PairingRequest
from access.pins import Badge, Person, Pin
from access.tries import Tries
from database.prepared import Prepared
from stores.models import Associate, Installation, Till

__all__ = [
    "ApiKey",
    "Approval",
    "Badge",
    "Bearer",
    "LaunchCode",
    "LaunchSecret",
    "LookUps",
    "PairedTill",
    "PairingRequest",
    "Person",
    "Pin",
    "PinSession",
    "Tries",
    "UsedToken",
    "WebhookSecret",
]

LIFE = timedelta(minutes=5)
# What was done at a till of level C reaches the database so much later, at the most.
NOTED_WITHIN = timedelta(seconds=5)


class Bearer(models.Model):
    """Who acts where, for five minutes. Only the token's SHA-256 is kept."""

    token_sha256 = models.CharField(max_length=64, unique=True)
    installation = models.ForeignKey(Installation, models.CASCADE)
    till = models.ForeignKey(Till, models.CASCADE)
    associate = models.ForeignKey(Associate, models.CASCADE)
    # Whoever signed in by PIN: it is as good as their session.
    pin_session = models.ForeignKey("PinSession", models.CASCADE, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.associate} at {self.till}"

    def opens(self, installation_id: str, now: datetime) -> bool:
        """Still good there, and of a till and an associate of it that are not disabled."""
        store = self.till.store
        of_here = {self.installation_id, store.installation_id, self.associate.installation_id}
        return (
            self.expires_at > now
            and self.revoked_at is None
            and of_here == {installation_id}
            and store.installation.is_active
            and store.is_active
            and self.till.is_active
            and self.associate.is_active
            and (self.pin_session is None or self.pin_session.runs(now))
        )

    @classmethod
    def of_token(cls, token: str, installation_id: str, now: datetime) -> "Bearer | None":
        """The token's bearer, with where it stands and who acts, if it opens this installation.

        One plain read, judged in Python: every request of a panel waits for it.
        """
        found = next(iter(BY_TOKEN.ask(digest(token))), None)
        return found if found and found.opens(installation_id, now) else None

    @classmethod
    def revoke(cls, token: str) -> None:
        """The one of that token, at once and for good, if it is still good."""
        cls.objects.filter(token_sha256=digest(token), revoked_at=None).update(revoked_at=Now())

    @classmethod
    def revoke_at(cls, till: Till) -> int:
        """Nobody acts at this till any more before it is launched again. How many were good."""
        return cls.objects.filter(till=till, revoked_at=None, expires_at__gt=Now()).update(
            revoked_at=Now()
        )

    @classmethod
    def issue(
        cls,
        till: Till,
        associate: Associate,
        now: datetime | None = None,
        pin_session: "PinSession | None" = None,
    ) -> str:
        """A new bearer's token: the only time that it can be read."""
        now = now or timezone.now()
        cls.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()
        token = new_secret()
        cls.objects.create(
            token_sha256=digest(token),
            installation_id=till.store.installation_id,
            till=till,
            associate=associate,
            expires_at=now + LIFE,
            pin_session=pin_session,
        )
        return token


def by_token(token_sha256: str) -> models.QuerySet[Bearer]:
    places = Bearer.objects.select_related("till__store__installation", "associate", "pin_session")
    return places.filter(token_sha256=token_sha256)


BY_TOKEN = Prepared(by_token, blank="")


class PinSession(models.Model):
    """Somebody signed in by PIN at a paired till (access/pin_sessions.py)."""

    class End(models.TextChoices):
        NOT_YET = "", "-"
        LOCKED = "locked", "Locked"
        IDLE = "idle", "Nobody did anything"
        SHIFT_END = "shift_end", "End of the shift"
        SWITCHED = "switched", "Somebody signed in"
        TOO_LONG = "too_long", "Twelve hours were over"
        UNPAIRED = "unpaired", "The till was unpaired"
        THROWN_OUT = "thrown_out", "Ended by a manager"

    paired = models.ForeignKey(PairedTill, models.CASCADE, related_name="sessions")
    associate = models.ForeignKey(Associate, models.CASCADE)
    started_at = models.DateTimeField(db_default=Now())
    active_at = models.DateTimeField("last active", db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_why = models.CharField("why", max_length=10, choices=End, blank=True)

    class Meta:
        verbose_name = "PIN session"
        ordering: ClassVar = ["-started_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["paired"],
                condition=Q(ended_at=None),
                name="a_paired_till_has_one_session_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_why="") | Q(ended_at__isnull=False),
                name="a_session_that_runs_has_not_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.associate} at {self.paired}"

    def runs(self, now: datetime) -> bool:
        return self.ended_at is None and self.over_because(now) is None

    def over_because(self, now: datetime) -> End | None:
        """Why it is over by itself, if it is."""
        if self.expires_at <= now:
            return self.End.TOO_LONG
        return self.End.IDLE if self.active_at + idle_after() <= now else None


def idle_after() -> timedelta:
    return timedelta(seconds=settings.IDLE_LOCK_SECONDS) + NOTED_WITHIN


class Approval(models.Model):
    """A manager's word for one act of somebody else's: used once."""

    kind = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=80)
    subject_id = models.CharField(max_length=64)
    # Bearers are cleared away soon, by one statement at each launch: it must not look for these.
    bearer = models.ForeignKey(Bearer, models.DO_NOTHING, null=True, db_constraint=False)
    requester = models.ForeignKey(
        Associate, models.SET_NULL, null=True, related_name="approvals_asked_for"
    )
    manager = models.ForeignKey(
        Associate, models.SET_NULL, null=True, related_name="approvals_given"
    )
    granted_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-granted_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(requester=F("manager")), name="nobody_approves_their_own_act"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.manager}"
