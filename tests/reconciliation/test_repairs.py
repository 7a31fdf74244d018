"""What a manager can do about a difference: previewed, confirmed with a reason, harmless twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import Entry
from audit.record import By, Who
from outbox.models import Delivery
from outbox.states import UNFINISHED
from reconciliation import telling
from reconciliation.job import run_once
from reconciliation.kinds import Kind, State
from reconciliation.models import Difference, Reading
from reconciliation.repairs import CannotRepair, confirm, dismiss, preview
from reconciliation.watch import watch_differences
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_all
from redemptions.states import Deduction
from redemptions.states import State as Redeemed
from sales.models import Sale
from sales.orders import tell_order
from tests.reconciliation import shop
from tests.sales.conftest import deliveries

__all__ = ["deliveries"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture
def manager() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("manager"))
    return client


@pytest.fixture
def lived(sandbox, installation, engine):
    """One member with the life that is asked for, read once; the difference."""
    engine.limits._rate = 1e6

    def make(life, kind: Kind) -> Difference:
        acts, write = life(shop.Scene(1))
        scene = shop.Scene(1)
        begin = [
            {"do": "member", "email": scene.email, "points": 2000, "ago": shop.SALE + 600},
            shop.order(scene, scene.sale_id, shop.SALE),
        ]
        one = shop.Life(scene.email, 1, begin + acts, write)
        shop.settle(sandbox, installation, [one])
        run_once(engine)
        return Difference.objects.get(kind=kind)

    return make


def read_again(engine, difference: Difference) -> Difference:
    """As if the time had come to read the member once more."""
    Reading.objects.update(again_at=Now())
    run_once(engine)
    difference.refresh_from_db()
    return difference


def repair(manager: Client, difference: Difference, reason: str = "seen by hand"):
    """Preview it, then confirm what was shown."""
    address = reverse("admin:reconciliation_repair", args=[difference.pk])
    shown = manager.get(address)
    if shown.status_code != 200:
        return manager.get(shown.url)
    fingerprint = shown.context["preview"].fingerprint
    answer = manager.post(address, {"reason": reason, "fingerprint": fingerprint}, follow=True)
    difference.refresh_from_db()
    return answer


CORRECTIONS = [
    (shop.not_given_back, Kind.NOT_GIVEN_BACK, 500),
    (shop.given_back_twice, Kind.GIVEN_BACK_TWICE, -500),
    (shop.order_twice, Kind.ORDER_TWICE, -42),
    (shop.refund_not_processed, Kind.REFUND_NOT_PROCESSED, -20),
    (shop.other_cost, Kind.OTHER_COST, 50),
    (shop.correction_missing, Kind.CORRECTION_MISSING, 40),
]


@pytest.mark.parametrize(("life", "kind", "points"), CORRECTIONS)
def test_points_are_corrected_once(lived, manager, deliveries, sandbox, engine, life, kind, points):
    difference = lived(life, kind)
    before = sandbox.balance("member1@example.com")
    page = repair(manager, difference)
    assert difference.state == State.REPAIRING, page.content.decode()[:3000]
    repair(manager, difference)
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.REPAIRED
    assert sandbox.balance("member1@example.com") == before + points
    assert read_again(engine, difference).state == State.REPAIRED
    assert not Difference.objects.exclude(pk=difference.pk).exists()
    entry = Entry.objects.get(act="difference.repaired.correct")
    assert entry.reason == "seen by hand"


@pytest.mark.parametrize(
    ("life", "kind"),
    [(shop.late_commit, Kind.LATE_COMMIT), (shop.unknown_code, Kind.UNKNOWN_CODE)],
)
def test_a_code_that_nobody_holds_is_taken_in_and_given_back(
    lived, manager, sandbox, engine, life, kind
):
    difference = lived(life, kind)
    before = sandbox.balance("member1@example.com")
    repair(manager, difference)
    assert difference.state == State.REPAIRED
    see_to_all(engine)
    assert PendingRedemption.objects.get().state == Redeemed.REVERSED
    assert sandbox.balance("member1@example.com") == before + 500
    repair(manager, difference)
    assert PendingRedemption.objects.count() == 1
    assert read_again(engine, difference).state == State.REPAIRED
    assert not Difference.objects.exclude(pk=difference.pk).exists()


def delayed_code(difference: Difference) -> PendingRedemption:
    """Used in the order that is sent again: it took no points before."""
    sale = Sale.objects.get(pk=Delivery.objects.get(kind="order-again").payload["sale"])
    return PendingRedemption.objects.create(
        installation=sale.installation,
        member=difference.member,
        act_key="delayed",
        offer_id=1,
        offer_name="$5 off",
        offer_kind="fixed",
        points=500,
        state=Redeemed.USED,
        code="LP-DELAYED",
        delayed=True,
        deduction=Deduction.MISSING,
        sale=sale.order_id,
        sold_at=timezone.now(),
    )


def test_an_order_that_was_not_processed_is_sent_again(lived, manager, deliveries, sandbox, engine):
    difference = lived(shop.order_not_processed, Kind.ORDER_NOT_PROCESSED)
    repair(manager, difference)
    code = delayed_code(difference)
    assert Delivery.objects.filter(kind="order-again", state__in=UNFINISHED).count() == 1
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.REPAIRED
    assert sandbox.balance("member1@example.com") == 2000 + 42 + 42
    code.refresh_from_db()
    assert code.deduction == Deduction.TOLD
    code.delete()
    assert read_again(engine, difference).state == State.REPAIRED


@pytest.mark.parametrize("keys", [True, False])
def test_an_order_that_the_engine_processed_meanwhile_is_not_sent_again(
    lived, manager, deliveries, sandbox, settings, keys
):
    settings.ENGINE_KEYS_ORDERS = keys
    difference = lived(shop.order_not_processed, Kind.ORDER_NOT_PROCESSED)
    repair(manager, difference)
    code = delayed_code(difference)
    told = Delivery.objects.get(kind="order-again")
    tell_order(told)
    sandbox.switch(orders_idempotent=False)
    deliveries()
    for row in (difference, told, code):
        row.refresh_from_db()
    assert (difference.state, told.state) == (State.GONE, "withdrawn")
    assert sandbox.balance("member1@example.com") == 2000 + 42 + 42
    assert code.deduction == Deduction.TOLD


def test_nor_where_it_is_not_certain_any_more(lived, manager, deliveries, sandbox, monkeypatch):
    """As when another order of the member's went unprocessed, and one of the two was made up."""
    difference = lived(shop.order_not_processed, Kind.ORDER_NOT_PROCESSED)
    repair(manager, difference)
    read = telling.find_differences
    monkeypatch.setattr(
        telling,
        "find_differences",
        lambda *asked: [replace(each, is_certain=False) for each in read(*asked)],
    )
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.OPEN
    assert Delivery.objects.get(kind="order-again").state == "withdrawn"
    assert sandbox.balance("member1@example.com") == 2000 + 42


