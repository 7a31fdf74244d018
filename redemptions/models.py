"""The ledger of every attempt to spend points."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now, Upper

from database.prepared import Prepared
from members.models import Member
from offers.catalogue import Kind
from offers.pools import note_taken
from redemptions.sold import use_what_was_sold
from redemptions.states import (
    HAS_CODE,
    NOTHING_TAKEN,
    OPEN,
    TILL_WORDS,
    UNDER_WAY,
    Deduction,
    Reason,
    State,
    sources_of,
)
from redemptions.timing import deadline, settle_time
from redemptions.told import Question, ToldCode, stop_told_of
from stores.models import Associate, Installation, Store, Till

__all__ = ["PendingRedemption", "Question", "ToldCode", "open_for"]

# So long points are looked for that did not go with their order.
LOOKED_FOR = timedelta(days=7)
# That the engine took the order does not say that it took the points: it does so later.
STILL_TO_GO = (Deduction.DUE, Deduction.TOLD)


class PendingRedemptionQuerySet(models.QuerySet["PendingRedemption"]):
    def of_act(self, installation: Installation, act_key: str) -> "PendingRedemption | None":
        """The redemption that this key made, unless nothing was taken and it may be tried again."""
        return self.filter(acted(), installation=installation, act_key=act_key).first()

    def with_codes(self, codes: Iterable[str]) -> "PendingRedemptionQuerySet":
        """Those whose code is one of these, in whatever capitals."""
        wanted = [Upper(models.Value(code)) for code in codes]
        return self.alias(in_capitals=Upper("code")).filter(in_capitals__in=wanted)

    def to_settle(self) -> "PendingRedemptionQuerySet":
        """Uncertain ones whose history may be read again now."""
        return self.filter(state=State.UNCERTAIN, next_check_at__lte=Now())

    def orphaned(self, after: timedelta) -> "PendingRedemptionQuerySet":
        """Requested so long ago that no process can be waiting for the answer any more."""
        return self.filter(state=State.REQUESTED, requested_at__lt=Now() - after)

    def to_end(self) -> "PendingRedemptionQuerySet":
        """Codes whose lease may have ended. One that a bridge saw in a sale is a manager's."""
        return self.filter(state=State.ISSUED, claimed_used_at=None, next_check_at__lte=Now())

    def to_reverse(self) -> "PendingRedemptionQuerySet":
        """Promised to be given back, and nobody is at it now."""
        return self.filter(state=State.REVERSING, next_check_at__lte=Now())

    def to_see_gone(self) -> "PendingRedemptionQuerySet":
        """Used, their orders told: whether the points went may be read again now.

        After a week nobody looks any more: a person may have them taken.
        """
        unseen = Q(deduction=Deduction.TOLD) | Q(
            deduction=Deduction.MISSING, sold_at__gte=Now() - LOOKED_FOR
        )
        return self.filter(unseen, state=State.USED, next_check_at__lte=Now())


def sets_aside() -> Q:
    """Delayed, and its points are still to go: nobody may spend them on anything else."""
    is_open = Q(state__in=[*UNDER_WAY, State.ISSUED])
    return Q(delayed=True) & (is_open | Q(state=State.USED, deduction__in=STILL_TO_GO))


def acted() -> Q:
    """All but refusals in which nothing was taken."""
    return ~Q(state=State.REFUSED, reason__in=NOTHING_TAKEN)


