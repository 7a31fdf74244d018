"""What rounding left, once the whole of a sale was refunded in parts.

The engine rounds down at each refund, so some points of the order stay, or some of those spent on
it do not come back. Where evidence shows how many, one correction puts it right; where it does not,
a manager is asked, with the figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Max, Min, Q
from django.db.models.functions import Coalesce, Now

from connectors.yotpo.payloads import Customer, HistoryItem
from members.engine import engine
from outbox.errors import NotWanted
from outbox.ledger import enqueue
from outbox.models import Attempt, Delivery
from redemptions.disputes import order_of
from redemptions.evidence import has_code
from redemptions.models import PendingRedemption
from redemptions.timing import WHOLE_SECONDS, deadline, settle_time
from sales.earned import Span, earned_by, is_our_own, row_of, skew_now
from sales.models import REFUND, REFUND_READING, REMAINDER, Refund, Remainder, Sale
from sales.refunding import is_refunded_whole, is_title_seen, read_member, refund_of
from sales.spent import has_anothers_code, spent_on
from stores.models import Installation

log = structlog.get_logger(__name__)

UNKNOWN_MEMBER = "The engine does not know the member any more."
NO_PROOF = "The history does not show for certain what the order earned."
FOREIGN_CODE = "The sale has a code that was not made here: its points may have come back, too."
ANOTHERS_CODE = "The sale has another member's code: nobody can say who got its points back."
NOT_READ = "The balance could not be read around each of the refunds."
OTHERS_MOVED = "Other points of the member moved at the same time."
TOO_MUCH = "More than rounding explains. See whether 'spent points are returned by' is set right."


@dataclass(frozen=True, slots=True)
class Figures:
    """What there is to judge by. Points are whole; `missing`: what the balance is to move yet."""

    earned: int | None
    spent: int
    expected: int | None
    moved: int | None
    doubt: str = ""

    @property
    def missing(self) -> int:
        return (self.expected or 0) - (self.moved or 0)


def read_after(delivery: Delivery) -> None:
    """How the member stands after a refund; after the last, whether it comes out even."""
    refund = refund_of(delivery)
    sale = refund.sale
    if sale is None:
        raise NotWanted
    ends_here = is_whole(sale)
    customer = read_member(sale, with_history=ends_here)
    refund.balance_after = customer.points_balance if customer else None
    refund.save(update_fields=["balance_after"])
    if ends_here and not Remainder.objects.filter(sale=sale).exists():
        settle(sale, customer)


def is_whole(sale: Sale) -> bool:
    """All of it was refunded, in several refunds, and the engine has accepted each."""
    # One of nothing, told after the whole, leaves nothing either.
    refunds = sale.refunds.filter(state=Refund.State.PROMISED, total_cents__gt=0)
    return is_refunded_whole(sale) and refunds.count() > 1


def settle(sale: Sale, customer: Customer | None) -> None:
    """Correct what was proven, and ask about what was not. Raises NotKnownYet."""
    refunds = list(sale.refunds.filter(state=Refund.State.PROMISED).order_by("told_at"))
    figures = figures_of(sale, refunds, customer)
    if figures.earned == 0 and figures.spent == 0:
        return
    if not figures.doubt and figures.missing == 0:
        return
    if not figures.doubt and abs(figures.missing) >= len(refunds):
        figures = replace(figures, doubt=TOO_MUCH)
    write(sale, figures)


def figures_of(sale: Sale, refunds: Sequence[Refund], customer: Customer | None) -> Figures:
    spent = spent_on(sale)
    by_engine = sale.installation.spent_points_returned_by == Installation.GivesBack.ENGINE
    earned = earned_by(sale, customer) if customer else None
    expected = None if earned is None else (spent if by_engine else 0) - earned
    doubts = [
        (UNKNOWN_MEMBER, customer is None),
        (NO_PROOF, earned is None),
        (FOREIGN_CODE, by_engine and any("redemption" not in c for c in sale.coupon_codes)),
        (ANOTHERS_CODE, by_engine and has_anothers_code(sale)),
        (NOT_READ, moved_by(refunds) is None),
        (OTHERS_MOVED, customer is not None and others_moved(sale, refunds, customer)),
    ]
    doubt = next((words for words, applies in doubts if applies), "")
    return Figures(earned, spent, expected, moved_by(refunds), doubt)


def moved_by(refunds: Sequence[Refund]) -> int | None:
    """What the engine did of its own, without what we gave back meanwhile."""
    moved = 0
    for refund in refunds:
        if refund.balance_before is None or refund.balance_after is None:
            return None
        given = refund.points_given_back or 0
        moved += refund.balance_after - refund.balance_before - given
    return moved


def others_moved(sale: Sale, refunds: Sequence[Refund], customer: Customer) -> bool:
    """Whether anything else of the member was under way between two readings."""
    return any(
        is_told_meanwhile(sale, span)
        or is_redeemed_meanwhile(sale, span)
        or is_shown_meanwhile(sale, span, customer)
        for span in map(read_within, refunds)
    )


def read_within(refund: Refund) -> Span:
    """From the reading before it was told to the one after it."""
    tries = Attempt.objects.filter(
        delivery__kind__in=[REFUND, REFUND_READING], delivery__key=refund.refund_id
    ).aggregate(since=Min("started_at"), until=Max(Coalesce("ended_at", Now())))
    return Span(tries["since"], tries["until"])


def is_told_meanwhile(sale: Sale, span: Span) -> bool:
    """By deliveries of the same member's other sales, redemptions and corrections."""
    wide = span.widened(deadline() + settle_time(), timedelta(0))
    sales = Sale.objects.filter(member=sale.member_id).exclude(pk=sale.pk)
    redemptions = PendingRedemption.objects.filter(member=sale.member_id)
    names = [f"sale:{pk}" for pk in sales.values_list("pk", flat=True)]
    names += [order_of(redemption) for redemption in redemptions.only("pk")]
    names.append(f"member:{sale.member_id}")
    tries = Attempt.objects.filter(may_be_sent=True, delivery__order_by__in=names)
    return tries.filter(started_at__range=(wide.since, wide.until)).exists()


