"""Refunds: each once, never more than their sale, behind its order, and waiting for one to come."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from audit.models import Entry
from audit.record import Who
from members.models import Member
from outbox.ledger import renew
from outbox.models import Delivery
from reconciliation.ours import ours_of
from reconciliation.reading import Asker, find_differences
from reconciliation.timing import database_time
from redemptions.actions import redeem
from sales.errors import (
    CannotMatch,
    MoreThanLeft,
    OtherContent,
    OtherCurrency,
    SaleWasVoided,
)
from sales.items import items_to_tell
from sales.models import Conflict, OriginRule, Refund, Remainder, Sale
from sales.orders import order_of
from sales.preview import preview
from sales.record import void
from sales.refunding import rows_like
from sales.refunds import match, match_none, promise_refunds
from sales.watches import watch_conflicts
from stores.models import Installation
from tests.redemptions.conftest import FIVE_OFF

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MARA, STRANGER = "mara@example.com", "never.seen@example.com"
REFUNDS = "POST /refunds"
A_MANAGER = Who.machine("a test")


@pytest.fixture
def code(engine, act, mara):
    return redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF)


class TestARefund:
    def test_takes_back_what_the_sale_earned(self, sandbox, mara, sell, bring_back, deliveries):
        sell()
        assert bring_back(total_cents=4200).is_new
        assert deliveries() == ["done", "done"]
        assert sandbox.balance(MARA) == 640

    def test_told_again_is_the_same(self, sandbox, mara, sell, bring_back, deliveries):
        sell()
        bring_back(total_cents=1000)
        assert not bring_back(total_cents=1000).is_new
        deliveries()
        assert sandbox.balance(MARA) == 640 + 42 - 10
        assert Sale.objects.get().refunded_cents == 1000

    def test_of_other_content_is_refused_and_a_manager_sees_it(self, mara, sell, bring_back):
        sell()
        bring_back(total_cents=1000)
        for _ in range(2):
            with pytest.raises(OtherContent, match="id of its own"):
                bring_back(total_cents=1100)
        conflict = Conflict.objects.get()
        assert (conflict.total_cents, conflict.times, conflict.differs) == (
            1100,
            2,
            ["total_cents"],
        )
        [told] = watch_conflicts()
        assert (told.kind, told.count, told.installation) == ("sale.conflict", 1, "shop")

    def test_of_more_than_is_left_is_refused(self, mara, sell, bring_back):
        sell()
        bring_back("R-1", total_cents=4000)
        with pytest.raises(MoreThanLeft, match="200 cents are left"):
            bring_back("R-2", total_cents=201)
        assert bring_back("R-3", total_cents=200).is_new
        assert Refund.objects.count() == 2

    def test_in_another_currency_is_refused(self, mara, sell, bring_back):
        sell()
        with pytest.raises(OtherCurrency, match="USD"):
            bring_back(currency="CAD")
        assert not Refund.objects.exists()

    @pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
    def test_after_a_void_is_refused(self, installation, mara, sell, bring_back, deliveries, told):
        sell()
        if told:
            deliveries()
        void(installation, "S-1")
        with pytest.raises(SaleWasVoided):
            bring_back()

    def test_follows_a_sale_that_is_not_told(self, sandbox, installation, sell, bring_back):
        OriginRule.objects.create(installation=installation, field="origin", pattern="webshop")
        sale = sell(origin="webshop").sale
        refund = bring_back().refund
        assert (refund.state, refund.delivery) == ("promised", "none")
        assert sale.refunds.get() == refund
        assert not Delivery.objects.exists()

    def test_of_a_sale_that_turns_out_to_be_nobodys_is_not_told(
        self, sandbox, installation, sell, bring_back, deliveries
    ):
        sell(email=STRANGER)
        bring_back()
        assert deliveries() == ["withdrawn", "withdrawn"]
        assert REFUNDS not in sandbox.call_counts()

    def test_bought_online_names_the_engines_order(
        self, sandbox, engine, installation, bring_back, deliveries
    ):
        refund = bring_back(sale_id="WEB-77", bought_online=True).refund
        assert (refund.state, refund.sale, refund.order_id) == ("promised", None, "WEB-77")
        assert deliveries() == ["done"]

    def test_bought_online_of_a_sale_of_ours_counts_like_any_other(
        self, sandbox, mara, sell, bring_back, deliveries
    ):
        sale = sell().sale
        assert bring_back("R-1", bought_online=True, total_cents=3000).refund.sale == sale
        with pytest.raises(MoreThanLeft):
            bring_back("R-2", total_cents=3000)
        deliveries()
        assert sandbox.balance(MARA) == 640 + 42 - 30

    def test_of_another_installation_has_an_id_of_its_own(
        self, installation, mara, sell, bring_back
    ):
        sell()
        one = bring_back("R-1", total_cents=100).refund
        Installation.objects.filter(pk="shop").update(order_prefix="R-")
        installation.refresh_from_db()
        other = bring_back("1", total_cents=100).refund
        assert (one.refund_id, other.refund_id) == ("R-1", "shop~1")

    def test_names_the_items_that_its_sale_has(self, sandbox, mara, sell, bring_back, deliveries):
        mug = {"sku": "mug", "name": "Mug", "quantity": 2, "unit_price_cents": 1100}
        tea = {"sku": "tea", "name": "Tea", "quantity": 0.5, "unit_price_cents": 4000}
        sell(items=(mug, tea))
        bring_back("R-1", total_cents=1100, items=({"sku": "mug", "quantity": 1},))
        bring_back("R-2", total_cents=1100, items=({"sku": "hat", "quantity": 1},))
        sold = order_of(Sale.objects.get(), mara).body()["items"]
        assert [(item["id"], item["quantity"], item["price_cents"]) for item in sold] == [
            ("mug", 2, 1100),
            ("tea", 1, 2000),
        ]
        one, other = map(items_to_tell, Refund.objects.order_by("pk"))
        assert ([item.body() for item in one], other) == ([{"id": "mug", "quantity": 1}], ())
        assert deliveries() == ["done"] * 5  # the balance is read after each part

    def test_of_nothing_after_the_whole_asks_nobody(
        self, sandbox, mara, sell, bring_back, deliveries, settings
    ):
        settings.ENGINE_SETTLE_SECONDS = 0
        sell()
        bring_back("R-1", total_cents=4200)
        bring_back("R-2", total_cents=0)
        deliveries()
        assert sandbox.balance(MARA) == 640
        assert not Remainder.objects.exists()

    def test_is_not_seen_in_a_correction_of_as_many_points(
        self, engine, mara, sell, bring_back, deliveries
    ):
        sell()
        deliveries()
        refund = bring_back(total_cents=1000).refund
        shown = engine.customer(email=MARA, with_history=True)
        title = "Correction of refunds S9."
        correction = replace(shown.history[0], title=title, points=-10, status="Approved")
        taken = replace(correction, title="Refunded an order")
        for row, seen in [(correction, 0), (taken, 1)]:
            assert rows_like(refund, replace(shown, history=[row, *shown.history])) == seen


class TestARefundBeforeItsSale:
    def test_waits_and_is_told_behind_it(self, sandbox, mara, sell, bring_back, deliveries):
        assert bring_back(total_cents=1000).refund.state == "waiting"
        assert not Delivery.objects.exists()
        sell()
        assert Refund.objects.get().state == "promised"
        assert deliveries()[:2] == ["done", "done"]
        assert sandbox.balance(MARA) == 640 + 42 - 10

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [({"total_cents": 4201}, "too_much"), ({"currency": "CAD"}, "other_currency")],
    )
    def test_that_does_not_fit_is_kept_for_a_manager(self, mara, sell, bring_back, facts, reason):
        bring_back(**facts)
        sale = sell().sale
        refund = Refund.objects.get()
        assert (refund.state, refund.reason, refund.sale) == ("kept", reason, sale)
        assert Delivery.objects.count() == 1
        sale.refresh_from_db()
        assert sale.refunded_cents == 0


class TestABlindRefund:
    def test_is_matched_by_a_manager_once(self, sandbox, mara, sell, bring_back, deliveries):
        sale = sell().sale
        refund = bring_back(sale_id="", email=MARA).refund
        assert (refund.state, refund.reason, refund.email) == ("kept", "blind", MARA)
        match(refund, sale, A_MANAGER, "seen on the receipt")
        assert (refund.state, refund.sale, refund.email) == ("promised", sale, None)
        with pytest.raises(CannotMatch):
            match(refund, sale, A_MANAGER, "again")
        deliveries()
        assert sandbox.balance(MARA) == 640 + 42 - 10
        assert Entry.objects.filter(act="refund.matched", reason="seen on the receipt").exists()

    def test_that_does_not_fit_stays_the_managers(self, mara, sell, bring_back):
        sale = sell().sale
        refund = bring_back(sale_id="", total_cents=5000).refund
        with pytest.raises(MoreThanLeft):
            match(refund, sale, A_MANAGER, "seen")
        refund.refresh_from_db()
        assert (refund.state, refund.sale) == ("kept", None)

    def test_of_no_sale_is_settled_without_points(self, mara, sell, bring_back):
        refund = bring_back(sale_id="").refund
        match_none(refund, A_MANAGER, "bought elsewhere")
        assert (refund.reason, Delivery.objects.count()) == ("no_match", 0)
        with pytest.raises(CannotMatch):
            match(refund, sell().sale, A_MANAGER, "after all")


class TestAVoid:
    def test_after_partial_refunds_refunds_the_rest(
        self, sandbox, installation, mara, sell, bring_back, deliveries
    ):
        sell()
        bring_back(total_cents=1000)
        deliveries()
        assert void(installation, "S-1").refund
        deliveries()
        rest = Refund.objects.get(is_void=True)
        assert (rest.total_cents, rest.refund_id, rest.pos_id) == (3200, "S-1~void", "")
        assert sandbox.balance(MARA) == 640

    def test_before_the_order_was_told_withdraws_refunds_as_well(
        self, sandbox, installation, mara, sell, bring_back, deliveries
    ):
        sell()
        bring_back(total_cents=1000)
        assert not void(installation, "S-1").refund
        assert deliveries() == ["withdrawn", "withdrawn"]
        assert Refund.objects.get().state == "withdrawn"
        assert REFUNDS not in sandbox.call_counts()

    def test_of_what_was_refunded_whole_tells_nothing_more(
        self, installation, mara, sell, bring_back, deliveries
    ):
        sell()
        bring_back(total_cents=4200)
        deliveries()
        void(installation, "S-1")
        assert deliveries() == ["done", "done"]


class TestSpentPoints:
    @pytest.fixture(autouse=True)
    def _never_by_the_engine(self, sandbox, settings, installation):
        settings.ENGINE_SETTLE_SECONDS = 0
        sandbox.switch(spent_points_returned="never")
        installation.spent_points_returned_by = "panel"
        installation.save()

    def test_come_back_in_shares_and_in_the_end_whole(
        self, sandbox, code, sell, bring_back, deliveries
    ):
        sell(total_cents=4200, coupon_codes=(code.code,))
        bring_back("R-1", total_cents=1000)
        deliveries()
        assert sandbox.balance(MARA) == 140 + 42 - 10 + 119
        bring_back("R-2", total_cents=1000)
        bring_back("R-3", total_cents=2200)
        deliveries()
        assert sandbox.balance(MARA) == 640
        given = Refund.objects.order_by("pk").values_list("points_given_back", flat=True)
        assert list(given) == [119, 119, 262]

    def test_of_another_member_are_not_the_buyers(
        self, sandbox, engine, code, sell, bring_back, deliveries
    ):
        sandbox.add_member(email="lea@example.com", points=100)
        sale = sell(email="lea@example.com", coupon_codes=(code.code,)).sale
        deliveries()
        Installation.objects.update(spent_points_returned_by="engine")
        told = preview(engine, Sale.objects.get(pk=sale.pk), 4200)
        assert (told.points_given_back, told.balance_after) == (None, None)
        Installation.objects.update(spent_points_returned_by="panel")
        bring_back(total_cents=4200)
        deliveries()
        assert (sandbox.balance("lea@example.com"), sandbox.balance(MARA)) == (100, 140)

    def test_are_no_proof_of_an_undo_while_they_come_back(
        self, sandbox, code, sell, bring_back, deliveries
    ):
        sell(coupon_codes=(code.code,))
        deliveries()
        assert not code.is_refunded_beside()
        bring_back(total_cents=4200)
        deliveries()
        assert code.is_refunded_beside()

    def test_come_back_once_though_the_answer_was_lost(
        self, sandbox, code, sell, bring_back, deliveries
    ):
        sell(total_cents=4200, coupon_codes=(code.code,))
        sandbox.fault("POST /points/adjust", "drop_after")
        bring_back(total_cents=4200)
        deliveries()
        assert sandbox.balance(MARA) == 640


class TestAPreview:
    def test_says_what_would_be_taken_and_on_what_that_rests(
        self, sandbox, engine, mara, sell, deliveries, settings
    ):
        settings.ENGINE_SETTLE_SECONDS = 0
        sale = sell().sale
        deliveries()
        told = preview(engine, Sale.objects.get(pk=sale.pk), 1000)
        assert (told.points_taken_back, told.points_given_back) == (10, 0)
        assert (told.balance_after, told.tier_after) == (672, "Silver")
        assert "history" in told.basis

    @pytest.mark.parametrize(
        ("by_engine", "by"), [("full", "engine"), ("never", "panel"), ("never", "nobody")]
    )
    @pytest.mark.parametrize("parts", [(350, 350, 350, 0), (1, 1049), (1050, 0), (0, 1050)])
    def test_is_what_then_happens(
        self,
        sandbox,
        engine,
        installation,
        code,
        sell,
        bring_back,
        deliveries,
        settings,
        by_engine,
        by,
        parts,
    ):
        settings.ENGINE_SETTLE_SECONDS = 0
        sandbox.switch(spent_points_returned=by_engine)
        installation.spent_points_returned_by = by
        installation.save()
        sell(total_cents=1050, coupon_codes=(code.code,))
        deliveries()
        for number, cents in enumerate(parts):
            told = preview(engine, Sale.objects.select_related("installation").get(), cents)
            moved = told.points_given_back - told.points_taken_back
            before = sandbox.balance(MARA)
            bring_back(f"R-{number}", total_cents=cents)
            deliveries()
            assert sandbox.balance(MARA) == before + moved
            assert told.balance_after in {None, before + moved}
        assert not Remainder.objects.filter(state="asks").exists()

    def test_shows_a_debt(self, sandbox, engine, mara, sell, deliveries, settings):
        sale = sell(total_cents=100_000).sale
        deliveries()
        sandbox.redeem_online(MARA, FIVE_OFF)
        sandbox.redeem_online(MARA, FIVE_OFF)
        sandbox.redeem_online(MARA, FIVE_OFF)
        told = preview(engine, Sale.objects.get(pk=sale.pk), 100_000)
        assert told.balance_after == 140 - 1000


def test_the_refunds_of_a_sale_that_is_told_after_all_follow_it(
    sandbox, mara, sell, bring_back, deliveries
):
    sale = sell(email=STRANGER).sale
    bring_back()
    assert deliveries() == ["withdrawn", "withdrawn"]
    with transaction.atomic():
        sale.not_delivered, sale.member = "", mara
        sale.save()
        assert renew("order", sale.order_id)
        promise_refunds(sale)
    assert deliveries()[:2] == ["done", "done"]
    with transaction.atomic():
        assert not renew("order", sale.order_id)
    assert sandbox.balance(MARA) == 640 + 42 - 10


def test_the_database_keeps_a_sale_from_being_refunded_twice(mara, sell):
    sale = sell().sale
    with pytest.raises(IntegrityError, match="refunds_are_no_more_than_their_sale"):
        Sale.objects.filter(pk=sale.pk).update(refunded_cents=4201)


def test_what_refunds_move_is_no_difference_between_the_ledgers(
    sandbox, engine, installation, code, sell, bring_back, deliveries, settings
):
    settings.ENGINE_SETTLE_SECONDS = 0
    sandbox.switch(spent_points_returned="never")
    installation.spent_points_returned_by = "panel"
    installation.save()
    sell(total_cents=1050, coupon_codes=(code.code,))
    for number in (1, 2, 3):
        bring_back(f"R-{number}", total_cents=350)
    deliveries()
    assert sandbox.balance(MARA) == 640
    Member.objects.update(first_seen_at=F("first_seen_at") - timedelta(days=1))
    later = database_time() + timedelta(hours=1)
    ours = ours_of([code.member], later)[code.member.pk]
    assert sorted(correction.points for correction in ours.corrections) == [-1, 166, 167, 167]
    assert find_differences(Asker(engine, lambda: True), ours) == []
