"""An installation whose points go with the order, as a POS's server sees it."""

import pytest

from redemptions import life
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Installation
from tests.api.pos import POINTS_FOR_DOLLARS, Pos, kind

pytestmark = [pytest.mark.django_db, pytest.mark.database]

MARA = {"email": "mara@example.com"}
FEW = {"offer_id": POINTS_FOR_DOLLARS, "points": 37}


@pytest.fixture(autouse=True)
def _delayed(installation: Installation) -> None:
    installation.delayed_deduction = True
    installation.save()


def test_points_stay_and_can_be_spent_once(pos: Pos, sandbox: Sandbox) -> None:
    made = pos.redeem("one").json()
    assert (made["state"], made["delayed"]) == ("issued", True)
    told = pos.post("members/lookup", MARA).json()
    assert (told["points_balance"], told["points_available"]) == (640, 140)
    offers = pos.get(f"members/{told['id']}/offers").json()["items"]
    assert {one["name"]: one["short_by"] for one in offers}["$5 off"] == 360
    assert sandbox.balance(MARA["email"]) == 640


def test_another_ends_the_open_one_once_the_pos_agreed(pos: Pos) -> None:
    made = pos.redeem("one").json()
    asked = pos.redeem("two", **FEW)
    assert (asked.status_code, kind(asked)) == (409, "ends-open-code")
    assert asked.json()["ends"] == {"id": made["id"], "code": made["code"]}
    assert pos.redeem("two", **FEW).json() == asked.json()

    newer = pos.redeem("three", **FEW, ends=made["id"])
    assert newer.status_code == 201
    older = pos.get(f"redemptions/{made['id']}").json()
    assert (older["state"], older["reason"]) == ("cancelled", "replaced")
    again = pos.redeem("three", **FEW, ends=made["id"])
    assert (again.status_code, again.json()["id"]) == (200, newer.json()["id"])


def test_one_that_a_till_saw_sold_is_not_ended(pos: Pos) -> None:
    made = pos.redeem("one").json()
    life.claim_used(PendingRedemption.objects.get())
    refused = pos.redeem("two", **FEW, ends=made["id"])
    assert (refused.status_code, kind(refused)) == (409, "not-withdrawn")
    assert PendingRedemption.objects.get().state == State.ISSUED


def test_another_installations_code_is_not_ended(pos: Pos) -> None:
    made = pos.redeem("one").json()
    elsewhere = Installation.objects.create(name="Kiosk", delayed_deduction=True)
    PendingRedemption.objects.update(installation=elsewhere)
    for body in ({}, {"ends": made["id"]}):
        refused = pos.redeem(f"two {body}", **FEW, **body)
        assert (refused.status_code, kind(refused)) == (409, "open-code-elsewhere")
        assert made["code"] not in refused.content.decode()
    assert PendingRedemption.objects.get().state == State.ISSUED


def test_giving_back_ends_it_at_once(pos: Pos, sandbox: Sandbox) -> None:
    made = pos.redeem("one").json()
    answer = pos.post(f"redemptions/{made['id']}/reverse", {"withdrawn": True})
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert sandbox.balance(MARA["email"]) == 640