def is_redeemed_meanwhile(sale: Sale, span: Span) -> bool:
    within = (span.since, span.until)
    moved = Q(requested_at__range=within) | Q(changed_at__range=within, state="reversed")
    return PendingRedemption.objects.filter(moved, member=sale.member_id).exists()


def is_shown_meanwhile(sale: Sale, span: Span, customer: Customer) -> bool:
    """By rows of the history that are neither a refund's nor any of ours: bought online, say."""
    skew = skew_now(sale, customer)
    wide = span.widened(WHOLE_SECONDS, WHOLE_SECONDS)
    own = row_of(sale, customer)
    ours = set(
        PendingRedemption.objects.filter(member=sale.member_id).values_list("code", flat=True)
    )
    return any(
        item.created_at is not None
        and wide.holds(item.created_at - skew)
        and item is not own
        and item.status not in ours
        and not is_our_own(item)
        and not is_of_a_refund(item, sale)
        for item in customer.history or ()
    )


def is_of_a_refund(item: HistoryItem, sale: Sale) -> bool:
    return not has_code(item) and (item.points < 0 or bool(sale.coupon_codes))


def write(sale: Sale, figures: Figures) -> None:
    """With the promise of its correction, or for a manager."""
    with transaction.atomic():
        remainder = Remainder.objects.create(
            sale=sale,
            state=Remainder.State.ASKS if figures.doubt else Remainder.State.CORRECTING,
            earned=figures.earned,
            spent=figures.spent,
            expected=figures.expected,
            moved=figures.moved,
            points=0 if figures.doubt else figures.missing,
            cause=figures.doubt or "The engine rounded at each refund.",
        )
        if not figures.doubt:
            enqueue(
                kind=REMAINDER,
                key=str(remainder.pk),
                installation_id=sale.installation_id,
                payload={"remainder": remainder.pk, "points": figures.missing},
                order_by=f"sale:{sale.pk}",
            )
    log.info("sale.remainder", sale=sale.pk, state=remainder.state, points=remainder.points)


# What the route calls


def remainder_of(delivery: Delivery) -> Remainder:
    rows = Remainder.objects.select_related("sale__member")
    return rows.get(pk=delivery.payload["remainder"])


def correction_title(remainder_pk: int) -> str:
    """Found again in the history. Closed by a full stop, so that none is a part of another."""
    return f"Correction of refunds S{remainder_pk}."


def correct(delivery: Delivery) -> None:
    remainder = remainder_of(delivery)
    if remainder.sale.member is None:
        raise NotWanted
    engine().adjust_points(
        email=remainder.sale.member.email,
        points=remainder.points,
        title=correction_title(remainder.pk),
        asked_at=delivery.asked_at,
    )


def is_correction_of_remainder_seen(delivery: Delivery) -> bool | None:
    remainder = remainder_of(delivery)
    return is_title_seen(remainder.sale, correction_title(remainder.pk))


def note_corrected(delivery: Delivery) -> None:
    rows = Remainder.objects.filter(pk=delivery.payload["remainder"])
    rows.update(state=Remainder.State.CORRECTED, ended_at=Now())


def note_not_corrected(delivery: Delivery) -> None:
    """It waits for a person among the deliveries."""
    rows = Remainder.objects.filter(pk=delivery.payload["remainder"])
    rows.update(
        state=Remainder.State.ASKS,
        cause="The correction was not accepted: see its delivery. It can be sent again there.",
    )
