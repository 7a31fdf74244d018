"""What a refund would do, shown before anything happens; nothing is written."""

from collections.abc import Callable

import pytest

from redemptions.models import PendingRedemption
from sales.models import Sale
from sales.record import Recorded
from sandbox.control import Sandbox
from stores.models import Installation
from tests.associates.panel import Panel, text_of, words
from tests.sales.conftest import deliveries, sell

__all__ = ["deliveries", "sell"]

SCARVES = {"sku": "S-1", "name": "Scarf", "quantity": 3, "unit_price_cents": 1000}
GLOVES = {"sku": "G-1", "name": "Gloves", "quantity": 1, "unit_price_cents": 1200}


@pytest.fixture
def sold(
    sell: Callable[..., Recorded],
    deliveries: Callable[[], list[str]],
    redeemed: PendingRedemption,
) -> Sale:
    """Mara's sale 109001 for $42, with a code of 500 points; 182 points are left to her."""
    sale = sell("109001", coupon_codes=(redeemed.code,), items=(SCARVES, GLOVES)).sale
    deliveries()
    return sale


def ask(panel: Panel, sale: Sale, status: int = 200, **fields: str) -> str:
    answer = panel.post(f"sale/{sale.pk}/refund", fields)
    assert answer.status_code == status, words(answer)
    return " ".join(text_of(answer).split())


def figure(page: str, name: str) -> str:
    return page.partition(f"<dt>{name}</dt><dd>")[2].partition("<")[0]


def figures(page: str) -> list[str]:
    return [figure(page, name) for name in ("Taken back", "Given back", "Balance after")]


ASKED = {
    "a part": ({"amount": "12.50"}, ["12 points", "0 points", "170 points"]),
    "all of it": ({"amount": "$42"}, ["42 points", "500 points", "640 points"]),
    "items": ({"item-0": "2", "item-1": "0"}, ["20 points", "0 points", "162 points"]),
    "all items": ({"item-0": "3", "item-1": "1"}, ["42 points", "500 points", "640 points"]),
    "an amount beside items": (
        {"amount": "5", "item-0": "1"},
        ["5 points", "0 points", "177 points"],
    ),
}


@pytest.mark.parametrize(("fields", "told"), ASKED.values(), ids=ASKED)
def test_what_would_be_taken_and_given_and_left(
    panel: Panel, sold: Sale, sandbox: Sandbox, fields: dict[str, str], told: list[str]
) -> None:
    before = sandbox.state()["counts"]
    page = ask(panel, sold, **fields)
    assert figures(page) == told
    assert "An estimate; nothing was changed." in page
    after = sandbox.state()["counts"]
    assert {k: v for k, v in after.items() if k != "calls"} == {
        k: v for k, v in before.items() if k != "calls"
    }
    sold.refresh_from_db()
    assert (sold.refunded_cents, sold.refunds.count()) == (0, 0)


def test_it_says_on_what_it_rests_and_which_tier_is_left(panel: Panel, sold: Sale) -> None:
    page = ask(panel, sold, amount="42")
    assert "What the sale earned stands in the member's history." in page
    assert figure(page, "Tier after") == "Silver"


def test_debt_is_told_in_plain_words(panel: Panel, sold: Sale, sandbox: Sandbox) -> None:
    sandbox.adjust("mara@example.com", -180)
    page = ask(panel, sold, amount="30")
    assert figure(page, "Balance after") == "28 points below zero"
    assert "The member owes no money: new points fill it up first" in page


REFUSED = {
    "nothing": ({}, "Type how much is refunded"),
    "no amount": ({"amount": "twelve"}, "Type how much is refunded"),
    "nothing at all": ({"amount": "0"}, "Type how much is refunded"),
    "more than was sold": ({"amount": "42.01"}, "Of this sale $42.00 is left to refund"),
    "more pieces than were sold": ({"item-0": "4"}, "Type how much is refunded"),
    "no pieces": ({"item-0": "-1"}, "Type how much is refunded"),
}


@pytest.mark.parametrize(("fields", "says"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_asked_is_refused_in_words(
    panel: Panel, sold: Sale, fields: dict[str, str], says: str
) -> None:
    assert says in ask(panel, sold, 422, **fields)


TROUBLE = {
    "away": ("drop_before", {}, 503, "can't be reached, so nobody can say now"),
    "busy": ("throttle", {"retry_after": 2}, 429, "is busy, so nobody can say now"),
    "forgotten": ("status", {"status": 404}, 404, "does not know this member any more"),
}


@pytest.mark.parametrize(
    ("kind", "details", "status", "says"), TROUBLE.values(), ids=TROUBLE.keys()
)
def test_what_the_engine_does_not_say_nobody_can(
    panel: Panel, sold: Sale, sandbox: Sandbox, kind, details, status: int, says: str
) -> None:
    sandbox.fault("GET /customers", kind, times=None, **details)
    assert says in ask(panel, sold, status, amount="12")


def test_a_sale_that_the_engine_was_not_told_of_moves_nothing(
    panel: Panel, sell: Callable[..., Recorded]
) -> None:
    page = ask(panel, sell("109001", email="").sale, amount="12")
    assert "was not told of this sale: a refund moves no points" in page


def test_a_voided_sale_has_nothing_left(panel: Panel, sold: Sale) -> None:
    Sale.objects.update(voided_at="2026-05-02T12:00:00Z")
    assert "This sale was voided" in ask(panel, sold, 409, amount="12")
    page = text_of(panel.post("sale", {"number": "109001"}))
    assert "voided" in page
    assert "Refund preview" not in page


def test_the_sales_dialog_offers_its_items(panel: Panel, sold: Sale) -> None:
    page = " ".join(text_of(panel.post("sale", {"number": "109001"})).split())
    assert '<label for="item-0">Scarf <span class="hint">$10.00</span></label>' in page
    assert "<option>3</option></select>" in page
    assert "$42.00 is left to refund. Empty: what is picked above comes to." in page


def test_another_installations_sale_is_none_of_ours(panel: Panel, sold: Sale) -> None:
    other = Installation.objects.create(id="other", name="Another")
    Sale.objects.update(installation=other)
    for number in (sold.pk, 10**30):
        answer = panel.post(f"sale/{number}/refund", {"amount": "12"})
        said = answer.status_code, words(answer)
        assert said == (404, "There is no such sale here. Find it by its number.")