def test_a_repair_that_did_not_help_is_open_again_and_can_be_tried_once_more(
    lived, manager, deliveries, sandbox, engine
):
    difference = lived(shop.order_not_processed, Kind.ORDER_NOT_PROCESSED)
    sandbox.switch(order_statuses=["fulfilled"])
    repair(manager, difference)
    deliveries()
    an_hour = timedelta(hours=1)
    Difference.objects.update(ended_at=F("ended_at") - an_hour)
    Delivery.objects.update(changed_at=F("changed_at") - an_hour)
    assert read_again(engine, difference).state == State.OPEN
    sandbox.switch(order_statuses=["paid"])
    repair(manager, difference)
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.REPAIRED
    assert sandbox.balance("member1@example.com") == 2000 + 42 + 42


def test_of_two_managers_at_once_one_repairs_it(lived, engine, deliveries, sandbox):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    same = Difference.objects.get(pk=difference.pk)
    shown = preview(engine, difference).fingerprint
    by = By(Who.machine("a manager"), reason="seen by hand")
    confirm(engine, difference, shown, by)
    with pytest.raises(CannotRepair, match="Somebody else was quicker"):
        confirm(engine, same, shown, by)
    with pytest.raises(CannotRepair, match="not open any more"):
        dismiss(same, by)
    deliveries()
    assert sandbox.balance("member1@example.com") == 2000 + 42
    assert Delivery.objects.filter(kind="correction").count() == 1


def test_a_correction_whose_answer_was_lost_is_not_made_twice(
    lived, manager, deliveries, sandbox, engine
):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    sandbox.fault("POST /points/adjust", "drop_after")
    repair(manager, difference)
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.REPAIRED
    assert sandbox.balance("member1@example.com") == 2000 + 42


def test_a_correction_that_the_engine_refused_is_open_again_and_can_be_sent_again(
    lived, manager, deliveries, sandbox
):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    sandbox.fault("POST /points/adjust", "status", status=422, body={"error": "no"}, times=1)
    repair(manager, difference)
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.OPEN
    repair(manager, difference)
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.REPAIRED
    assert sandbox.balance("member1@example.com") == 2000 + 42
    assert Delivery.objects.filter(kind="correction").count() == 1


def test_facts_that_changed_since_the_preview_ask_again(lived, manager, sandbox):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    address = reverse("admin:reconciliation_repair", args=[difference.pk])
    fingerprint = manager.get(address).context["preview"].fingerprint
    sandbox.adjust("member1@example.com", 7)
    answer = manager.post(address, {"reason": "why", "fingerprint": fingerprint})
    assert "has changed since" in answer.content.decode()
    assert not Delivery.objects.filter(kind="correction").exists()