class PendingRedemption(models.Model):
    """Points on their way into a coupon code, from before the engine is asked to the very end.

    The row is committed before the engine is called: the engine knows no idempotency key, and an
    answer can be lost after it acted. Points are whole, money is cents, times are UTC.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    installation = models.ForeignKey(Installation, models.PROTECT)
    store = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    till = models.ForeignKey(Till, models.PROTECT, null=True, blank=True)
    associate = models.ForeignKey(Associate, models.PROTECT, null=True, blank=True)
    member = models.ForeignKey(Member, models.PROTECT, related_name="redemptions")
    act_key = models.CharField(max_length=255)

    offer_id = models.BigIntegerField()
    offer_name = models.CharField(max_length=255)
    offer_kind = models.CharField(max_length=20, choices=[(kind, kind) for kind in Kind])
    points = models.PositiveIntegerField(help_text="What it costs the member.")
    value_cents = models.PositiveIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    ticket = models.CharField(max_length=64, blank=True)
    delayed = models.BooleanField(
        default=False, help_text="Points go when the order arrives, not when the code is made."
    )

    state = models.CharField(max_length=20, choices=State, default=State.REQUESTED)
    reason = models.CharField(max_length=40, choices=Reason, blank=True)
    engine_words = models.CharField(max_length=300, blank=True)
    engine_id = models.BigIntegerField(null=True, blank=True)
    code = models.CharField(max_length=255, blank=True)
    reverse_when_found = models.BooleanField(default=False)

    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="So long the code is kept for the sale."
    )
    lease_extended = models.BooleanField(default=False)
    frozen_until = models.DateTimeField(
        null=True, blank=True, help_text="Payment runs or the ticket is parked: no time is lost."
    )
    applied_at = models.DateTimeField(
        null=True, blank=True, help_text="The POS put the code on a sale."
    )
    withdrawn_at = models.DateTimeField(
        null=True, blank=True, help_text="The POS takes the code no more, or a manager answers."
    )
    gone_at = models.DateTimeField(
        null=True, blank=True, help_text="The sale is open without the code, voided or gone."
    )
    undone_by = models.ForeignKey(
        Associate, models.PROTECT, null=True, blank=True, related_name="+"
    )
    undone_why = models.CharField(max_length=200, blank=True)
    stop_asked_at = models.DateTimeField(
        null=True, blank=True, help_text="The shopper or the engine wants it to count no more."
    )
    stop_reason = models.CharField(max_length=40, choices=Reason, blank=True)
    claimed_used_at = models.DateTimeField(
        null=True, blank=True, help_text="A till says that the sale was completed."
    )
    sale = models.CharField(
        max_length=255, blank=True, help_text="The sale's id at the engine, with its prefix."
    )
    sold_at = models.DateTimeField(null=True, blank=True)
    deduction = models.CharField(
        max_length=10,
        choices=Deduction,
        blank=True,
        help_text="Of a delayed one that was used: whether its points went.",
    )

    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    changed_at = models.DateTimeField(db_default=Now(), editable=False)
    next_check_at = models.DateTimeField(
        db_default=Now(), help_text="No process reads or reverses this one before then."
    )
    readable_reads = models.PositiveIntegerField(default=0)
    first_readable_read_at = models.DateTimeField(null=True, blank=True)
    reversal_attempts = models.PositiveIntegerField(default=0)
    first_reversal_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="The point of no return: recorded before it is made."
    )
    last_reversal_attempt_at = models.DateTimeField(null=True, blank=True)
    balance_before_reversal = models.IntegerField(null=True, blank=True)
    newest_row_before_reversal = models.DateTimeField(
        null=True, blank=True, help_text="The newest history row at the engine, by its clock."
    )

    objects: ClassVar = PendingRedemptionQuerySet.as_manager()

    class Meta:
        verbose_name = "redemption"
        verbose_name_plural = "redemptions"
        ordering: ClassVar = ["-requested_at"]
        permissions: ClassVar = [("settle", "Can settle what is disputed")]
        indexes: ClassVar = [
            models.Index(fields=["state", "next_check_at"], name="redemptions_to_see_to"),
            models.Index(fields=["member", "state"], name="redemptions_of_a_member"),
            models.Index(Upper("code"), name="redemptions_by_code"),
            models.Index(fields=["sale"], name="redemptions_of_a_sale"),
            models.Index(fields=["changed_at"], name="redemptions_changed_of_late"),
            # In the order in which the API lists them.
            models.Index(
                fields=["installation", "-requested_at", "-id"], name="redemptions_newest_first"
            ),
            # With that order, too: a planner without statistics would choose the one above instead.
            models.Index(
                fields=["installation", "ticket", "-requested_at", "-id"],
                name="redemptions_of_a_ticket",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="a_redemption_has_a_known_state"
            ),
            models.CheckConstraint(condition=Q(points__gt=0), name="a_redemption_costs_points"),
            models.CheckConstraint(
                condition=~Q(state__in=HAS_CODE) | ~Q(code=""),
                name="an_issued_redemption_has_a_code",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.ISSUED) | ~Q(lease_until=None),
                name="an_issued_redemption_has_a_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.USED) | ~Q(sold_at=None),
                name="a_used_redemption_was_sold",
            ),
            models.CheckConstraint(
                condition=Q(deduction=Deduction.NONE)
                | Q(deduction__in=Deduction.values, delayed=True),
                name="only_of_a_delayed_one_points_are_still_to_go",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.REFUSED) | (Q(code="") & ~Q(reason="")),
                name="a_refused_redemption_has_a_reason_and_no_code",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.REVERSED)
                | ~Q(first_reversal_attempt_at=None)
                | Q(reason=Reason.LET_GO),
                name="a_reversed_redemption_was_attempted_or_let_go",
            ),
            models.UniqueConstraint(
                fields=["member"],
                condition=Q(state__in=UNDER_WAY),
                name="a_member_has_one_redemption_under_way",
            ),
            models.UniqueConstraint(
                fields=["member"],
                condition=Q(delayed=True, state__in=[*UNDER_WAY, State.ISSUED]),
                name="a_member_has_one_open_delayed_redemption",
            ),
            models.UniqueConstraint(
                fields=["installation", "act_key"],
                condition=acted(),
                name="an_act_makes_one_redemption",
            ),
            models.UniqueConstraint(
                fields=["code"], condition=Q(state__in=OPEN), name="an_open_code_is_held_once"
            ),
            models.UniqueConstraint(
                fields=["engine_id", "code"],
                condition=~Q(engine_id=None) & ~Q(code=""),
                name="an_engine_redemption_is_held_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offer_name} ({self.get_state_display()})"

    @property
    def till_words(self) -> str:
        """Where it stands, for an associate. Only what is open has such words."""
        return TILL_WORDS[self.state]

    @property
    def points_set_aside(self) -> int:
        """As `sets_aside` asks the database."""
        is_open = self.state in (*UNDER_WAY, State.ISSUED)
        is_due = self.state == State.USED and self.deduction in STILL_TO_GO
        return self.points if self.delayed and (is_open or is_due) else 0

    @property
    def is_open(self) -> bool:
        return self.state in (*UNDER_WAY, *OPEN)

    def move(
        self,
        to: State,
        reason: str = Reason.NONE,
        *,
        only_from: Sequence[State] = (),
        provided: Q = Q(),  # noqa: B008 - never changed
        **changes: Any,
    ) -> bool:
        """Go to `to` if the row still stands where `to` can be reached from; else change nothing.

        One conditional update, so that of two who try exactly one wins. The row is read again
        either way. `only_from` narrows the states it may come from, `provided` the rest of it.
        """
        sources = only_from or sources_of(to)
        moved = (
            type(self)
            .objects.filter(provided, pk=self.pk, state__in=sources)
            .update(
                **{"next_check_at": Now(), **changes, "state": to, "reason": reason},
                changed_at=Now(),
            )
        )
        self.refresh_from_db()
        return bool(moved)

    def issue(self, reason: str = Reason.NONE, **found: Any) -> bool:
        """The code is known: hand it out, or give it back at once where undo was pressed meanwhile.

        `reverse_when_found` is read after the row was moved, when nobody can set it any more.
        Raises IntegrityError when another open redemption holds the code; nothing has moved then.
        """
        lease_until = Now() + timedelta(minutes=self.installation.lease_minutes)
        found |= {"lease_until": lease_until, "next_check_at": lease_until}
        with transaction.atomic():
            issued = self.move(State.ISSUED, reason, **found)
            if issued and self.offer_kind == Kind.CUSTOM:
                note_taken(self.offer_id)
            if issued and self.reverse_when_found:
                self.end(Reason.UNDONE)
        if issued:
            self.heed_what_was_told()
            if use_what_was_sold(self.pk):
                self.refresh_from_db()
        return issued

    def heed_what_was_told(self) -> None:
        """Told to count no more before its code was known here.

        What tells so is committed before a row is looked for, and this looks after the row was
        committed: so of the two at least one sees the other.
        """
        reason = stop_told_of(self.code, self.engine_id, self.requested_at)
        if reason:
            self.stop(reason)

    def stop(self, reason: str) -> bool:
        """It shall count no more: the points go back, once no sale can have the code.

        A delayed one that the engine ended is over at once: no points went, and none ever will.
        False where it is not issued.
        """
        if self.delayed and reason == Reason.BY_ENGINE:
            return self.end_by_engine()
        issued = type(self).objects.filter(pk=self.pk, state=State.ISSUED)
        asked = issued.update(
            stop_asked_at=Coalesce("stop_asked_at", Now()), stop_reason=reason, changed_at=Now()
        )
        nobody_can_take_it = Q(claimed_used_at=None) & (
            Q(applied_at=None) | Q(withdrawn_at__isnull=False)
        )
        ended = self.end(reason, provided=nobody_can_take_it)
        return ended or bool(asked)

    def end(
        self, reason: str, *, only_from: Sequence[State] = (State.ISSUED,), **changes: Any
    ) -> bool:
        """Promise to give it back; a delayed one just ends, for it took no points."""
        to = State.CANCELLED if self.delayed else State.REVERSING
        return self.move(to, reason, only_from=only_from, **changes)

    def end_by_engine(self) -> bool:
        """The engine says that its code counts no more. False where that changes nothing.

        One that we had ended stands as the engine's from then on: its points will not go.
        """
        ended = self.move(State.CANCELLED, Reason.BY_ENGINE, only_from=[State.ISSUED])
        return ended or bool(self._note_ended_by_engine())

    def _note_ended_by_engine(self) -> int:
        ours = type(self).objects.filter(pk=self.pk, state=State.CANCELLED)
        noted = ours.exclude(reason=Reason.BY_ENGINE).update(reason=Reason.BY_ENGINE)
        self.refresh_from_db()
        return noted

    def claim(self, span: timedelta) -> bool:
        """Nobody else sees to this row for `span`; False when somebody else is at it already."""
        return bool(
            type(self)
            .objects.filter(pk=self.pk, state=self.state, next_check_at__lte=Now())
            .update(next_check_at=Now() + span)
        )

    def database_time(self) -> datetime:
        """Now, by the clock that dates this row."""
        now: datetime = type(self).objects.filter(pk=self.pk).values_list(Now(), flat=True).get()
        return now

    def is_reversed_alone(self) -> bool:
        """No other reversal of this member has been tried since this one's first attempt."""
        others = type(self).objects.filter(member_id=self.member_id).exclude(pk=self.pk)
        tried = others.exclude(first_reversal_attempt_at=None)
        since = self.first_reversal_attempt_at or self.changed_at
        return not tried.filter(Q(state=State.REVERSING) | Q(changed_at__gte=since)).exists()

    @property
    def is_moved_by_refunds_from(self) -> datetime:
        """A refund that was told since then may have moved the balance that ours is read by."""
        since = self.first_reversal_attempt_at or self.changed_at
        return since - deadline() - settle_time()

    def is_refunded_beside(self) -> bool:
        """A sale with codes of this member was refunded since this one's first attempt."""
        told = Member.objects.filter(refund_told_at__gte=self.is_moved_by_refunds_from)
        return told.filter(pk=self.member_id).exists()

    def count_read(self, *, with_history: bool) -> None:
        """The engine could be read once more; only a history makes it a reading that counts."""
        type(self).objects.filter(pk=self.pk).update(
            readable_reads=F("readable_reads") + int(with_history),
            first_readable_read_at=Coalesce("first_readable_read_at", Now()),
        )
        self.refresh_from_db()


def open_for(member_id: uuid.UUID) -> models.QuerySet[PendingRedemption]:
    """What an associate must know of: codes not used yet, acts not ended yet, points set aside.

    For a list: it holds only what that shows.
    """
    return (
        PendingRedemption.objects.filter(standing(), member_id=member_id)
        .order_by("-requested_at")
        .only(
            "installation_id",
            "member_id",
            "offer_name",
            "points",
            "code",
            "state",
            "requested_at",
            "delayed",
            "deduction",
        )
    )


def standing() -> Q:
    """Open, or used with points that are still to go."""
    return Q(state__in=[*UNDER_WAY, *OPEN]) | sets_aside()


OPEN_FOR = Prepared(open_for, blank=uuid.UUID(int=0))
