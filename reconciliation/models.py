"""Where our ledger and the engine's differ, who was read when, and how each run went."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from members.models import Member
from reconciliation.kinds import Kind, State
from redemptions.models import PendingRedemption
from sales.models import Sale


class Reading(models.Model):
    """What a member's last reading covered. Times are UTC, by the database's clock."""

    member = models.OneToOneField(Member, models.CASCADE, primary_key=True, related_name="+")
    read_at = models.DateTimeField(db_default=Now())
    covers = models.DateTimeField(help_text="Acts of ours up to then were compared.")
    again_at = models.DateTimeField(
        null=True, blank=True, help_text="Read again then, with or without a new act."
    )
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["again_at"], name="readings_to_do_again")]

    def __str__(self) -> str:
        return f"Reading of {self.member_id}"


class Difference(models.Model):
    """Something in which our ledger and the engine's differ, for as long as readings show it."""

    member = models.ForeignKey(Member, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=24, choices=Kind)
    key = models.CharField(max_length=64, editable=False, help_text="What it is about.")
    redemption = models.ForeignKey(
        PendingRedemption, models.PROTECT, null=True, blank=True, related_name="+"
    )
    sale = models.ForeignKey(Sale, models.PROTECT, null=True, blank=True, related_name="+")
    ours = models.JSONField(default=dict, help_text="What our ledger says.")
    theirs = models.JSONField(default=dict, help_text="What the engine says.")
    cause = models.CharField(max_length=400)
    is_certain = models.BooleanField(
        default=True, help_text="No: the facts do not decide what came about."
    )
    points = models.IntegerField(
        default=0, help_text="What a correction would give the member, or take."
    )
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    first_seen_at = models.DateTimeField(db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=250, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    repair = models.CharField(max_length=24, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-first_seen_at"]
        permissions: ClassVar = [("repair", "Can repair or dismiss differences")]
        indexes: ClassVar = [models.Index(fields=["state", "kind"], name="differences_by_kind")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["member", "kind", "key"], name="a_difference_is_kept_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=Kind.values), name="a_difference_has_a_known_kind"
            ),
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="a_difference_has_a_known_state"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[State.REPAIRING, State.REPAIRED, State.DISMISSED])
                | (~Q(decided_by="") & ~Q(reason="")),
                name="a_person_decides_with_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_state_display()})"


class Run(models.Model):
    """One pass: how many members were read, with how many calls, and what came of it."""

    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    members_read = models.PositiveIntegerField(default=0)
    unreadable = models.PositiveIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0, help_text="Differences seen for the first time.")
    gone = models.PositiveIntegerField(default=0)
    left = models.PositiveIntegerField(
        null=True, blank=True, help_text="Members still to be read, as far as this pass looked."
    )
    oldest_act_at = models.DateTimeField(
        null=True, blank=True, help_text="The oldest act that nobody compared yet."
    )

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"Run {self.pk}"

    @property
    def calls_per_member(self) -> float:
        return self.calls / self.members_read if self.members_read else 0.0


class Cursor(models.Model):
    """Up to when all acts of ours were compared: older ones are not looked at again."""

    name = models.CharField(primary_key=True, max_length=32)
    covers = models.DateTimeField(null=True, blank=True)
    moved_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name
