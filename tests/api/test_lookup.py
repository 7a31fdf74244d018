"""POST /members/lookup"""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members import last_known
from members.models import Member
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Installation
from tests.api.pos import Pos, fields, kind
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db, pytest.mark.database]

SHOWN = {
    "id", "email", "phone", "first_name", "last_name", "points_balance", "points_available", "tier",
    "expiring", "opted_in", "redeemable", "as_of", "live", "waiting", "pending",
}  # fmt: skip


@pytest.mark.parametrize(
    "who",
    [{"email": " MARA@example.com "}, {"phone": "(415) 555-0123"}, {"phone": "+1 415 555 0123"}],
)
def test_a_member_is_found(pos: Pos, who: dict[str, str]) -> None:
    answer = pos.post("members/lookup", who)
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == SHOWN
    assert told["id"] == str(Member.objects.get().id)
    assert (told["email"], told["points_balance"]) == ("mara@example.com", 640)
    assert told["tier"]["name"] == "Silver"
    assert told["expiring"]["points"] == 200
    assert (told["live"], told["redeemable"]) == (True, {"ok": True, "reason": None})
    assert told["as_of"].endswith("Z")


def test_the_next_tier_has_a_name(pos: Pos) -> None:
    def next_name() -> str | None:
        name: str | None = pos.post("members/lookup", {"email": "mara@example.com"}).json()["tier"][
            "next_name"
        ]
        return name

    # It is read beside the first look-up, which does not wait for it.
    assert until(next_name, "the tiers were read") == "Gold"


def test_a_phone_is_read_in_the_installations_region(pos: Pos, installation: Installation) -> None:
    installation.region = "GB"
    installation.save()
    told = pos.post("members/lookup", {"phone": "020 7946 0123"}).json()
    assert told["email"] == "imogen@example.com"


def test_somebody_without_an_email_has_no_id(pos: Pos) -> None:
    told = pos.post("members/lookup", {"phone": "+14045550112"}).json()
    assert (told["id"], told["email"], told["pending"]) == (None, None, [])
    assert told["redeemable"] == {"ok": False, "reason": "no_email"}


def test_who_left_the_programme_cannot_redeem(pos: Pos) -> None:
    told = pos.post("members/lookup", {"email": "otto@example.com"}).json()
    assert told["redeemable"] == {"ok": False, "reason": "opted_out"}


def test_a_debt_leaves_nothing_available(pos: Pos) -> None:
    told = pos.post("members/lookup", {"email": "nell@example.com"}).json()
    assert (told["points_balance"], told["points_available"]) == (-85, 0)


def test_what_is_open_is_listed(pos: Pos) -> None:
    made = pos.redeem("one").json()
    told = pos.post("members/lookup", {"email": "mara@example.com"}).json()
    assert [one["id"] for one in told["pending"]] == [made["id"]]
    assert told["pending"][0]["code"] == made["code"]


def test_one_under_way_stands_in_the_way_of_another(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "drop_after")
    assert pos.redeem("one").status_code == 202
    told = pos.post("members/lookup", {"email": "mara@example.com"}).json()
    assert told["redeemable"] == {"ok": False, "reason": "another_under_way"}


def test_nobody(pos: Pos) -> None:
    answer = pos.post("members/lookup", {"email": "nobody@example.com"})
    assert (answer.status_code, kind(answer)) == (404, "member-not-found")
    assert not Member.objects.exists()


# Body -> kind of problem, and the fields it names.
WRONG = {
    "neither": ({}, "invalid-fields", {"body"}),
    "both": ({"email": "a@example.com", "phone": "4155550123"}, "invalid-fields", {"body"}),
    "null": ({"email": None}, "invalid-fields", {"body"}),
    "no address": ({"email": "mara"}, "invalid-fields", {"email"}),
    "no number": ({"phone": "call me"}, "invalid-fields", {"phone"}),
    "too short": ({"phone": "555-0123"}, "invalid-fields", {"phone"}),
    "a card": ({"phone": "4111 1111 1111 1111"}, "card-number", {"phone"}),
    "a number": ({"phone": 4155550123}, "invalid-fields", {"phone"}),
    "too long": ({"email": "a" * 300}, "invalid-fields", {"email"}),
    "unknown field": ({"email": "a@example.com", "x": 1}, "invalid-fields", {"x"}),
    "half a character": ({"email": "\ud800@example.com"}, "invalid-fields", {"email"}),
    "a list": ([], "invalid-fields", {"body"}),
}


@pytest.mark.parametrize(("body", "problem", "named"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_read_is_refused(
    pos: Pos, sandbox: Sandbox, body: object, problem: str, named: set[str]
) -> None:
    answer = pos.post("members/lookup", body)
    assert (answer.status_code, kind(answer)) == (422, problem)
    assert fields(answer) == named
    assert sandbox.calls() == []


def test_engine_down_and_nothing_known(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("*", "status", status=503, times=10)
    answer = pos.post("members/lookup", {"email": "mara@example.com"})
    assert (answer.status_code, kind(answer)) == (503, "engine-unavailable")


def test_engine_down_and_last_known_figures(pos: Pos, sandbox: Sandbox) -> None:
    pos.post("members/lookup", {"email": "mara@example.com"})
    last_known.batch.write()
    sandbox.fault("*", "status", status=503, times=10)
    told = pos.post("members/lookup", {"email": "mara@example.com"}).json()
    assert (told["points_balance"], told["live"]) == (640, False)
    assert told["redeemable"] == {"ok": False, "reason": "engine_down"}


def test_engine_busy(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("*", "throttle", times=10)
    answer = pos.post("members/lookup", {"email": "mara@example.com"})
    assert (answer.status_code, kind(answer)) == (429, "engine-busy")
    assert int(answer["Retry-After"]) >= 1


def test_a_look_up_takes_three_reads_and_writes_nothing(
    pos: Pos, row: Callable[..., PendingRedemption]
) -> None:
    """The key, the member's id, what is open; however much that is."""
    for _ in range(3):
        row(State.ISSUED)
    pos.post("members/lookup", {"email": "mara@example.com"})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = pos.post("members/lookup", {"email": "mara@example.com"})
    assert len(answer.json()["pending"]) == 3
    asked = [query["sql"] for query in queries]
    assert len(asked) == 3
    assert all(sql.startswith("SELECT") for sql in asked)
