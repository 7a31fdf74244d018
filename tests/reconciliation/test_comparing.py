"""What a history says and does not say: nothing is invented. No database, no engine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.yotpo.payloads import CodeRecord, Customer, HistoryItem
from members.models import Member
from reconciliation.comparing import Case, Titles, compare
from reconciliation.kinds import Kind
from reconciliation.ours import Corrected, OrderTold, Ours
from redemptions.evidence import Sight
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from sales.models import Sale

NOW = datetime(2026, 5, 2, 12, 0, tzinfo=UTC)
MADE = NOW - timedelta(hours=1)
SECOND = timedelta(seconds=1)
MEMBER = Member(email="mara@example.com")


def row(points=-500, status="LP-1", at=MADE + SECOND, title="$5 off", on=None) -> HistoryItem:
    return HistoryItem(at, on, title, points, status, None, None)


def redemption(state=State.ISSUED, **facts) -> PendingRedemption:
    usual = {
        "member": MEMBER,
        "offer_name": "$5 off",
        "offer_kind": "fixed",
        "points": 500,
        "code": "LP-1",
        "engine_id": 7,
        "state": state,
        "requested_at": MADE,
        "changed_at": MADE,
    }
    return PendingRedemption(**{**usual, **facts})


def not_made(**facts) -> PendingRedemption:
    usual = {"code": "", "engine_id": None, "reason": Reason.TIMED_OUT}
    return redemption(State.NOT_MADE, **{**usual, **facts})


def told(*attempts: datetime, pk: int = 1, cents: int = 4200, **facts) -> OrderTold:
    facts = {"completed_at": attempts[0], "total_cents": cents, "pos_id": f"S-{pk}"} | facts
    return OrderTold(Sale(pk=pk, order_id=f"S-{pk}", **facts), attempts[-1], attempts)


def earned(at, points=42, title="Placed an order", status="Approved") -> HistoryItem:
    return row(points, status, at, title)


def compared(
    history,
    *redemptions,
    orders=(),
    corrections=(),
    customer=None,
    skew=timedelta(0),
    records=None,
    ever=0,
    codes_at_tills=(),
):
    """The kinds, with whether they are certain."""
    ours = Ours(
        member=MEMBER,
        since=NOW - timedelta(days=14),
        cutoff=NOW - timedelta(minutes=5),
        redemptions=redemptions,
        orders=orders,
        corrections=corrections,
        orders_ever=ever or len(orders),
        codes_at_tills=frozenset(codes_at_tills),
        has_refunds=False,
    )
    known = {"LP-1": CodeRecord(1, "LP-1", "mara@example.com", 7, None)} | (records or {})
    customer = replace(customer or Customer(points_balance=0), history=history)
    case = Case(
        ours,
        Sight(customer, skew),
        known.get,
        lambda: Titles(frozenset({"$5 off"}), frozenset({"$5 off", "$20 off online"})),
        lambda _code: None,
    )
    return [(found.kind, found.is_certain) for found in compare(case)]


@pytest.mark.parametrize(
    "history",
    [
        (row(),),
        (row(status="Pending"),),
        (row(status="Approved"),),
        (row(status="", title="Redeemed points"),),
        (row(at=None, on=MADE.date(), status="Approved"),),
        (),  # the engine knows the code, and its history is short
        None,
    ],
)
def test_an_open_code_that_the_history_shows_in_its_own_way_is_no_difference(history):
    assert compared(history, redemption()) == []


def test_a_clock_that_is_wrong_changes_nothing():
    skew = timedelta(minutes=40)
    history = (row(at=MADE + skew), earned(MADE + skew))
    assert compared(history, redemption(), orders=[told(MADE)], skew=skew) == []


def test_what_is_fresh_is_not_judged():
    just_now = NOW - timedelta(seconds=30)
    fresh = redemption(requested_at=just_now, changed_at=just_now, code="LP-9")
    assert compared((row(status="LP-8", at=just_now),), fresh) == []


def test_what_was_there_before_we_saw_the_member_is_not_ours():
    assert compared((row(at=NOW - timedelta(days=20)),)) == []


@pytest.mark.parametrize("state", [State.REQUESTED, State.UNCERTAIN, State.DISPUTED])
def test_what_settling_or_a_manager_has_not_ended_is_theirs(state):
    assert compared((row(),), redemption(state, code="", engine_id=None)) == []


def test_a_late_commit_is_known_by_the_engines_id_or_the_offer():
    late = row(at=MADE + timedelta(minutes=10))
    assert compared((late,), not_made()) == [(Kind.LATE_COMMIT, True)]
    assert compared((late,), not_made(engine_id=7)) == [(Kind.LATE_COMMIT, True)]


def test_what_was_there_before_we_called_it_not_made_may_be_the_members_own():
    said = not_made(changed_at=MADE + timedelta(minutes=2))
    assert compared((row(),), said) == [(Kind.UNKNOWN_CODE, False)]
    known = not_made(changed_at=MADE + timedelta(minutes=2), engine_id=7)
    assert compared((row(),), known) == [(Kind.LATE_COMMIT, True)]


def test_of_two_that_a_late_commit_could_be_none_is_named_for_certain():
    late = row(at=MADE + timedelta(minutes=10))
    both = (not_made(), not_made(requested_at=MADE + SECOND))
    assert compared((late,), *both) == [(Kind.LATE_COMMIT, False)]


def test_what_comes_hours_later_is_no_late_commit():
    history = (row(at=MADE + timedelta(minutes=50)),)
    long_ago = MADE - timedelta(hours=2)
    assert compared(history, not_made(requested_at=long_ago)) == [(Kind.UNKNOWN_CODE, True)]


def test_what_a_manager_said_was_not_made_is_not_brought_up_again_as_late():
    by_hand = not_made(reason=Reason.BY_MANAGER)
    assert compared((row(),), by_hand) == [(Kind.UNKNOWN_CODE, True)]


def test_an_offer_that_no_till_has_was_redeemed_online():
    assert compared((row(title="$20 off online"),)) == [(Kind.ONLINE, True)]


def test_of_an_offer_that_is_no_more_it_can_not_be_told():
    assert compared((row(title="Spring gift"),)) == [(Kind.UNKNOWN_CODE, False)]


def test_a_code_that_a_sale_of_ours_has_was_shown_by_the_member():
    assert compared((row(),), codes_at_tills=["LP-1"]) == [(Kind.ONLINE, True)]


def test_one_code_for_which_points_went_twice_is_shown_once():
    again = row(at=MADE + timedelta(minutes=20))
    assert compared((row(), again), redemption()) == [(Kind.UNKNOWN_CODE, True)]


def test_a_code_that_the_engine_gave_to_another_member():
    another = {"LP-1": CodeRecord(1, "LP-1", "ben@example.com", 8, None)}
    assert compared((), redemption(), records=another) == [(Kind.CODE_ELSEWHERE, True)]


# Orders

EARLIER = MADE - timedelta(hours=1)


def buyer(**facts) -> Customer:
    return Customer(points_balance=0, opted_in=True, **facts)


def test_an_order_that_earned_nothing_may_have_been_processed():
    after = buyer(total_purchases=1, last_purchase_at=MADE)
    assert compared((), orders=[told(MADE)], customer=after) == []


@pytest.mark.parametrize(
    "customer",
    [buyer(total_purchases=0), buyer(total_purchases=9, last_purchase_at=EARLIER)],
)
def test_the_engines_own_counts_prove_that_an_order_was_not_processed(customer):
    found = compared((), orders=[told(MADE)], customer=customer)
    assert found == [(Kind.ORDER_NOT_PROCESSED, True)]


def test_a_last_purchase_of_which_only_the_day_is_told_proves_nothing():
    day = NOW.replace(hour=0)
    assert compared((), orders=[told(MADE)], customer=buyer(last_purchase_at=day)) == []


def test_one_of_two_orders_is_missing_and_it_can_not_be_told_which():
    orders = [told(EARLIER, pk=1), told(MADE, pk=2)]
    found = compared((), orders=orders, customer=buyer(total_purchases=1))
    assert found == [(Kind.ORDER_NOT_PROCESSED, False)] * 2


def test_who_is_not_opted_in_earns_nothing():
    customer = replace(buyer(total_purchases=0), opted_in=False)
    assert compared((), orders=[told(MADE)], customer=customer) == []


def test_an_order_told_twice_and_a_purchase_like_it_much_later_is_counted_once():
    again = MADE + timedelta(minutes=10)
    rows = (earned(MADE), earned(MADE + timedelta(minutes=45)))
    assert compared(rows, orders=[told(MADE, again)]) == [(Kind.ONLINE, True)]


def test_an_order_that_earns_by_two_rules_is_counted_once():
    again = MADE + timedelta(minutes=10)
    rows = (earned(MADE), earned(MADE, title="Double points"))
    assert compared(rows, orders=[told(MADE, again)]) == []


def test_an_order_counted_each_time_it_was_told():
    again = MADE + timedelta(minutes=10)
    rows = (earned(MADE), earned(again))
    assert compared(rows, orders=[told(MADE, again)]) == [(Kind.ORDER_TWICE, True)]


def test_both_rows_after_the_second_telling_do_not_decide():
    again = MADE + timedelta(minutes=10)
    rows = (earned(again + 5 * SECOND), earned(again + 6 * SECOND))
    assert compared(rows, orders=[told(MADE, again)]) == [(Kind.ORDER_TWICE, False)]


# Points that were given back

BEFORE = {
    "reason": Reason.UNDONE,
    "first_reversal_attempt_at": MADE + timedelta(minutes=5),
    "changed_at": MADE + timedelta(minutes=6),
    "balance_before_reversal": 140,
    "newest_row_before_reversal": MADE + SECOND,
}


def undone(**facts) -> PendingRedemption:
    return redemption(State.REVERSED, **{**BEFORE, **facts})


BACK = row(500, "Approved", MADE + timedelta(minutes=6), "$5 off reversed")


@pytest.mark.parametrize(
    ("history", "balance", "expected"),
    [
        ((row(status="Reversed"),), 640, []),
        ((row(), BACK), 640, []),
        ((row(),), 640, []),
        ((row(),), 140, [(Kind.NOT_GIVEN_BACK, True)]),
        # Something else moved the balance: it can't be told, so nothing is said.
        ((row(),), 200, []),
        ((), 140, []),
        ((row(), BACK, BACK), 1140, [(Kind.GIVEN_BACK_TWICE, True)]),
        ((row(status="Reversed"),), 1140, [(Kind.GIVEN_BACK_TWICE, False)]),
        # Another one that was made and given back since.
        ((row(status="Reversed"), row(-500, "Reversed", MADE + timedelta(minutes=8))), 640, []),
    ],
)
def test_how_often_points_came_back(history, balance, expected):
    assert compared(history, undone(), customer=Customer(points_balance=balance)) == expected


def test_beside_another_reversal_the_balance_proves_nothing():
    other = undone(pk="7a3f0f0e-0000-4000-8000-000000000001", code="LP-2", engine_id=8)
    rows = (row(), row(status="LP-2"))
    customer = Customer(points_balance=1640)
    assert compared(rows, undone(), other, customer=customer) == []


def test_two_of_one_offer_whose_rows_name_no_codes_came_back():
    other = undone(pk="7a3f0f0e-0000-4000-8000-000000000001", code="LP-2", engine_id=8)
    rows = (row(), row(status="LP-2"), BACK, BACK)
    assert compared(rows, undone(), other, customer=Customer(points_balance=1140)) == []


def test_beside_a_refund_the_balance_proves_nothing(monkeypatch):
    monkeypatch.setattr(MEMBER, "refund_told_at", MADE + timedelta(minutes=7))
    assert compared((row(status="Reversed"),), undone(), customer=Customer(1140)) == []


def test_what_a_manager_let_go_is_not_expected_back():
    assert compared((row(),), undone(reason=Reason.LET_GO), customer=Customer(140)) == []


def test_what_a_correction_made_good_is_no_difference():
    mine = undone()
    title = "Correction back 1"
    made_good = Corrected(1, title, 500, MADE, str(mine.id))
    rows = (row(), row(500, "Approved", MADE + timedelta(minutes=9), title))
    assert compared(rows, mine, corrections=[made_good], customer=Customer(640)) == []
