"""The bearer: how a panel in a frame says which till and which person it serves.

It lives in the page's memory, because no cookie and no storage survives in a cross-site
frame under every browser policy.
"""

from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from access.keys import ApiKey, LaunchSecret, WebhookSecret, digest, new_secret
from access.launching import LaunchCode, UsedToken
from access.look_ups import LookUps
from database.prepared import Prepared
from stores.models import Associate, Installation, Till

__all__ = [
    "ApiKey",
    "Bearer",
    "LaunchCode",
    "LaunchSecret",
    "LookUps",
    "UsedToken",
    "WebhookSecret",
]

LIFE = timedelta(minutes=5)


class Bearer(models.Model):
    """Who acts where, for five minutes. Only the token's SHA-256 is kept."""

    token_sha256 = models.CharField(max_length=64, unique=True)
    installation = models.ForeignKey(Installation, models.CASCADE)
    till = models.ForeignKey(Till, models.CASCADE)
    associate = models.ForeignKey(Associate, models.CASCADE)
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
    def issue(cls, till: Till, associate: Associate, now: datetime | None = None) -> str:
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
        )
        return token


def by_token(token_sha256: str) -> models.QuerySet[Bearer]:
    places = Bearer.objects.select_related("till__store__installation", "associate")
    return places.filter(token_sha256=token_sha256)


BY_TOKEN = Prepared(by_token, blank="")
