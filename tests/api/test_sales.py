"""Sales and voids over the API: recorded once, answered the same again."""

from typing import Any

import pytest
from django.utils import timezone

from members.models import Member
from outbox.models import Delivery
from redemptions.models import PendingRedemption
from redemptions.states import State
from sales.models import Sale
from sandbox.control import Sandbox
from tests.api.pos import FIVE_OFF, NEVER_SEEN, Pos

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MARA = "mara@example.com"
SALE: dict[str, Any] = {
    "id": "109001",
    "completed_at": "2026-11-21T09:41:00-05:00",
    "total_cents": 4200,
    "currency": "USD",
    "email": MARA,
}


@pytest.fixture
def code(pos: Pos, sandbox: Sandbox) -> str:
    body = {"member": {"email": MARA}, "offer_id": FIVE_OFF}
    return str(pos.post("redemptions", body, key="k-1").json()["code"])


def test_a_sale_is_recorded_and_its_code_used(pos: Pos, code: str) -> None:
    answer = pos.post("sales", SALE | {"coupon_codes": [code, "WEB-1"], "store": "boston"})
    assert answer.status_code == 201
    assert answer.json() == {
        "id": "109001",
        "delivery": "pending",
        "not_delivered": None,
        "codes": [{"code": code, "outcome": "used"}, {"code": "WEB-1", "outcome": "unknown"}],
        "warnings": [],
    }
    assert PendingRedemption.objects.get().state == State.USED
    assert Sale.objects.get().store.code == "boston"