def test_a_correction_is_not_sent_where_the_points_came_back_meanwhile(
    lived, manager, deliveries, sandbox, engine
):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    repair(manager, difference)
    made = PendingRedemption.objects.get()
    engine.approve_cancellation(made.engine_id, made.code)
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.GONE
    assert sandbox.balance("member1@example.com") == 2000 + 42
    assert Delivery.objects.get(kind="correction").state == "withdrawn"


def test_one_that_was_withdrawn_can_be_made_after_all(lived, manager, deliveries, sandbox, engine):
    """When it was to be sent, the engine showed other points than were agreed to."""
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    repair(manager, difference)
    Delivery.objects.filter(kind="correction").update(payload=facts(difference, points=1))
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.OPEN
    assert Delivery.objects.get(kind="correction").state == "withdrawn"
    repair(manager, difference)
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.REPAIRED
    assert sandbox.balance("member1@example.com") == 2000 + 42


def facts(difference: Difference, points: int):
    return {"difference": difference.pk, "member": str(difference.member_id), "points": points}


def test_a_repair_is_not_begun_beside_one_that_is_under_way(lived, manager, deliveries):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    repair(manager, difference)
    Difference.objects.update(state=State.OPEN)
    page = repair(manager, difference).content.decode()
    assert "An earlier repair is still under way" in page
    assert difference.state == State.OPEN
    deliveries()
    difference.refresh_from_db()
    assert difference.state == State.REPAIRED


def test_points_that_come_back_after_their_correction_are_taken_again(
    lived, manager, deliveries, sandbox, engine
):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    repair(manager, difference)
    deliveries()
    made = PendingRedemption.objects.get()
    engine.approve_cancellation(made.engine_id, made.code)
    assert sandbox.balance("member1@example.com") == 2000 + 42 + 500
    assert read_again(engine, difference).state == State.REPAIRED
    twice = Difference.objects.get(kind=Kind.GIVEN_BACK_TWICE)
    assert "a correction of ours" in twice.cause
    repair(manager, twice)
    deliveries()
    assert sandbox.balance("member1@example.com") == 2000 + 42
    assert read_again(engine, twice).state == State.REPAIRED
    assert Difference.objects.count() == 2


def test_a_difference_goes_by_itself(lived, sandbox, engine):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    assert [each.subject for each in watch_differences()] == [Kind.NOT_GIVEN_BACK.value]
    made = PendingRedemption.objects.get()
    engine.approve_cancellation(made.engine_id, made.code)
    assert read_again(engine, difference).state == State.GONE
    assert not list(watch_differences())


def test_one_that_is_left_as_it_is_stays_so(lived, manager, engine):
    difference = lived(shop.not_at_engine, Kind.NOT_AT_ENGINE)
    page = manager.get(reverse("admin:reconciliation_repair", args=[difference.pk]))
    assert "no safe repair" in page.content.decode()
    address = reverse("admin:reconciliation_dismiss", args=[difference.pk])
    manager.post(address, {"reason": ""})
    difference.refresh_from_db()
    assert difference.state == State.OPEN
    manager.post(address, {"reason": "a test of ours"})
    assert read_again(engine, difference).state == State.DISMISSED
    assert Entry.objects.get(act="difference.dismissed").reason == "a test of ours"


def test_a_code_that_a_sale_of_ours_has_is_explained(lived, manager, engine):
    difference = lived(shop.unknown_code, Kind.UNKNOWN_CODE)
    codes = [{"code": difference.theirs["status"], "outcome": "unknown"}]
    Sale.objects.update(coupon_codes=codes)
    answer = repair(manager, difference)
    assert "does not show it any more" in answer.content.decode()
    assert read_again(engine, difference).state == State.GONE
    assert Difference.objects.get(kind=Kind.ONLINE).state == State.EXPLAINED


def test_only_who_may_repair_is_offered_it(lived):
    difference = lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_difference"))
    client = Client()
    client.force_login(clerk)
    page = client.get(reverse("admin:reconciliation_difference_change", args=[difference.pk]))
    assert "Our ledger" in page.content.decode()
    assert "Mark as seen" not in page.content.decode()
    address = reverse("admin:reconciliation_repair", args=[difference.pk])
    assert client.get(address).status_code == client.post(address).status_code == 403


def test_the_list_counts_by_kind_and_shows_the_last_run(lived, manager):
    lived(shop.not_given_back, Kind.NOT_GIVEN_BACK)
    page = manager.get(reverse("admin:reconciliation_difference_changelist")).content.decode()
    assert "did not come back</a>: 1 open" in page
    assert "Last run" in page and "1 members with 1 calls" in page
    assert manager.get(reverse("admin:reconciliation_run_changelist")).status_code == 200
