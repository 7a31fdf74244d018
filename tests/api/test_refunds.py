"""Refunds over the API: each outcome has its status, and the same again is the same."""

from typing import Any

import pytest
from django.db.models import F

from outbox.models import Delivery
from outbox.worker import deliver
from sales.models import Refund, Sale
from sandbox.control import Sandbox
from tests.api.pos import Pos, fields, kind
from tests.api.test_sales import MARA, SALE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

REFUND: dict[str, Any] = {
    "id": "R-1",
    "sale_id": "109001",
    "total_cents": 1000,
    "currency": "USD",
}


@pytest.fixture
def sold(pos: Pos) -> None:
    assert pos.post("sales", SALE).status_code == 201


def test_a_refund_is_promised_before_and_after_its_order_was_told(pos: Pos, sold: None) -> None:
    answer = pos.post("refunds", REFUND | {"gift_wrap": True})
    assert answer.status_code == 201
    assert answer.json() == {
        "id": "R-1",
        "sale_id": "109001",
        "state": "promised",
        "reason": None,
        "delivery": "pending",
        "not_delivered": None,
        "warnings": ["gift_wrap: not known; kept and not used"],
    }
    deliver(Delivery.objects.get(kind="order").pk)
    assert pos.post("refunds", REFUND | {"id": "R-2"}).status_code == 201


def test_the_same_again_is_the_same_and_other_content_is_refused(pos: Pos, sold: None) -> None:
    first, again = (pos.post("refunds", REFUND, key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == pos.post("refunds", REFUND).json()
    answer = pos.post("refunds", REFUND | {"total_cents": 1001})
    assert (answer.status_code, kind(answer)) == (409, "other-content")
    assert Delivery.objects.filter(kind="refund").count() == 1


def test_one_before_its_sale_waits_and_is_told_so_until_it_comes(pos: Pos) -> None:
    first, again = (pos.post("refunds", REFUND, key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["state"] == "waiting"
    pos.post("sales", SALE)
    assert pos.post("refunds", REFUND, key="k").status_code == 200


def test_a_blind_one_is_kept_with_who_brought_it(pos: Pos) -> None:
    blind = {name: value for name, value in REFUND.items() if name != "sale_id"}
    answer = pos.post("refunds", blind | {"phone": "(415) 555-0123"})
    assert (answer.status_code, answer.json()["reason"]) == (202, "blind")
    assert Refund.objects.get().phone == "+14155550123"


def test_one_of_an_online_order_needs_no_sale_here(pos: Pos) -> None:
    answer = pos.post("refunds", REFUND | {"sale_id": "WEB-1", "bought_online": True})
    assert (answer.status_code, answer.json()["delivery"]) == (201, "pending")


def test_why_the_engine_is_not_told_is_told(pos: Pos) -> None:
    pos.post("sales", SALE | {"online_order_id": "WEB-1"})
    answer = pos.post("refunds", REFUND).json()
    assert (answer["delivery"], answer["not_delivered"]) == ("none", "online_order")


REFUSED = {
    "more than is left": ({"total_cents": 4201}, "more-than-left"),
    "another currency": ({"currency": "CAD"}, "other-currency"),
}


@pytest.mark.parametrize(("facts", "why"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_with_a_kind_of_its_own(
    pos: Pos, sold: None, facts: dict[str, Any], why: str
) -> None:
    answer = pos.post("refunds", REFUND | facts)
    assert (answer.status_code, kind(answer)) == (422, why)
    assert not Refund.objects.exists()


def test_after_a_void_nothing_is_left(pos: Pos, sold: None) -> None:
    pos.post("sales/109001/void", {})
    for path in ("refunds", "refunds/preview"):
        body = REFUND if path == "refunds" else {"sale_id": "109001", "total_cents": 1}
        assert kind(pos.post(path, body)) == "sale-voided"


def test_items_that_were_not_sold_are_warned_of_and_the_refund_counts(pos: Pos) -> None:
    mug = {"sku": "mug", "name": "Mug", "quantity": 1, "unit_price_cents": 4200}
    pos.post("sales", SALE | {"items": [mug]})
    back = [{"sku": "mug", "quantity": 2}, {"sku": "hat", "quantity": 1}]
    answer = pos.post("refunds", REFUND | {"items": back})
    assert answer.status_code == 201
    assert [warning[:22] for warning in answer.json()["warnings"]] == [
        "items: of mug 1 were l",
        "items: hat was not in ",
    ]


BAD = {
    "no id": ({"id": None}, "id"),
    "less than nothing": ({"total_cents": -1}, "total_cents"),
    "no piece": ({"items": [{"sku": "mug", "quantity": 0}]}, "items.0.quantity"),
}


@pytest.mark.parametrize(("wrong", "field"), BAD.values(), ids=BAD)
def test_a_bad_field_is_named(pos: Pos, wrong: dict[str, Any], field: str) -> None:
    answer = pos.post("refunds", REFUND | wrong)
    assert (kind(answer), fields(answer)) == ("invalid-fields", {field})


def test_a_preview_tells_and_writes_nothing(pos: Pos, sold: None, sandbox: Sandbox) -> None:
    deliver(Delivery.objects.get().pk)
    asked = {"sale_id": "109001", "total_cents": 1000}
    answer = pos.post("refunds/preview", asked)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["points_taken_back"], told["points_given_back"]) == (10, 0)
    assert (told["balance_after"], told["estimate"]) == (sandbox.balance(MARA) - 10, True)
    assert Sale.objects.get().refunded_cents == 0 and not Refund.objects.exists()


def test_a_preview_says_what_it_can_not_tell(pos: Pos, sold: None, sandbox: Sandbox) -> None:
    asked = {"sale_id": "109001", "total_cents": 1000}
    assert kind(pos.post("refunds/preview", asked | {"sale_id": "404"})) == "sale-not-found"
    assert kind(pos.post("refunds/preview", asked | {"total_cents": 4201})) == "more-than-left"
    deliver(Delivery.objects.get().pk)
    Sale.objects.update(pos_id=F("pos_id"))
    sandbox.fault("GET /customers", "status", status=503, times=9)
    assert kind(pos.post("refunds/preview", asked)) == "engine-unavailable"
