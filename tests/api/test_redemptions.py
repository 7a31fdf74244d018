"""POST /redemptions and reading them again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from members.models import Member
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Associate, Installation, Store
from tests.api.pos import (
    FIVE_OFF,
    NEVER_SEEN,
    POINTS_FOR_DOLLARS,
    TWENTY_FIVE_OFF,
    Pos,
    fields,
    kind,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]

SHOWN = {
    "id", "state", "reason", "member", "offer", "points", "value_cents", "currency", "code",
    "lease_expires_at", "lease_seconds_left", "created_at", "delayed",
}  # fmt: skip
MARA = "mara@example.com"
Row = Callable[..., PendingRedemption]


def same(one: Any, other: Any) -> bool:
    """But for the time that passed between them."""
    told = [answer if isinstance(answer, dict) else answer.json() for answer in (one, other)]
    return [{**each, "lease_seconds_left": 0} for each in told] == [
        {**told[0], "lease_seconds_left": 0}
    ] * 2


def test_points_become_a_code(pos: Pos, sandbox: Sandbox) -> None:
    answer = pos.redeem("one", ticket="T-1001")
    assert answer.status_code == 201
    told = answer.json()
    assert set(told) == SHOWN
    assert (told["state"], told["reason"]) == ("issued", None)
    assert (told["points"], told["value_cents"], told["currency"]) == (500, 500, "USD")
    assert told["offer"]["id"] == FIVE_OFF
    assert told["member"] == {"id": str(Member.objects.get().id)}
    assert told["created_at"].endswith("Z") and told["lease_expires_at"].endswith("Z")
    assert 890 <= told["lease_seconds_left"] <= 900
    [made] = sandbox.redemptions()
    assert told["code"] == made["code"]
    assert sandbox.balance(MARA) == 140
    assert PendingRedemption.objects.get().ticket == "T-1001"


@pytest.mark.parametrize("by", ["id", "email", "phone"])
def test_the_member_is_named_by(pos: Pos, sandbox: Sandbox, by: str) -> None:
    named = {"id": str(Member.objects.seen(MARA).id), "email": "Mara@Example.com"}
    named["phone"] = "(415) 555-0123"
    assert pos.redeem("one", member={by: named[by]}).status_code == 201
    assert sandbox.balance(MARA) == 140


def test_the_place_is_kept(pos: Pos) -> None:
    pos.redeem("one", store="boston", till="1", associate="ana")
    row = PendingRedemption.objects.get()
    assert (row.store.code, row.till.code, row.associate.code) == ("boston", "1", "ana")


def test_a_store_without_its_till_is_kept(pos: Pos) -> None:
    pos.redeem("one", store="boston")
    row = PendingRedemption.objects.get()
    assert (row.store.code, row.till) == ("boston", None)


def test_points_are_chosen_for_a_variable_offer(pos: Pos, sandbox: Sandbox) -> None:
    told = pos.redeem("one", offer_id=POINTS_FOR_DOLLARS, points=300).json()
    assert told["points"] == 300
    assert sandbox.balance(MARA) == 340


def test_another_code_for_the_same_ticket_is_a_new_act(pos: Pos, sandbox: Sandbox) -> None:
    codes = {
        pos.redeem(key, member={"email": "ruth@example.com"}).json()["code"] for key in ("a", "b")
    }
    assert len(codes) == 2
    assert sandbox.balance("ruth@example.com") == 24_000


# Said no before anything was asked for. Body -> status, kind.
NOTHING_ASKED = {
    "no such offer": ({"offer_id": 1}, 422, "no-such-offer"),
    "too dear": ({"offer_id": TWENTY_FIVE_OFF}, 422, "wrong-points"),
    "other price": ({"points": 7}, 422, "wrong-points"),
    "no points chosen": ({"offer_id": POINTS_FOR_DOLLARS}, 422, "wrong-points"),
    "opted out": ({"member": {"email": "otto@example.com"}}, 422, "member-cannot-redeem"),
    "no email": ({"member": {"phone": "+14045550112"}}, 422, "member-cannot-redeem"),
    "nobody": ({"member": {"email": "nobody@example.com"}}, 404, "member-not-found"),
    "unknown id": ({"member": {"id": str(NEVER_SEEN)}}, 404, "member-not-found"),
    "a card": ({"member": {"phone": "4111 1111 1111 1111"}}, 422, "card-number"),
}


@pytest.mark.parametrize(("body", "status", "problem"), NOTHING_ASKED.values(), ids=NOTHING_ASKED)
def test_nothing_is_asked_for(
    pos: Pos, sandbox: Sandbox, body: dict[str, object], status: int, problem: str
) -> None:
    answer = pos.redeem("one", **body)
    assert (answer.status_code, kind(answer)) == (status, problem)
    assert not PendingRedemption.objects.exists()
    assert sandbox.redemptions() == []


SHAPES = {
    "offer as text": ({"offer_id": "90121"}, {"offer_id"}),
    "offer as a flag": ({"offer_id": True}, {"offer_id"}),
    "part of a point": ({"points": 1.5}, {"points"}),
    "no points": ({"points": 0}, {"points"}),
    "a bad ticket": ({"ticket": "a b"}, {"ticket"}),
    "a ticket with a line's end": ({"ticket": "a\n"}, {"ticket"}),
    "a long store": ({"store": "s" * 65}, {"store"}),
    "nobody": ({"member": {}}, {"member"}),
    "two": ({"member": {"id": str(NEVER_SEEN), "email": MARA}}, {"member"}),
    "no id": ({"member": {"id": "7"}}, {"member.id"}),
    "unknown": ({"offer": 1, "member": {"email": MARA, "x": 1}}, {"offer", "member.x"}),
}


@pytest.mark.parametrize(("body", "named"), SHAPES.values(), ids=SHAPES)
def test_fields_are_checked_before_anything_else(
    pos: Pos, sandbox: Sandbox, body: dict[str, object], named: set[str]
) -> None:
    answer = pos.redeem("one", **body)
    assert (answer.status_code, kind(answer), fields(answer)) == (422, "invalid-fields", named)
    assert sandbox.calls() == []


def disable(thing: Store | Associate) -> None:
    thing.is_active = False
    thing.save()


def test_a_disabled_store_or_associate_is_refused(
    pos: Pos, store: Store, ana: Associate, sandbox: Sandbox
) -> None:
    disable(store)
    disable(ana)
    for number, place in enumerate([{"store": "boston"}, {"associate": "ana"}]):
        answer = pos.redeem(str(number), **place)
        assert (answer.status_code, kind(answer)) == (422, "place-disabled")
    assert sandbox.redemptions() == []


def test_one_at_a_time(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "drop_after")
    first = pos.redeem("one", member={"email": "ruth@example.com"})
    assert (first.status_code, first.json()["state"]) == (202, "uncertain")
    second = pos.redeem("two", member={"email": "ruth@example.com"})
    assert (second.status_code, kind(second)) == (409, "another-under-way")
    assert second["Retry-After"]
    assert PendingRedemption.objects.count() == 1


# Fault -> status, kind; nothing was taken.
REFUSED = {
    "said no": ({"kind": "status", "status": 422}, 422, "engine-said-no"),
    "too busy": ({"kind": "throttle"}, 429, "engine-busy"),
    "wrong keys": ({"kind": "status", "status": 401}, 503, "engine-misconfigured"),
}


@pytest.mark.parametrize(("fault", "status", "problem"), REFUSED.values(), ids=REFUSED)
def test_the_engine_refuses(
    pos: Pos, sandbox: Sandbox, fault: dict[str, object], status: int, problem: str
) -> None:
    sandbox.fault("POST /redemptions", **fault)
    answer = pos.redeem("one")
    assert (answer.status_code, kind(answer)) == (status, problem)
    assert ("Retry-After" in answer) == (status == 429)
    assert PendingRedemption.objects.get().state == State.REFUSED
    assert sandbox.balance(MARA) == 640


def test_the_engine_is_away(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("*", "status", status=503, times=20)
    answer = pos.redeem("one")
    assert (answer.status_code, kind(answer)) == (503, "engine-unavailable")
    assert not PendingRedemption.objects.exists()


# Repeats


def test_a_repeat_answers_with_the_redemption_as_it_stands(pos: Pos, sandbox: Sandbox) -> None:
    made = pos.redeem("one")
    again = pos.redeem("one")
    assert (made.status_code, again.status_code) == (201, 200)
    assert same(again, made)
    PendingRedemption.objects.update(state=State.USED, sold_at=Now())
    used = pos.redeem("one").json()
    assert (used["state"], used["lease_expires_at"], used["lease_seconds_left"]) == (
        "used",
        None,
        None,
    )
    assert sandbox.balance(MARA) == 140


def test_a_repeat_finds_what_a_lost_answer_made(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "drop_after")
    assert pos.redeem("one").status_code == 202
    PendingRedemption.objects.update(next_check_at=Now() - timedelta(seconds=1))
    again = pos.redeem("one")
    assert (again.status_code, again.json()["state"]) == (200, "issued")
    assert sandbox.balance(MARA) == 140


def test_a_refusal_is_refused_again_without_asking(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "status", status=422)
    first, second = pos.redeem("one"), pos.redeem("one")
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert sandbox.call_counts()["POST /redemptions"] == 1


def test_busy_is_tried_again_under_the_same_key(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "throttle")
    assert pos.redeem("one").status_code == 429
    PendingRedemption.objects.get()
    again = pos.redeem("one")
    while again.status_code == 429:  # we leave the engine alone as long as it asked
        again = pos.redeem("one")
    assert again.status_code == 201
    assert sandbox.balance(MARA) == 140


def test_after_another_ended_the_same_key_redeems(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "drop_before")
    pos.redeem("one", member={"email": "ruth@example.com"})
    assert pos.redeem("two", member={"email": "ruth@example.com"}).status_code == 409
    PendingRedemption.objects.update(state=State.NOT_MADE)
    assert pos.redeem("two", member={"email": "ruth@example.com"}).status_code == 201


def test_another_body_under_the_same_key_is_refused(pos: Pos, sandbox: Sandbox) -> None:
    pos.redeem("one")
    answer = pos.redeem("one", ticket="T-2")
    assert (answer.status_code, kind(answer)) == (422, "idempotency-key-reused")
    assert len(sandbox.redemptions()) == 1


def test_the_same_body_laid_out_otherwise_is_the_same(pos: Pos) -> None:
    bodies = (
        b'{"offer_id": 90121, "member": {"email": "mara@example.com"}}',
        b'{"member":{"email":"mara@ex\\u0061mple.com"},"offer_id":90121}',
    )
    answers = [pos.send("redemptions", body, key="one") for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 200]


def test_a_key_is_needed(pos: Pos, sandbox: Sandbox) -> None:
    answer = pos.post("redemptions", {"member": {"email": MARA}, "offer_id": FIVE_OFF})
    assert (answer.status_code, kind(answer)) == (400, "idempotency-key-required")
    assert sandbox.calls() == []


# Reading


def test_one_is_read(pos: Pos) -> None:
    made = pos.redeem("one").json()
    assert same(pos.get(f"redemptions/{made['id']}").json(), made)


def test_nobody_reads_another_installations(pos: Pos) -> None:
    made = pos.redeem("one").json()
    other = Pos(Installation.objects.create(id="other", name="Other"))
    answer = other.get(f"redemptions/{made['id']}")
    assert (answer.status_code, kind(answer)) == (404, "redemption-not-found")
    assert other.get("redemptions").json() == {"items": [], "next_cursor": None}


def test_no_such_redemption(pos: Pos) -> None:
    answer = pos.get(f"redemptions/{NEVER_SEEN}")
    assert (answer.status_code, kind(answer)) == (404, "redemption-not-found")


def test_they_are_listed_by_ticket_and_state(pos: Pos, row: Row) -> None:
    here = row(State.ISSUED, ticket="T-1")
    row(ticket="T-1")
    row(State.ISSUED, ticket="T-2")
    listed = pos.get("redemptions", ticket="T-1", state="issued").json()
    assert ([one["id"] for one in listed["items"]], listed["next_cursor"]) == ([str(here.id)], None)
    assert len(pos.get("redemptions", ticket="T-1").json()["items"]) == 2
    assert len(pos.get("redemptions", state="issued").json()["items"]) == 2


def test_pages_hold_each_one_once(pos: Pos, row: Row) -> None:
    made = {str(row().id) for _ in range(7)}
    # Several of one moment: their order must hold, too.
    PendingRedemption.objects.update(requested_at=Now())
    seen, cursor = [], ""
    for _ in range(3):
        page = pos.get("redemptions", limit=3, **({"cursor": cursor} if cursor else {})).json()
        assert len(page["items"]) <= 3, page
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert (len(seen), set(seen)) == (7, made)


def test_a_list_is_one_read_beside_the_keys(pos: Pos, row: Row) -> None:
    for _ in range(5):
        row(State.ISSUED)
    pos.get("redemptions")
    with CaptureQueriesContext(connection) as queries:
        pos.get("redemptions")
    assert len(queries) == 2


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"limit": "0"}, {"limit"}),
        ({"limit": "201"}, {"limit"}),
        ({"limit": "many"}, {"limit"}),
        ({"state": "open"}, {"state"}),
        ({"ticket": "a b"}, {"ticket"}),
        ({"cursor": "?"}, {"cursor"}),
        ({"cursor": "bnVsbA"}, {"cursor"}),
        ({"cursor": "C19/bm8LSlOfDw1/WhssPQ"}, {"cursor"}),
        ({"cursor": "\u00e9"}, {"cursor"}),
        ({"tickets": "T-1"}, {"tickets"}),
        ({"state": ["issued", "used"]}, {"state"}),
        ({"limit": ["5", "5"], "tickets": "T-1"}, {"limit", "tickets"}),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(
    pos: Pos, query: dict[str, str | list[str]], named: set[str]
) -> None:
    answer = pos.get("redemptions", **query)
    assert (answer.status_code, kind(answer), fields(answer)) == (422, "invalid-fields", named)
