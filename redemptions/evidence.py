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
REVERSAL_WORDS = ("revers", "cancel", "refund", "return", "gave back", "given back")


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
    new = rows_since(redemption, customer.history)
    unexplained = unexplained_points(redemption, customer, new)
    shown = any(row.status == redemption.code and row.points < 0 for row in customer.history)
    if any(is_reversal_row(row, redemption) for row in new):
        return True
    marked = any(is_marked_given_back(row, redemption, customer) for row in customer.history)
    if marked and not shown:
        return True
    if unexplained == redemption.points:
        return True
    return False if shown and unexplained == 0 else None


def newest_row(customer: Customer) -> datetime | None:
    """By the engine's clock, so that rows can be told from later ones without comparing clocks."""
    return max((row.created_at for row in customer.history or () if row.created_at), default=None)


def rows_since(
    redemption: PendingRedemption, history: Sequence[HistoryItem]
) -> Sequence[HistoryItem]:
    """Rows written since the history was read before the first attempt, that count by now."""
    before = redemption.newest_row_before_reversal
    if before is None:
        return ()
    return [
        row
        for row in history
        if row.created_at and row.created_at > before and row.status.lower() != "pending"
    ]


def is_reversal_row(row: HistoryItem, redemption: PendingRedemption) -> bool:
    """An order can earn as many points by chance, so the title must speak of it, too."""
    title = row.title.lower()
    return row.points == redemption.points and (
        redemption.code.lower() in title
        or redemption.offer_name.lower() in title
        or any(word in title for word in REVERSAL_WORDS)
    )


def is_marked_given_back(
    row: HistoryItem, redemption: PendingRedemption, customer: Customer
) -> bool:
    """Its status says so, and it was made when this redemption was."""
    made = redemption.requested_at + clock_skew(customer)
    return (
        is_redemption_of(row, redemption)
        and row.status.lower() in GIVEN_BACK
        and is_between(row, made - WHOLE_SECONDS, made + TOO_LATE + deadline() + WHOLE_SECONDS)
    )


def unexplained_points(
    redemption: PendingRedemption, customer: Customer, new: Sequence[HistoryItem]
) -> int | None:
    """How far the balance moved since before the first attempt, beyond what new rows tell."""
    before = redemption.balance_before_reversal
    if before is None:
        return None
    return customer.points_balance - before - sum(row.points for row in new)
