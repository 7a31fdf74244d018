"""Whether the engine did something with the refunds that it accepted.

What a refund is called in a history is the account's to decide, and not every account need show
one. So that nothing was taken back is said only where the rows make up the whole balance: nothing
can have moved unseen then.
"""

from collections.abc import Sequence

from connectors.yotpo.payloads import HistoryItem
from reconciliation.found import Found
from reconciliation.kinds import Kind
from reconciliation.ordering import SLACK, Matches, at_of, moment
from reconciliation.ours import Ours, RefundTold
from redemptions.evidence import GIVEN_BACK, Sight, has_code
from sales.spent import share


def compare_refunds(
    ours: Ours, sight: Sight, matches: Matches, taken: Sequence[HistoryItem]
) -> list[Found]:
    """`matches`: which row is which order's. `taken`: rows that took points and that nothing else
    explains."""
    if not is_all_shown(sight):
        return []
    left = sorted((r for r in taken if r.created_at is not None and not has_code(r)), key=at_of)
    found = []
    for refund in sorted(ours.refunds, key=lambda refund: refund.attempts[0]):
        if refund.done_at > ours.cutoff or refund.attempts[0] < ours.since:
            continue
        points = points_to_take(refund, matches)
        told = refund.attempts[0] + sight.skew - SLACK
        row = next((row for row in left if at_of(row) >= told), None)
        left = [other for other in left if other is not row]
        if points and row is None:
            found.append(unprocessed(refund, sight, points))
    return found


def is_all_shown(sight: Sight) -> bool:
    counted = (row for row in sight.history if row.status.lower() not in (*GIVEN_BACK, "pending"))
    return sum(row.points for row in counted) == sight.customer.points_balance


def points_to_take(refund: RefundTold, matches: Matches) -> int:
    """0 where it is not known what the order earned, or its row is taken back itself."""
    row = matches.get(refund.sale.pk)
    if row is not None and row.status.lower() in GIVEN_BACK:
        return 0
    earned = refund.sale.points_earned or (row.points if row else 0)
    return share(earned, refund.total_cents, refund.sale.total_cents)


def unprocessed(refund: RefundTold, sight: Sight, points: int) -> Found:
    return Found(
        Kind.REFUND_NOT_PROCESSED,
        str(refund.pk),
        "The engine accepted the refund and took no points back: its history makes up the whole "
        "balance, and shows nothing of it.",
        ours={
            "refund": refund.pos_id,
            "sale": refund.sale.pos_id,
            "total in cents": refund.total_cents,
            "told at": [moment(attempt) for attempt in refund.attempts],
        },
        theirs={"balance": sight.customer.points_balance},
        sale_id=refund.sale.pk,
        points=-points,
    )
