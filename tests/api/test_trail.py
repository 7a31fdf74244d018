"""What a POS does over the API stands in the trail: by which key, for whom, from what to what."""

from collections.abc import Callable

import pytest

from access.models import ApiKey
from audit.models import Entry
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Associate
from tests.api.pos import Pos

pytestmark = [pytest.mark.django_db, pytest.mark.database]

SALE = {
    "id": "109001",
    "completed_at": "2026-11-21T09:41:00-05:00",
    "total_cents": 4200,
    "currency": "USD",
    "email": "mara@example.com",
}


def acts() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("act", flat=True))


@pytest.fixture
def issued(pos: Pos, ana: Associate) -> str:
    """The id of a redemption with a code."""
    told = pos.redeem("made", ticket="T-1", store="boston", till="1", associate="ana").json()
    return str(told["id"])


def test_a_redemption_says_who_where_and_what(pos: Pos, issued: str) -> None:
    entry = Entry.objects.get()
    key = ApiKey.objects.get()
    assert (entry.act, entry.subject_id) == ("redemption.requested", issued)
    assert (entry.who_kind, entry.who_id) == ("machine", str(key.pk))
    assert entry.who == f"API key {key.shown} for Ana Pardo"
    assert (entry.installation, entry.store, entry.till) == ("shop", "boston", "1, boston")
    assert (entry.after["state"], entry.after["points"]) == ("requested", 500)
    assert pos.api_key not in str(Entry.objects.values().get())


def test_one_act_is_one_entry(pos: Pos, issued: str) -> None:
    pos.redeem("made", ticket="T-1", store="boston", till="1", associate="ana")
    for key in ("h", "h", "i"):
        pos.post(f"redemptions/{issued}/hold", {}, key=key)
    for key in ("r", "r", "s"):
        pos.post(f"redemptions/{issued}/reverse", {"withdrawn": True}, key=key)
    assert acts() == ["redemption.requested", "redemption.held", "redemption.undone"]


def test_who_wants_points_back_and_why_is_kept(pos: Pos, issued: str, ana: Associate) -> None:
    body = {"withdrawn": True, "reason": "changed her mind", "associate": "ana"}
    assert pos.post(f"redemptions/{issued}/reverse", body).status_code == 200
    row = PendingRedemption.objects.get()
    assert (row.undone_by, row.undone_why) == (ana, "changed her mind")
    entry = Entry.objects.get(act="redemption.undone")
    assert (entry.reason, entry.subject_id) == ("changed her mind", issued)
    assert (entry.before, entry.after["state"]) == ({"state": "issued"}, "reversing")


def test_it_is_kept_while_nobody_knows_the_code(
    pos: Pos, row: Callable[..., PendingRedemption], ana: Associate
) -> None:
    uncertain = row(State.UNCERTAIN)
    for reason in ("changed her mind", "asked again"):
        body = {"withdrawn": True, "reason": reason, "associate": "ana"}
        pos.post(f"redemptions/{uncertain.id}/reverse", body)
    uncertain.refresh_from_db()
    assert (uncertain.undone_by, uncertain.undone_why) == (ana, "changed her mind")
    assert acts() == ["redemption.undone"]


def test_what_was_refused_leaves_nothing(pos: Pos, issued: str) -> None:
    pos.post(f"redemptions/{issued}/reverse", {"withdrawn": False, "reason": "no"})
    row = PendingRedemption.objects.get()
    assert (row.undone_by, row.undone_why) == (None, "")
    assert acts() == ["redemption.requested"]


def test_a_sale_and_its_void(pos: Pos, issued: str) -> None:
    code = pos.get(f"redemptions/{issued}").json()["code"]
    for _ in range(2):
        pos.post("sales", SALE | {"coupon_codes": [code], "associate": "ana"})
        pos.post("sales/109001/void", {"reason": "wrong size"})
    recorded, voided = Entry.objects.filter(act__startswith="sale.").order_by("id")
    assert (recorded.act, recorded.who.endswith(" for Ana Pardo")) == ("sale.recorded", True)
    assert recorded.after["redemptions"] == {issued: "used"}
    assert (voided.act, voided.reason) == ("sale.voided", "wrong size")
    assert voided.after == {"refund": False}


def test_an_open_ticket_that_is_voided(pos: Pos, issued: str) -> None:
    pos.post("sales/T-1/void", {"reason": "left"})
    entry = Entry.objects.get(act="redemption.voided")
    assert (entry.subject_id, entry.reason) == (issued, "left")


def test_a_new_member_without_their_name(pos: Pos, sandbox: Sandbox) -> None:
    consent = {"purpose": "marketing_email", "granted": True, "wording_version": "pos-7"}
    ida = {"email": "ida@example.com", "first_name": "Ida", "consents": [consent]}
    pos.post("members", ida | {"store": "boston"})
    entry = Entry.objects.get()
    assert (entry.act, entry.store, entry.after) == (
        "member.enrolled",
        "boston",
        {"consents": [consent]},
    )
    assert "Ida" not in str(Entry.objects.values().get())


def test_what_is_read_leaves_nothing(pos: Pos) -> None:
    pos.post("members/lookup", {"email": "mara@example.com"})
    pos.get("redemptions")
    assert acts() == []
