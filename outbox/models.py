"""Deliveries and the attempts to make them; the periodic jobs' clock; what limits calls outside."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from outbox.states import ENDED, IN_FLIGHT, UNFINISHED, WAITING, Outcome, Reason, State, sources_of


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def ready(self) -> "DeliveryQuerySet":
        """Due, at no worker, and held back by none that must go first."""
        free = Q(lease_until=None) | Q(lease_until__lte=Now())
        may_go = Q(state=State.VERIFYING) | ~held_back()
        return self.filter(free, may_go, state__in=WAITING, due_at__lte=Now())

    def silent(self, grace: timedelta, again_after: timedelta) -> "DeliveryQuerySet":
        """Ready for a while, and no worker was woken for it of late."""
        unwoken = Q(woken_at=None) | Q(woken_at__lte=Now() - again_after)
        return self.ready().filter(unwoken, due_at__lte=Now() - grace)

    def dead(self) -> "DeliveryQuerySet":
        """At a worker that should have come back long ago."""
        return self.filter(state=State.RUNNING, lease_until__lte=Now())


def held_back() -> Q:
    """A sibling (the same `order_by`) goes first, or one of the same `flight` is under way."""
    siblings = Delivery.objects.filter(order_by=OuterRef("order_by")).exclude(pk=OuterRef("pk"))
    older = Q(pk__lt=OuterRef("pk"))
    running = siblings.filter(Q(state=State.RUNNING) | Q(older, urgent=True, state__in=WAITING))
    ahead = siblings.filter(Q(urgent=True) | older, state__in=UNFINISHED)
    flying = Delivery.objects.filter(flight=OuterRef("flight"), state__in=IN_FLIGHT)
    ordered = Q(Exists(running)) | (Q(urgent=False) & Q(Exists(ahead)))
    grounded = Q(Exists(flying.exclude(pk=OuterRef("pk"))))
    return (~Q(order_by="") & ordered) | (~Q(flight="") & grounded)


class Delivery(models.Model):
    """Something that another system must still be told, or was.

    Written in the transaction of the change that it tells of; the row is the truth, and the task
    that wakes a worker for it only a hint. Whoever holds the lease writes, and every write names
    the lease's owner and its fence: a number that grows with each lease. Times are UTC, by the
    database's clock.
    """

    kind = models.CharField(max_length=64)
    key = models.CharField(max_length=255, help_text="One kind and key is told once.")
    installation_id = models.CharField(max_length=64, blank=True)
    payload = models.JSONField(
        default=dict, encoder=DjangoJSONEncoder, help_text="Ids and amounts; nobody's name."
    )
    order_by = models.CharField(
        max_length=255, blank=True, help_text="Those of one value are told one after the other."
    )
    flight = models.CharField(
        max_length=255, blank=True, help_text="Of those of one value only one is under way."
    )
    urgent = models.BooleanField(default=False, help_text="Overtakes those of its order.")

    state = models.CharField(max_length=16, choices=State, default=State.PENDING)
    parked_reason = models.CharField(max_length=32, choices=Reason, blank=True)
    due_at = models.DateTimeField(db_default=Now())
    woken_at = models.DateTimeField(
        null=True, blank=True, help_text="When a worker was last told of it, or will be."
    )
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=16, choices=Outcome, blank=True)
    in_a_row = models.PositiveIntegerField(
        default=0, help_text="Attempts in a row that ended like the last one."
    )
    reads = models.PositiveIntegerField(
        default=0, help_text="How often it was looked for since the last attempt."
    )
    unseen = models.PositiveIntegerField(default=0, help_text="Readings in which it was not there.")
    blurred = models.PositiveIntegerField(default=0, help_text="Readings that could not tell.")

    lease_owner = models.CharField(max_length=96, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar = DeliveryQuerySet.as_manager()

    # Of the worker that holds the lease, while it does; not in the database.
    asked_at: float | None = None
    """When it was taken, or set out, on the monotonic clock: for the connectors' `asked_at`."""
    answer: Any = None
    """What the route's call gave back, for its `on_done`; None after a reading."""

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [
            models.Index(fields=["state", "due_at"], name="deliveries_by_due_time"),
            # Not only where there is one: a planner does not see that the outer row has one.
            models.Index(fields=["order_by", "state"], name="deliveries_of_an_order"),
            models.Index(fields=["flight", "state"], name="deliveries_of_a_flight"),
            models.Index(fields=["kind", "changed_at"], name="deliveries_changed_of_late"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "key"], name="a_delivery_is_promised_once"),
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="a_delivery_has_a_known_state"
            ),
            models.CheckConstraint(
                condition=~Q(state=State.RUNNING) | (~Q(lease_owner="") & ~Q(lease_until=None)),
                name="a_running_delivery_has_a_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=ENDED) | Q(lease_owner="", lease_until=None),
                name="an_ended_delivery_has_no_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[*IN_FLIGHT, State.DONE]) | Q(attempts__gt=0),
                name="a_delivery_under_way_was_attempted",
            ),
            models.CheckConstraint(
                condition=Q(state=State.PARKED) & ~Q(parked_reason="")
                | ~Q(state=State.PARKED) & Q(parked_reason=""),
                name="a_parked_delivery_alone_has_a_reason",
            ),
            models.UniqueConstraint(
                fields=["order_by"],
                condition=Q(state=State.RUNNING) & ~Q(order_by=""),
                name="an_order_has_one_running_delivery",
            ),
            models.UniqueConstraint(
                fields=["flight"],
                condition=Q(state__in=IN_FLIGHT) & ~Q(flight=""),
                name="a_flight_has_one_delivery_under_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.get_state_display()})"

    def move(self, to: State, *, only_from: list[State] | None = None, **changes: Any) -> bool:
        """Go to `to` if the row still stands where `to` can be reached from, and nobody else has
        held its lease since this object was read; else change nothing.

        One conditional update, which gives the lease back. The row is read again either way.
        """
        moved = (
            type(self)
            .objects.filter(
                pk=self.pk,
                state__in=only_from or sources_of(to),
                lease_owner=self.lease_owner,
                fence=self.fence,
            )
            .update(state=to, lease_owner="", lease_until=None, changed_at=Now(), **changes)
        )
        self.refresh_from_db()
        return bool(moved)


class Attempt(models.Model):
    """One call to the other system, recorded before it is made: a crash counts, too."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tries")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    may_be_sent = models.BooleanField(
        default=True,
        db_default=True,
        help_text="No only while what must be known before is being noted.",
    )
    words = models.CharField(
        max_length=300, blank=True, help_text="The other system's own, without names."
    )

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["delivery", "number"], name="an_attempt_is_recorded_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, outcome="") | (~Q(ended_at=None) & ~Q(outcome="")),
                name="an_ended_attempt_has_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number}"


class PeriodicJob(models.Model):
    """When a periodic job last began: one run for each slot of its clock, and none beside another.

    A slot is the number of the job's periods since 1970.
    """

    name = models.CharField(primary_key=True, max_length=128)
    slot = models.BigIntegerField(default=0)
    ended_slot = models.BigIntegerField(default=0)
    began_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.name


class OutsideSystem(models.Model):
    """What all processes must know of another system before they call it. Times are UTC."""

    system = models.CharField(primary_key=True, max_length=32)
    open_until = models.DateTimeField(
        null=True, blank=True, help_text="It was out of reach: no calls before then, then one."
    )
    probe_until = models.DateTimeField(
        null=True, blank=True, help_text="One call tries whether it is back."
    )
    next_slot_at = models.DateTimeField(
        null=True, blank=True, help_text="When the next background call may go."
    )
    people_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then background work leaves half to people."
    )
    changed_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.system


def as_stored(payload: Mapping[str, Any]) -> Any:
    """The payload as the database gives it back."""
    return json.loads(json.dumps(payload, cls=DjangoJSONEncoder))


def lease_taken(owner: str, span: timedelta) -> dict[str, Any]:
    """The changes by which a worker takes a lease."""
    return {
        "lease_owner": owner,
        "lease_until": Now() + span,
        "fence": F("fence") + 1,
        "changed_at": Now(),
    }
