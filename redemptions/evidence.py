"""What the engine's history proves. Pure: it reads objects and asks nobody.

The engine's reference does not say how a redemption or its reversal shows in the history
(contracts: "seen" and "guessed"); every guess about it is in this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.yotpo.payloads import Customer, HistoryItem
from redemptions.models import PendingRedemption
from redemptions.timing import TOO_LATE, WHOLE_SECONDS, deadline, settle_time

NO_CODE_YET = {"pending", ""}
# Words that stand where a redemption has its code, and are none.
NOT_CODES = {"approved", "reversed", "pending", "redeemed", "cancelled", "canceled", "expired", ""}
GIVEN_BACK = {"reversed", "cancelled", "canceled", "refunded"}


@dataclass(frozen=True, slots=True)
class Matches:
    """History rows that could be this redemption: with a code, and with none yet."""

    coded: tuple[HistoryItem, ...]
    pending: tuple[HistoryItem, ...]


def clock_skew(customer: Customer) -> timedelta:
    """By how much the engine's clock is ahead of ours, to about a second."""
    if customer.engine_time is None or customer.received_at is None:
        return timedelta(0)
    return customer.engine_time - customer.received_at


def matches(redemption: PendingRedemption, customer: Customer) -> Matches:
    """The rows of the right cost, title and time. `status` is the code where there is one."""
    history = customer.history or ()
    skew = clock_skew(customer)
    since = redemption.requested_at + skew - WHOLE_SECONDS
    until = redemption.requested_at + skew + TOO_LATE + deadline() + settle_time() + WHOLE_SECONDS
    rows = [
        row
        for row in history
        if is_redemption_of(row, redemption) and is_between(row, since, until)
    ]
    return Matches(
        coded=tuple(row for row in rows if row.status.lower() not in NOT_CODES),
        pending=tuple(row for row in rows if row.status.lower() in NO_CODE_YET),
    )


def is_redemption_of(row: HistoryItem, redemption: PendingRedemption) -> bool:
    return row.points == -redemption.points and same_title(row.title, redemption.offer_name)


def same_title(one: str, other: str) -> bool:
    """Titles are rendered by the engine, so spaces and capitals are not relied on."""
    return " ".join(one.lower().split()) == " ".join(other.lower().split())


def is_between(row: HistoryItem, since: datetime, until: datetime) -> bool:
    if row.created_at is not None:
        return since <= row.created_at <= until
    # Some accounts give the day alone: then the day is all that can be compared.
    return row.on is not None and since.date() <= row.on <= until.date()


def given_back(redemption: PendingRedemption, customer: Customer) -> bool | None:
    """Whether the engine gave this redemption's points back; None where reading cannot tell.

    Three ways to show it were thought of: the row's status changes, a row of its own appears,
    or only the balance moves.
    """
    if customer.history is None:
        return None
    ours = [row for row in customer.history if row.status == redemption.code and row.points < 0]
    since = changes_since(redemption, customer)
    if any(row.points == redemption.points for row in since):
        return True
    if not ours and any(is_marked_given_back(row, redemption) for row in customer.history):
        return True
    unexplained = unexplained_points(redemption, customer, since)
    if unexplained == redemption.points:
        return True
    return False if ours and unexplained == 0 else None


def changes_since(redemption: PendingRedemption, customer: Customer) -> Sequence[HistoryItem]:
    """Rows written since the first attempt to give back."""
    first = redemption.first_reversal_attempt_at
    if first is None:
        return ()
    since = first + clock_skew(customer) - WHOLE_SECONDS
    return [row for row in customer.history or () if row.created_at and row.created_at >= since]


def is_marked_given_back(row: HistoryItem, redemption: PendingRedemption) -> bool:
    if not is_redemption_of(row, redemption) or row.status.lower() not in GIVEN_BACK:
        return False
    made = redemption.requested_at
    return row.created_at is None or abs(row.created_at - made) < settle_time() + timedelta(hours=1)


def unexplained_points(
    redemption: PendingRedemption, customer: Customer, since: Sequence[HistoryItem]
) -> int | None:
    """How far the balance moved since before the first attempt, beyond what rows tell."""
    before = redemption.balance_before_reversal
    if before is None:
        return None
    return customer.points_balance - before - sum(row.points for row in since)
