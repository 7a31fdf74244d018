"""Alerts, who hears of them, and what is not to be heard of for a while."""

from datetime import timedelta
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from alerts.addresses import check_url, new_secret
from database.encryption import EncryptedTextField
from stores.models import Installation

REMIND_AFTER = timedelta(days=1)


class State(models.TextChoices):
    OPEN = "open", "Open"
    SET_ASIDE = "set_aside", "Set aside"
    CLEARED = "cleared", "Cleared"


LASTING = (State.OPEN, State.SET_ASIDE)


class AlertQuerySet(models.QuerySet["Alert"]):
    def lasting(self) -> "AlertQuerySet":
        """Those whose condition was there when it was looked at last, or shortly before."""
        return self.filter(state__in=LASTING)

    def heard(self) -> "AlertQuerySet":
        """Open ones that nobody has muted."""
        mutes = Mute.objects.filter(
            Q(subject="") | Q(subject=OuterRef("subject")), kind=OuterRef("kind"), until__gt=Now()
        )
        return self.filter(~Exists(mutes), state=State.OPEN)

    def to_tell(self) -> "AlertQuerySet":
        """New ones, and those of which nobody was reminded for a day."""
        old = Q(told_at=None) | Q(told_at__lte=Now() - REMIND_AFTER)
        return self.heard().filter(old, gone_since=None)


class Alert(models.Model):
    """A condition that a watch gave, from when it was first given until it is over.

    Nothing in it names a person. Times are UTC, by the database's clock.
    """

    watch = models.CharField(max_length=200)
    kind = models.CharField(max_length=64)
    subject = models.CharField(max_length=200, blank=True)
    installation_id = models.CharField(max_length=64, blank=True)
    words = models.CharField(max_length=500)
    count = models.PositiveIntegerField(default=1)
    since = models.DateTimeField(null=True, blank=True)
    path = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    set_aside_count = models.PositiveIntegerField(
        default=0, help_text="Set aside until it is more than this."
    )
    raised_at = models.DateTimeField(db_default=Now(), editable=False)
    told_at = models.DateTimeField(null=True, blank=True)
    gone_since = models.DateTimeField(
        null=True, blank=True, help_text="The watch gives it no more; it clears if that lasts."
    )
    cleared_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = AlertQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-raised_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["state", "cleared_at"], name="alerts_by_state")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="an_alert_has_a_known_state"
            ),
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(state__in=LASTING),
                name="an_alert_of_a_subject_is_raised_once",
            ),
            models.CheckConstraint(
                condition=Q(state=State.CLEARED) & ~Q(cleared_at=None)
                | ~Q(state=State.CLEARED) & Q(cleared_at=None),
                name="a_cleared_alert_alone_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()


class Mute(models.Model):
    """Until then nobody is told of alerts of this kind, or of this one. They are still shown."""

    kind = models.CharField(max_length=64)
    subject = models.CharField(
        max_length=200, blank=True, help_text="Empty: all alerts of the kind."
    )
    until = models.DateTimeField(help_text="UTC.")
    reason = models.CharField(max_length=300)
    made_by = models.CharField(max_length=250, blank=True, editable=False)
    made_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["-until"]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject or '(all)'} until {self.until:%d %b %Y %H:%M} UTC"


def check_email(email: str) -> None:
    """One address: a list or a second line would tell others. Raises ValidationError."""
    try:
        validate_email(email)
    except ValidationError as error:
        raise ValidationError({"email": error.messages}) from None


class Recipient(models.Model):
    """Somebody, or some system, that is told of alerts: by mail or by a signed webhook."""

    label = models.CharField(max_length=100)
    email = EncryptedTextField(blank=True, default="")
    url = EncryptedTextField(
        "webhook", blank=True, default="", help_text="https, and no address of a private network."
    )
    secret = EncryptedTextField(default=new_secret, editable=False)
    installation = models.ForeignKey(
        Installation,
        models.CASCADE,
        null=True,
        blank=True,
        help_text="Only what concerns this installation, and what concerns all. Empty: everything.",
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["label"]

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        if bool(self.email) == bool(self.url):
            raise ValidationError("Give an email address or a webhook: one of the two.")
        if self.url:
            check_url(self.url)
        else:
            check_email(self.email)

    def hears_of(self, alert: Alert) -> bool:
        return not (self.installation_id and alert.installation_id) or (
            self.installation_id == alert.installation_id
        )
