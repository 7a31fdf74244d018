"""What was asked under an Idempotency-Key, and what came of it."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from database.encryption import EncryptedTextField
from stores.models import Installation


class KeyedCall(models.Model):
    """One act of a POS under one key. Written before the act, kept for seven days.

    It runs while `runner` is set, is answered once `status` is, and may else be run again. What it
    made is answered as it stands then, a refusal as it was: only that is kept, encrypted.
    """

    installation = models.ForeignKey(Installation, models.CASCADE)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    asked_index = models.CharField(
        max_length=64, editable=False, help_text="A keyed hash of what was asked."
    )
    runner = models.UUIDField(null=True, default=uuid.uuid4, editable=False)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    first_asked_at = models.DateTimeField(db_default=Now(), editable=False)
    status = models.PositiveSmallIntegerField(null=True, editable=False)
    made = models.CharField(max_length=64, blank=True, editable=False)
    refusal = EncryptedTextField(blank=True, editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["first_asked_at"], name="keyed_calls_by_age")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation", "route", "key"], name="a_key_is_one_call_of_a_route"
            ),
            models.CheckConstraint(
                condition=Q(runner=None) | Q(status=None), name="a_call_that_runs_has_no_answer_yet"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.route} ({self.status or ('runs' if self.runner else 'may run again')})"
