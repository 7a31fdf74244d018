"""What a sale does to the codes it was paid with."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from django.db import transaction
from django.db.models.functions import Coalesce, Now

from redemptions.disputes import is_taken_again
from redemptions.models import PendingRedemption
from redemptions.sold import keep_sold
from redemptions.states import OPEN, Deduction, Reason, State
from redemptions.told import Question, ask_a_manager

log = structlog.get_logger(__name__)

# A code can come again: of rows with the same one, that which could still be taken is meant.
NEAREST = (*OPEN, State.USED, State.DISPUTED, State.CANCELLED, State.REVERSED)


class Outcome(StrEnum):
    """What a sale's code turned out to be."""

    USED = "used"
    USED_BEFORE = "used_before"
    """Another sale has it: somebody took one code twice."""
    BEING_REVERSED = "being_reversed"
    """Its points are on their way back: reading will tell which of the two won."""
    DISPUTED = "disputed"
    """Its points went back before: a manager decides."""
    CANCELLED = "cancelled"
    """We had ended it, and the till took it nevertheless: its points go with the order."""
    ANOTHER_MEMBERS = "another_members"
    """Used, and its points were not the buyer's: a manager is asked."""
    UNKNOWN = "unknown"
    """Not made by us: a coupon of the web shop's, or mistyped; or its redemption turns up yet."""


# It counts as used by this sale.
TAKEN = frozenset({Outcome.USED, Outcome.CANCELLED, Outcome.ANOTHER_MEMBERS})


@dataclass(frozen=True, slots=True)
class CodeOutcome:
    code: str
    outcome: Outcome
    redemption: PendingRedemption | None = None


def use(codes: Iterable[str], sale: str) -> list[CodeOutcome]:
    """Mark the codes as used by the sale of that order id, each in the order given.

    In the transaction that records the sale, so that exactly one of use and reversal wins. The same
    sale may come again. A till may type other capitals than the engine's. Raises RuntimeError
    outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Codes are used in the transaction that records their sale.")
    # An order names its codes in one text with commas, and so do some tills.
    named = (part.strip() for code in codes for part in code.split(","))
    wanted = list(dict.fromkeys(filter(None, named)))
    if not wanted:
        return []
    rows = (
        PendingRedemption.objects.select_for_update(of=("self",))
        .select_related("member")
        .with_codes(wanted)
        .filter(state__in=NEAREST)
        .order_by("pk")
    )
    nearest: dict[str, PendingRedemption] = {}
    ranked = sorted(rows, key=lambda row: (NEAREST.index(State(row.state)), row.requested_at))
    for row in ranked:
        nearest.setdefault(row.code, row)
    for row in ranked:
        nearest.setdefault(row.code.upper(), row)
    return [
        outcome_of(code, nearest.get(code) or nearest.get(code.upper()), sale) for code in wanted
    ]


def outcome_of(code: str, redemption: PendingRedemption | None, sale: str) -> CodeOutcome:
    if redemption is None:
        keep_sold(code, sale)
        return CodeOutcome(code, Outcome.UNKNOWN)
    outcome = use_one(redemption, sale)
    if outcome not in TAKEN:
        log.error("redemption.sold_wrongly", redemption=str(redemption.id), outcome=outcome)
    return CodeOutcome(code, outcome, redemption)


def use_one(redemption: PendingRedemption, sale: str) -> Outcome:
    """The row is locked: nobody moves it meanwhile."""
    sold: dict[str, Any] = {"sale": sale, "sold_at": Coalesce("sold_at", Now())}
    state = State(redemption.state)
    if state == State.USED:
        return claimed_or_used(redemption, sale)
    if state == State.DISPUTED:
        PendingRedemption.objects.filter(pk=redemption.pk, sale="").update(**sold)
        return Outcome.DISPUTED
    if state == State.REVERSED or ended_by_engine(redemption):
        reason = Reason.SOLD_ENDED if redemption.delayed else Reason.SOLD_AFTER
        redemption.move(State.DISPUTED, reason, only_from=[state], **sold)
        return Outcome.DISPUTED
    if state == State.REVERSING and redemption.first_reversal_attempt_at is not None:
        # Past the point of no return: no further attempt is made, and reading settles it.
        if redemption.sale not in {"", sale}:
            return Outcome.USED_BEFORE
        PendingRedemption.objects.filter(pk=redemption.pk).update(**sold, next_check_at=Now())
        return Outcome.BEING_REVERSED
    if redemption.delayed:
        sold["deduction"] = Deduction.DUE
    redemption.move(State.USED, Reason.SOLD, only_from=[state], **sold)
    if redemption.stop_asked_at is not None:
        ask_about_sold(redemption)
    return Outcome.CANCELLED if state == State.CANCELLED else Outcome.USED


def ask_about_sold(redemption: PendingRedemption) -> None:
    """It was to count no more, and the till had not taken it off."""
    by_shopper = redemption.stop_reason == Reason.BY_SHOPPER
    ask_a_manager(
        redemption.installation,
        redemption.code,
        by=Question.By.SHOPPER if by_shopper else Question.By.ENGINE,
        why=Question.Why.USED,
        engine_id=redemption.engine_id,
        redemption_id=redemption.pk,
    )


def ask_about_odd(code: CodeOutcome) -> None:
    """A manager should know that a sale took a code that was used before, or another member's."""
    why = {
        Outcome.USED_BEFORE: Question.Why.TWICE,
        Outcome.ANOTHER_MEMBERS: Question.Why.OTHERS,
    }.get(code.outcome)
    if why and code.redemption:
        ask_a_manager(
            code.redemption.installation,
            code.redemption.code,
            by=Question.By.SALE,
            why=why,
            engine_id=code.redemption.engine_id,
            redemption_id=code.redemption.pk,
        )


def claimed_or_used(redemption: PendingRedemption, sale: str) -> Outcome:
    """A manager may have said that it was used before its sale came."""
    if not redemption.sale:
        PendingRedemption.objects.filter(pk=redemption.pk).update(sale=sale)
        return Outcome.USED
    return Outcome.USED if redemption.sale == sale else Outcome.USED_BEFORE


def ended_by_engine(redemption: PendingRedemption) -> bool:
    return redemption.state == State.CANCELLED and redemption.reason == Reason.BY_ENGINE


def unuse(sale: str) -> list[PendingRedemption]:
    """Its sale was voided before the engine heard of it: the points of its codes go back.

    In the transaction that withdraws the order's delivery.
    """
    rows = list(
        PendingRedemption.objects.select_for_update(of=("self",))
        .filter(sale=sale, state__in=[State.USED, State.REVERSING])
        .order_by("pk")
    )
    for row in rows:
        if row.state == State.USED and is_taken_again(row):
            # The engine gave these back once before, and would not a second time.
            row.move(
                State.DISPUTED, Reason.VOIDED_AFTER, only_from=[State.USED], sale="", sold_at=None
            )
        elif row.state == State.USED:
            unsold: dict[str, Any] = {"sale": "", "sold_at": None, "deduction": Deduction.NONE}
            row.end(Reason.VOIDED, only_from=[State.USED], withdrawn_at=Now(), **unsold)
        else:
            PendingRedemption.objects.filter(pk=row.pk).update(sale="", sold_at=None)
    return rows
