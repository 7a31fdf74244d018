"""What other systems told us: as it came, encrypted, with what became of it."""

import json
import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from database.encryption import EncryptedTextField
from stores.models import Installation


class State(models.TextChoices):
    WAITING = "waiting", "Waiting to be handled"
    HANDLED = "handled", "Handled"
    ANSWERED = "answered", "Answered at once"
    PARKED = "parked", "Could not be handled"
    UNKNOWN_TOPIC = "unknown_topic", "Unknown topic"
    UNREADABLE = "unreadable", "Unreadable"


# One of these that comes again, without an id of its own, is the same one.
NOT_HANDLED = (State.WAITING, State.UNREADABLE)


class Webhook(models.Model):
    """One thing that was told, however often it came.

    `raw` holds the body's bytes, each as the character of its number, and is emptied after
    WEBHOOK_BODY_DAYS. Times are UTC, by the database's clock.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    installation = models.ForeignKey(Installation, models.CASCADE)
    source = models.CharField(max_length=32)
    event = models.CharField(max_length=64, blank=True, help_text="As its address says.")
    topic = models.CharField(max_length=100, blank=True, help_text="As its body says.")
    event_id = models.CharField(max_length=100, blank=True, help_text="The sender's own.")
    digest = models.CharField(max_length=64, editable=False)
    raw = EncryptedTextField(null=True, blank=True, editable=False)
    headers = models.JSONField(default=dict, help_text="Those that matter; no secrets.")
    state = models.CharField(max_length=16, choices=State)
    done = models.CharField(max_length=40, blank=True, help_text="What became of it, as a word.")
    times = models.PositiveIntegerField(default=1, help_text="How often it came.")
    runs = models.PositiveIntegerField(default=0, help_text="How often it was to be handled.")
    received_at = models.DateTimeField(db_default=Now(), editable=False)
    last_received_at = models.DateTimeField(db_default=Now(), editable=False)
    handled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-received_at", "-id"]
        permissions: ClassVar = [("see_body", "Can see what a webhook says")]
        indexes: ClassVar = [
            models.Index(fields=["-received_at"], name="webhooks_newest_first"),
            models.Index(fields=["state", "received_at"], name="webhooks_by_state"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="a_webhook_has_a_known_state"
            ),
            models.UniqueConstraint(
                fields=["installation", "source", "event_id"],
                condition=~Q(event_id=""),
                name="an_event_is_kept_once",
            ),
            models.UniqueConstraint(
                fields=["installation", "source", "event", "digest"],
                condition=Q(event_id="", state__in=NOT_HANDLED),
                name="a_body_waits_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic or self.event or 'webhook'} {str(self.id)[:8]}"

    @property
    def body(self) -> bytes | None:
        """As it came, but for our own secret; None once it was emptied."""
        return None if self.raw is None else self.raw.encode("latin-1")

    @property
    def pretty(self) -> str:
        """For a person to read."""
        if self.body is None:
            return "(emptied: it is too old)"
        try:
            told: Any = json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")
        return json.dumps(told, indent=2, ensure_ascii=False)
