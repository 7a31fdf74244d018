"""Points history and a sale's points, over the sandbox: what is said, and what it costs."""

import re
from collections.abc import Callable

import pytest
from django.db.models import Sum

from access.look_ups import LookUps, Meter
from associates import history
from members.models import Member
from redemptions.models import PendingRedemption
from redemptions.sold import SoldCode
from redemptions.states import State
from sales.record import Recorded
from sandbox.control import Sandbox
from stores.models import Installation
from tests.associates.panel import NEVER_SEEN, Panel, text_of, words
from tests.sales.conftest import act, deliveries, row, sell

__all__ = ["act", "deliveries", "row", "sell"]

HISTORY = {"with_history": "true"}


def history_of(panel: Panel, member: Member) -> str:
    answer = panel.get(f"members/{member.id}/points")
    assert answer.status_code == 200, words(answer)
    return " ".join(text_of(answer).split())


def sale_dialog(panel: Panel, number: str, status: int = 200) -> str:
    answer = panel.post("sale", {"number": number})
    assert answer.status_code == status
    return " ".join(text_of(answer).split())


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    """One that has counted nothing yet."""
    fresh = Meter()
    monkeypatch.setattr(history, "meter", fresh)
    return fresh


@pytest.fixture
def sold(sell: Callable[..., Recorded], deliveries: Callable[[], list[str]]) -> Recorded:
    """Mara's sale 109001 for $42, and the engine has heard of it."""
    sale = sell("109001")
    assert deliveries() == ["done"]
    return sale


@pytest.mark.database
def test_each_change_is_told_with_its_sign(
    panel: Panel, redeemed: PendingRedemption, sold: Recorded, mara: Member, sandbox: Sandbox
) -> None:
    page = history_of(panel, mara)
    assert '<span class="number">182</span> points now' in page
    code = redeemed.code
    spent = f"Code {code} for $5 off: 500 points spent by Ana Pardo at Till 1, Boston, not used yet"
    assert spent in page
    assert '<span class="number">\N{MINUS SIGN}500</span>' in page
    assert "Sale 109001 in Boston, 42 points" in page
    assert '<span class="number">+42</span>' in page
    assert "Rule: Placed an order" in page
    # Before our time, in the web shop.
    assert "A purchase" in page
    assert 'aria-label="Why these points for sale 109001"' in page


def test_an_undone_code_says_so_and_moved_nothing(
    panel: Panel, redeemed: PendingRedemption, mara: Member
) -> None:
    panel.post(f"redemptions/{redeemed.id}/undo", {"member": str(mara.id)})
    page = history_of(panel, mara)
    row = page[page.index(f"Code {redeemed.code}") :]
    assert row.startswith(f"Code {redeemed.code} for $5 off: 500 points spent by Ana Pardo")
    assert ", undone at once<" in row
    assert re.search(r'class="number">([^<]+)<', row)[1] == "0"


def test_times_are_those_of_the_stores(
    panel: Panel, sold: Recorded, mara: Member, installation: Installation
) -> None:
    Installation.objects.update(time_zone="Asia/Tokyo")
    page = history_of(panel, mara)
    assert "Times of Asia/Tokyo." in page


def test_it_is_one_call_and_counted_as_a_look_up(
    panel: Panel, mara: Member, sandbox: Sandbox, meter: Meter
) -> None:
    before = sandbox.call_counts().get("GET /customers", 0)
    history_of(panel, mara)
    assert sandbox.call_counts()["GET /customers"] == before + 1
    meter.write()
    assert LookUps.objects.aggregate(Sum("count"))["count__sum"] == 2  # the till's and Ana's


@pytest.mark.usefixtures("meter")
def test_nobody_who_looked_up_too_many_sees_more(panel: Panel, mara: Member, settings) -> None:
    settings.LOOK_UPS_OF_A_TILL = 1
    history_of(panel, mara)
    answer = panel.get(f"members/{mara.id}/points")
    assert (answer.status_code, "More customers were looked up" in words(answer)) == (429, True)


WITHOUT_THE_ENGINE = {
    "away": ({"kind": "drop_before"}, history.AWAY),
    "unreadable": ({"kind": "status", "status": 200, "body": {"points": []}}, history.UNREADABLE),
}