def test_the_same_again_is_the_same(pos: Pos, code: str) -> None:
    body = SALE | {"coupon_codes": [code]}
    first, again = pos.post("sales", body), pos.post("sales", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Delivery.objects.count() == 1


def test_under_one_key_the_same_is_the_same(pos: Pos) -> None:
    first, again = (pos.post("sales", SALE, key="sale-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)


def test_other_content_under_one_id_is_refused(pos: Pos) -> None:
    pos.post("sales", SALE)
    answer = pos.post("sales", SALE | {"total_cents": 1})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":other-content")


def test_unknown_fields_are_kept_and_named(pos: Pos) -> None:
    answer = pos.post("sales", SALE | {"gift_wrap": True})
    assert answer.status_code == 201
    assert answer.json()["warnings"] == ["gift_wrap: not known; kept and not used"]
    assert Sale.objects.get().told == {"gift_wrap": True}


BAD = {
    "no id": {"id": None},
    "an id of the POS with a space": {"id": "1 2"},
    "less than nothing": {"total_cents": -1},
    "half a cent": {"total_cents": 0.5},
    "a time without a zone": {"completed_at": "2026-11-21T09:41:00"},
    "seconds since 1970": {"completed_at": 1763736060},
    "the same as a text": {"completed_at": "1763736060"},
    "a day": {"completed_at": "2026-11-21"},
    "a time before all zones": {"completed_at": "0001-01-01T00:00:00+14:00"},
    "a time after all years": {"completed_at": "9999-12-31T23:59:59-14:00"},
    "no currency": {"currency": "dollars"},
    "no email": {"email": "mara"},
    "one code as a text": {"coupon_codes": "LP-1"},
}


@pytest.mark.parametrize("wrong", BAD.values(), ids=BAD)
def test_what_can_not_be_is_named(pos: Pos, wrong: dict[str, Any]) -> None:
    answer = pos.post("sales", SALE | wrong)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(wrong)
    assert not Sale.objects.exists()


def test_a_till_without_a_clock_sells_as_well(pos: Pos) -> None:
    assert pos.post("sales", SALE | {"completed_at": "1970-01-01 00:00:00Z"}).status_code == 201


def test_a_price_beyond_all_money_is_named(pos: Pos) -> None:
    item = {"sku": "1", "name": "Mug", "quantity": 1, "unit_price_cents": 10**16}
    answer = pos.post("sales", SALE | {"items": [item]})
    assert [error["field"] for error in answer.json()["errors"]] == ["items.0.unit_price_cents"]


@pytest.mark.parametrize(
    "buyer",
    [{"email": "", "phone": "(415) 555-0123"}, {"email": MARA, "phone": ""}],
    ids=["no email", "no phone"],
)
def test_an_empty_text_is_as_good_as_none(pos: Pos, buyer: dict[str, str]) -> None:
    """Many a POS sends every field, filled in or not."""
    answer = pos.post("sales", SALE | buyer)
    assert (answer.status_code, answer.json()["delivery"]) == (201, "pending")


def test_a_void_before_the_order_went_gives_the_points_back(
    pos: Pos, sandbox: Sandbox, code: str
) -> None:
    pos.post("sales", SALE | {"coupon_codes": [code]})
    answer = pos.post("sales/109001/void", {"reason": "wrong size"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["id"], told["refund"]) == ("109001", False)
    assert [found["state"] for found in told["codes"]] == ["reversed"]
    assert sandbox.balance(MARA) == 640
    again = pos.post("sales/109001/void", {})
    assert (again.status_code, again.json()) == (200, told)


def test_an_open_ticket_is_voided_by_its_id(pos: Pos, sandbox: Sandbox) -> None:
    body = {"member": {"email": MARA}, "offer_id": FIVE_OFF, "ticket": "T-7"}
    pos.post("redemptions", body, key="k-2")
    answer = pos.post("sales/T-7/void", {})
    assert [found["state"] for found in answer.json()["codes"]] == ["reversed"]
    assert sandbox.balance(MARA) == 640


def test_a_voids_reason_is_one_that_can_be_read(pos: Pos) -> None:
    answer = pos.post("sales/109001/void", {"reason": "wrong\x1b[2J size"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["reason"]


def test_nothing_of_that_id_is_told(pos: Pos) -> None:
    answer = pos.post("sales/S-404/void", {})
    assert answer.status_code == 404
    assert answer.json()["type"].endswith(":sale-not-found")


# Attached later


NOBODYS: dict[str, Any] = {"id": "109002", "total_cents": 1800, "currency": "USD"}


@pytest.fixture
def nobodys(pos: Pos) -> str:
    body = NOBODYS | {"completed_at": timezone.now().isoformat(), "store": "boston"}
    assert pos.post("sales", body).json()["not_delivered"] == "nobody"
    return "sales/109002/attach"


def test_a_sale_is_attached_and_told(pos: Pos, nobodys: str, mara: Member) -> None:
    body = {"member": {"email": MARA}, "store": "boston", "associate": "ana"}
    first, again = (pos.post(nobodys, body, key="a-1") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.json()["member"] == {"id": str(mara.pk)}
    assert (first.json()["delivery"], Delivery.objects.count()) == ("pending", 1)
    told = pos.post("sales", NOBODYS | {"completed_at": first.json()["attached_at"]})
    assert told.status_code == 409  # other content; what was told first stays
    assert Sale.objects.get().member == mara


NOT_ATTACHED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "another store's": ("109002", {"store": "salem"}, 422, "cannot-attach"),
    "of an id nobody told": ("1", {}, 404, "sale-not-found"),
    "to nobody's id": ("109002", {"member": {"id": str(NEVER_SEEN)}}, 404, "member-not-found"),
    "with a field too many": ("109002", {"why": "x"}, 422, "invalid-fields"),
}


@pytest.mark.parametrize(
    ("sale", "more", "status", "kind"), NOT_ATTACHED.values(), ids=NOT_ATTACHED
)
def test_a_sale_is_not_attached(
    pos: Pos, nobodys: str, mara: Member, sale: str, more: dict[str, Any], status: int, kind: str
) -> None:
    answer = pos.post(f"sales/{sale}/attach", {"member": {"email": MARA}} | more)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, kind)
    assert Sale.objects.get().not_delivered == "nobody"


def test_a_sale_that_has_a_member_is_not_to_be_claimed(pos: Pos, mara: Member) -> None:
    pos.post("sales", SALE)
    answer = pos.post("sales/109001/attach", {"member": {"email": MARA}})
    assert answer.json()["type"].endswith(":not-to-be-claimed")
