"""After the order of a delayed code was told: whether the points went."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from audit.record import Who
from connectors.yotpo.orders import Order
from redemptions.actions import redeem
from redemptions.disputes import Act, Settlement, acts_of, settle_by_hand
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_all
from redemptions.states import Deduction, State
from redemptions.watches import watch_points_not_gone
from sales.models import OriginRule
from sales.record import void
from stores.models import Installation
from tests.redemptions.conftest import FIVE_OFF
from tests.sales.conftest import NOON

pytestmark = pytest.mark.django_db(transaction=True)

MARA = "mara@example.com"


@pytest.fixture
def code(engine, act, mara, installation) -> PendingRedemption:
    installation.delayed_deduction = True
    installation.save()
    return redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)


@pytest.fixture
def seen(engine, code):
    """Let the time pass for the next look, and what it saw."""

    def look() -> str:
        dated = PendingRedemption.objects.filter(pk=code.pk)
        dated.update(next_check_at=F("next_check_at") - timedelta(hours=2))
        see_to_all(engine)
        code.refresh_from_db()
        return code.deduction

    return look


def test_points_that_went_are_seen(sell, deliveries, sandbox, code, seen):
    sell(coupon_codes=(code.code,))
    code.refresh_from_db()
    assert (code.state, code.deduction) == (State.USED, Deduction.DUE)
    deliveries()
    code.refresh_from_db()
    assert code.deduction == Deduction.TOLD
    assert seen() == Deduction.GONE
    assert sandbox.balance(MARA) == 640 - 500 + 42
    assert list(watch_points_not_gone()) == []


@pytest.mark.parametrize("shown", ["code", "Pending"])
def test_also_where_the_history_tells_no_codes(sell, deliveries, sandbox, code, seen, shown):
    sandbox.switch(redemption_history=shown)
    sell(coupon_codes=(code.code,))
    deliveries()
    assert seen() == Deduction.GONE


def test_a_wrong_status_word_is_told_and_over_once_the_points_went(
    sell, deliveries, sandbox, engine, code, seen
):
    sandbox.switch(order_statuses=["completed"])
    sell(coupon_codes=(code.code,))
    deliveries()
    assert seen() == Deduction.MISSING
    assert "another status than paid" in code.engine_words
    [told] = watch_points_not_gone()
    assert (told.kind, told.count, told.installation) == ("redemption.points_not_gone", 1, "shop")
    assert code.code not in told.words

    engine.create_order(Order("S-1", MARA, 4200, "USD", "completed", NOON))
    assert seen() == Deduction.GONE
    assert list(watch_points_not_gone()) == []


def test_too_few_points_are_named_as_the_cause(sell, deliveries, sandbox, code, seen):
    sandbox.redeem_online(MARA, FIVE_OFF)
    sell(coupon_codes=(code.code,))
    deliveries()
    assert seen() == Deduction.MISSING
    assert "it takes 500, the member has" in code.engine_words


def test_a_sale_that_is_not_told_is_looked_for_as_well(sell, installation, code, seen):
    OriginRule.objects.create(installation=installation, field="origin", pattern="web")
    sell(coupon_codes=(code.code,), origin="web")
    code.refresh_from_db()
    assert code.deduction == Deduction.TOLD
    assert seen() == Deduction.MISSING


def test_a_void_before_the_order_was_told_leaves_nothing_to_look_for(sell, installation, code):
    sell(coupon_codes=(code.code,))
    assert not void(Installation.objects.get(), "S-1").refund
    code.refresh_from_db()
    assert (code.state, code.deduction) == (State.CANCELLED, Deduction.NONE)


def test_an_engine_that_is_away_is_asked_again(sell, deliveries, sandbox, code, seen):
    sell(coupon_codes=(code.code,))
    deliveries()
    sandbox.fault("GET /customers", "status", status=503, times=3)
    assert seen() == Deduction.TOLD
    sandbox.clear_faults()
    assert seen() == Deduction.GONE


def test_a_member_whom_the_engine_forgot_is_not_read_for_ever(
    sell, deliveries, sandbox, code, seen
):
    sell(coupon_codes=(code.code,))
    deliveries()
    sandbox.fault("GET /customers", "status", status=404, times=3)
    assert seen() == Deduction.MISSING
    assert "does not know this member" in code.engine_words


def test_what_nobody_could_read_for_a_week_is_told(sell, deliveries, sandbox, code, seen):
    sell(coupon_codes=(code.code,))
    deliveries()
    PendingRedemption.objects.update(sold_at=F("sold_at") - timedelta(days=8))
    sandbox.fault("GET /customers", "status", status=503, times=9)
    assert seen() == Deduction.MISSING
    assert "For a week" in code.engine_words
    assert not PendingRedemption.objects.to_see_gone().exists()


@pytest.fixture
def for_free(sell, deliveries, sandbox, code, seen) -> PendingRedemption:
    """Used, and its points did not go."""
    sandbox.switch(order_statuses=["completed"])
    sell(coupon_codes=(code.code,))
    deliveries()
    assert seen() == Deduction.MISSING
    return code


def decide(engine, redemption: PendingRedemption, act: Act) -> None:
    settle_by_hand(engine, redemption, Settlement(act, Who.machine("a test"), "seen by hand"))


def test_a_manager_can_have_them_taken(for_free, engine, deliveries, sandbox):
    assert acts_of(for_free) == (Act.TAKE, Act.FORGO)
    decide(engine, for_free, Act.TAKE)
    assert acts_of(for_free) == ()
    deliveries()
    for_free.refresh_from_db()
    assert (for_free.state, for_free.deduction) == (State.USED, Deduction.GONE)
    assert sandbox.balance(MARA) == 140
    assert list(watch_points_not_gone()) == []


def test_or_let_it_go(for_free, engine, sandbox):
    decide(engine, for_free, Act.FORGO)
    assert (for_free.state, for_free.deduction) == (State.USED, Deduction.NONE)
    assert (acts_of(for_free), sandbox.balance(MARA)) == ((), 640)


@pytest.mark.parametrize(
    ("by", "left"), [("engine", ()), ("panel", ()), ("nobody", (Act.TAKE, Act.FORGO))]
)
def test_of_what_was_refunded_whole_nothing_is_owed_where_it_would_come_back(
    for_free, deliveries, sandbox, installation, bring_back, by, left
):
    installation.spent_points_returned_by = by
    installation.save()
    bring_back("R-1", total_cents=1000)
    deliveries()
    for_free.refresh_from_db()
    assert acts_of(for_free) == (Act.TAKE, Act.FORGO)
    bring_back("R-2", total_cents=3200)
    deliveries()
    for_free.refresh_from_db()
    assert acts_of(for_free) == left
    assert bool(list(watch_points_not_gone())) == bool(left)
    assert sandbox.balance(MARA) == 640


def test_what_a_manager_has_taken_just_then_comes_back_all_the_same(
    for_free, engine, deliveries, sandbox, installation, bring_back
):
    installation.spent_points_returned_by = "panel"
    installation.save()
    sandbox.fault("POST /points/adjust", "status", status=429, times=4)
    decide(engine, for_free, Act.TAKE)
    bring_back(total_cents=4200)
    deliveries()
    for_free.refresh_from_db()
    assert (for_free.deduction, sandbox.balance(MARA)) == (Deduction.GONE, 640)


def test_an_open_one_that_a_manager_calls_sold_is_looked_for(engine, code, seen):
    claimed = PendingRedemption.objects.filter(pk=code.pk)
    claimed.update(claimed_used_at=Now() - timedelta(hours=25))
    code.refresh_from_db()
    assert acts_of(code) == (Act.SOLD, Act.END)
    decide(engine, code, Act.SOLD)
    assert (code.state, seen()) == (State.USED, Deduction.MISSING)


def test_or_ended_without_a_call(engine, sandbox, code):
    claimed = PendingRedemption.objects.filter(pk=code.pk)
    claimed.update(claimed_used_at=Now() - timedelta(hours=25))
    code.refresh_from_db()
    before = sandbox.call_counts()
    decide(engine, code, Act.END)
    assert (code.state, sandbox.call_counts() == before) == (State.CANCELLED, True)