@pytest.mark.parametrize(("fault", "says"), WITHOUT_THE_ENGINE.values(), ids=WITHOUT_THE_ENGINE)
def test_without_the_engines_list_our_own_records_are_shown(
    panel: Panel, sold: Recorded, mara: Member, sandbox: Sandbox, fault, says: str
) -> None:
    sandbox.fault("GET /customers", fault.pop("kind"), match=HISTORY, times=None, **fault)
    page = history_of(panel, mara)
    assert says in page
    assert "Sale 109001 in Boston" in page
    assert ">Try again<" in page


def test_a_busy_engine_is_left_alone(panel: Panel, mara: Member, sandbox: Sandbox) -> None:
    sandbox.fault("GET /customers", "throttle", retry_after=2)
    answer = panel.get(f"members/{mara.id}/points")
    assert (answer.status_code, answer["HX-Retarget"]) == (429, "#alert")


def test_one_whom_nobody_knows(panel: Panel) -> None:
    assert panel.get(f"members/{NEVER_SEEN}/points").status_code == 404


def test_nothing_has_moved_yet(panel: Panel, sandbox: Sandbox) -> None:
    sandbox.add_member(email="new@example.com", first_name="Nova", points=0)
    page = history_of(panel, Member.objects.seen("new@example.com"))
    assert "No points have moved yet." in page


def test_a_long_list_shows_the_newest_and_says_that_there_are_older_ones(
    panel: Panel, mara: Member, sandbox: Sandbox, monkeypatch
) -> None:
    monkeypatch.setattr(history, "MOST", 5)
    for number in range(1, 8):
        sandbox.adjust(mara.email, number)
    monkeypatch.setattr(history, "AT_ONCE", 2)
    monkeypatch.setattr(history.read, "__defaults__", (5,))
    page = history_of(panel, mara)
    assert page.count("Points adjusted") == 5
    assert "+3<" in page
    assert "+2<" not in page
    assert "<summary>3 older</summary>" in page
    assert "What is older still is not shown here." in page


@pytest.mark.database
def test_a_sale_is_found_by_its_number_or_its_ticket(
    panel: Panel, sell: Callable[..., Recorded], deliveries: Callable[[], list[str]]
) -> None:
    sell("109001", ticket="T-1", coupon_codes=("WEB-9",))
    deliveries()
    for number in ("109001", " T-1 "):
        page = sale_dialog(panel, number)
        assert "Sale 109001</h2>" in page
        assert '<span class="number">$42.00</span>' in page
        assert "Till 1, Boston · Ana Pardo" in page
        assert "Member: m•••@example.com" in page
        assert "mara@example.com" not in page
        assert "Sale 109001 in Boston, 42 points" in page
        assert "The loyalty system was told of it." in page
        assert "<li>Code WEB-9: not made at our tills</li>" in page
        assert "A purchase" not in page


def test_a_code_that_turned_up_after_its_sale_is_told_as_it_is_now(
    panel: Panel, sell: Callable[..., Recorded], row: Callable[..., PendingRedemption]
) -> None:
    sell("109001", email="", coupon_codes=("lp-late",))
    SoldCode.objects.update(redemption=row(State.USED, code="LP-LATE"), outcome="used")
    assert "<li>Code lp-late: used in this sale</li>" in sale_dialog(panel, "109001")


def test_a_sale_that_was_not_told_says_so(panel: Panel, sell: Callable[..., Recorded]) -> None:
    sell("109001")
    assert "The loyalty system has not been told of it yet." in sale_dialog(panel, "109001")


def test_a_sale_of_nobody_is_shown_without_asking_the_engine(
    panel: Panel, sell: Callable[..., Recorded], sandbox: Sandbox
) -> None:
    sell("109001", email="")
    page = sale_dialog(panel, "109001")
    assert "It names no member that the loyalty system knows." in page
    assert "No points: Names no member." in page
    assert "GET /customers" not in sandbox.call_counts()


NOT_FOUND = {
    "unknown": ("109009", 404, "No sale of this number was reported here."),
    "nothing": ("", 422, "Type the number of the sale"),
    "no number": ("<b>", 422, "Type the number of the sale"),
}


@pytest.mark.parametrize(("number", "status", "says"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_a_number_that_finds_nothing_is_asked_for_again(
    panel: Panel, number: str, status: int, says: str
) -> None:
    page = sale_dialog(panel, number, status)
    assert says in page
    assert 'aria-invalid="true"' in page


def test_another_installations_sale_is_not_found(
    panel: Panel, sell: Callable[..., Recorded]
) -> None:
    sale = sell("109001").sale
    other = Installation.objects.create(id="other", name="Another")
    type(sale).objects.update(installation=other)
    assert "No sale of this number" in sale_dialog(panel, "109001", 404)
