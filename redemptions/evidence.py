"""What the engine's history proves. Pure: it reads objects and asks nobody.

The engine's reference does not say how a redemption or its reversal shows in the history
(contracts: "seen" and "guessed"); every guess about it is in this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.yotpo.payloads import CodeRecord, Customer, HistoryItem
from members.identity import email_identity
from offers.catalogue import Kind
from redemptions.models import PendingRedemption
from redemptions.timing import TOO_LATE, WHOLE_SECONDS, deadline, settle_time

# Words that stand where a redemption has its code, and are none.
NOT_CODES = {"approved", "pending", "redeemed", "expired", ""}
GIVEN_BACK = {"reversed", "cancelled", "canceled", "refunded"}
REVERSAL_WORDS = ("revers", "cancel", "given back")
# Further off than this, a clock is no clock.
WORST_SKEW = timedelta(days=1)
LONGEST_CODE = 255
FAR_AHEAD = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sight:
    """The member as the engine showed them, and by how much its clock was ahead of ours."""

    customer: Customer
    skew: timedelta

    @property
    def history(self) -> Sequence[HistoryItem]:
        return self.customer.history or ()

    @property
    def newest_row(self) -> datetime | None:
        """By the engine's clock, so that later rows are known without comparing clocks."""
        return max((row.created_at for row in self.history if row.created_at), default=None)


def skew_of(customer: Customer, our_time: datetime) -> timedelta:
    """To about a second; none where the engine tells no time, or one that can't be."""
    if customer.engine_time is None:
        return timedelta(0)
    skew = customer.engine_time - our_time
    return skew if abs(skew) < WORST_SKEW else timedelta(0)


def suspects(
    redemption: PendingRedemption, sight: Sight, *, later: timedelta = timedelta(0)
) -> list[HistoryItem]:
    """Rows that took as many points at that time, whatever else they say of themselves.

    While one of them is not explained, the redemption can't be called not made. `later`: so much
    longer than any process waited, for an engine that acts long after it was asked.
    """
    since = redemption.requested_at + sight.skew - WHOLE_SECONDS
    until = since + TOO_LATE + deadline() + settle_time() + 2 * WHOLE_SECONDS + later
    return [
        row
        for row in sight.history
        if row.points == -redemption.points
        and row.status.lower() not in GIVEN_BACK
        and is_between(row, since, until)
    ]


def is_between(row: HistoryItem, since: datetime, until: datetime) -> bool:
    if row.created_at is not None:
        return since <= row.created_at <= until
    if row.on is None:
        return False
    # Some accounts give the day alone, and it may be the shop's day rather than UTC's.
    day = timedelta(days=1)
    return since.date() - day <= row.on <= until.date() + day


def has_code(row: HistoryItem) -> bool:
    return row.status.lower() not in NOT_CODES and len(row.status) <= LONGEST_CODE


def is_anothers(redemption: PendingRedemption, record: CodeRecord) -> bool:
    """The code's record names another member, or another redemption than the id that we hold."""
    if record.email and email_identity(record.email) != email_identity(redemption.member.email):
        return True
    ours = redemption.engine_id
    return ours is not None and record.redemption_id not in {None, ours}


def is_ours(redemption: PendingRedemption, row: HistoryItem, record: CodeRecord) -> bool:
    """By the id that we hold; else by the member's email and the offer's title."""
    if not record.email or is_anothers(redemption, record):
        return False
    if redemption.engine_id is not None and record.redemption_id == redemption.engine_id:
        return True
    return has_title_of(row, redemption)


def has_title_of(row: HistoryItem, redemption: PendingRedemption) -> bool:
    """Where the points were chosen, the title may name what they came to instead of the offer."""
    if redemption.offer_kind == Kind.VARIABLE:
        return True
    return plain(row.title) == plain(redemption.offer_name)


def plain(title: str) -> str:
    """Titles are rendered by the engine, so spaces and capitals are not relied on."""
    return " ".join(title.lower().split())


def points_went(redemption: PendingRedemption, sight: Sight) -> bool:
    """Of a delayed one that was used: a row with its code or, where rows tell no codes, of its
    points and title since the sale."""
    if any(row.status == redemption.code and row.points < 0 for row in sight.history):
        return True
    sold = redemption.sold_at
    return sold is not None and any(
        row.points == -redemption.points
        and not has_code(row)
        and row.status.lower() not in GIVEN_BACK
        and has_title_of(row, redemption)
        and is_between(row, sold + sight.skew - WHOLE_SECONDS, FAR_AHEAD)
        for row in sight.history
    )


def given_back(
    redemption: PendingRedemption, sight: Sight, *, alone: bool, refunded: bool = False
) -> bool | None:
    """Whether the engine gave this redemption's points back; None where reading cannot tell.

    Three ways to show it were thought of: the row's status changes, a row of its own appears,
    or only the balance moves. Where the member has another reversal under way (not `alone`), a
    balance or a row without our code could be that one's, and proves nothing. Nor does the balance
    where a sale of theirs was `refunded` meanwhile: as many points may have come back for that one.
    """
    if sight.customer.history is None:
        return None
    new = rows_since(redemption, sight.history)
    shown = any(row.status == redemption.code and row.points < 0 for row in sight.history)
    marked = any(is_marked_given_back(row, redemption, sight.skew) for row in sight.history)
    if marked and not shown:
        return True
    if any(is_reversal_row(row, redemption, alone=alone) for row in new):
        return True
    unexplained = unexplained_points(redemption, sight.customer, new)
    if alone and not refunded and unexplained == redemption.points:
        return True
    return False if shown and unexplained == 0 else None


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


def is_reversal_row(row: HistoryItem, redemption: PendingRedemption, *, alone: bool) -> bool:
    """An order or its refund can move as many points by chance: the title must speak of ours."""
    title = plain(row.title)
    if row.points != redemption.points:
        return False
    if redemption.code.lower() in title:
        return True
    of_the_offer = plain(redemption.offer_name) in title
    return alone and of_the_offer and any(word in title for word in REVERSAL_WORDS)


def is_marked_given_back(row: HistoryItem, redemption: PendingRedemption, skew: timedelta) -> bool:
    """Its status says so, and it was made when this redemption was."""
    made = redemption.requested_at + skew
    return (
        row.points == -redemption.points
        and has_title_of(row, redemption)
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
