"""POST /members and GET /members/{id}/offers"""

from typing import Any

import pytest

from audit.models import Entry
from members import last_known
from members.delivering import tell_birthday
from members.models import Consent, Enrolment, Member
from outbox.models import Delivery
from sandbox.control import Sandbox
from stores.models import Associate, Store
from tests.api.pos import NEVER_SEEN, Pos, fields, kind

pytestmark = pytest.mark.django_db

IDA: dict[str, Any] = {
    "email": "ida@example.com",
    "phone": "(415) 555-0166",
    "first_name": "Ida",
    "last_name": "Nightfall",
}
CONSENT = {"purpose": "marketing_email", "granted": True, "wording_version": "pos-7"}


def at_the_engine(sandbox: Sandbox, email: str) -> list[dict[str, Any]]:
    return [person for person in sandbox.customers() if person["email"] == email]


def test_somebody_becomes_a_member(pos: Pos, sandbox: Sandbox) -> None:
    answer = pos.post("members", IDA | {"consents": [CONSENT], "store": "boston"})
    assert answer.status_code == 201
    told = answer.json()
    assert told["id"] == str(Member.objects.get().id)
    assert (told["email"], told["phone"]) == ("ida@example.com", "+14155550166")
    assert (told["points_balance"], told["opted_in"], told["pending"]) == (0, True, [])
    [person] = at_the_engine(sandbox, "ida@example.com")
    assert (person["first_name"], person["phone_number"]) == ("Ida", "+14155550166")
    consent = Consent.objects.get()
    assert (consent.purpose, consent.granted, consent.wording_version) == tuple(CONSENT.values())
    assert consent.store == Store.objects.get(code="boston")


def test_an_email_is_enough_and_no_consent_is_made_up(pos: Pos, sandbox: Sandbox) -> None:
    assert pos.post("members", {"email": "ida@example.com"}).status_code == 201
    assert not Consent.objects.exists()


def test_a_member_stays_as_they_are(pos: Pos, sandbox: Sandbox) -> None:
    answer = pos.post("members", {"email": "MARA@example.com", "first_name": "Someone"})
    assert (answer.status_code, answer.json()["first_name"]) == (200, "Mara")
    assert answer.json()["points_balance"] == 640
    assert "POST /customers" not in sandbox.call_counts()


def test_a_likely_duplicate_is_shown_masked(pos: Pos, sandbox: Sandbox) -> None:
    answer = pos.post("members", {"email": "new@example.com", "phone": "(415) 555-0123"})
    assert (answer.status_code, kind(answer)) == (409, "likely-duplicates")
    [likely] = answer.json()["duplicates"]
    assert likely == {"name": "M••• Q•••", "email": "m•••@example.com", "phone": "•••0123"}
    assert not at_the_engine(sandbox, "new@example.com")


def test_force_enrols_all_the_same(pos: Pos, sandbox: Sandbox) -> None:
    wanted = {"email": "new@example.com", "phone": "(415) 555-0123", "force": True}
    assert pos.post("members", wanted).status_code == 201
    assert at_the_engine(sandbox, "new@example.com")


def test_a_birthday_is_told_by_the_worker_for_the_engine_takes_none_of_somebody_new(
    pos: Pos, sandbox: Sandbox
) -> None:
    sandbox.switch(new_customer_delay_seconds=0)
    answer = pos.post("members", IDA | {"birthday": {"day": 29, "month": 2}})
    assert answer.status_code == 201
    promised = Delivery.objects.get(kind="birthday")
    assert set(promised.payload) == {"enrolment"}  # no date, and nobody's name
    tell_birthday(promised)
    assert sandbox.call_counts()["POST /customer_birthdays"] == 1


def test_the_phone_is_read_where_the_store_is(pos: Pos) -> None:
    Store.objects.create(installation=pos.installation, code="london", name="London", region="GB")
    told = pos.post("members", IDA | {"phone": "020 7946 0999", "store": "london"}).json()
    assert told["phone"] == "+442079460999"


WRONG = {
    "no email": ({"first_name": "Ida"}, {"email"}),
    "bad email": ({"email": "ida"}, {"email"}),
    "bad phone": (IDA | {"phone": "12"}, {"phone"}),
    "control character": (IDA | {"first_name": "I\u0000da"}, {"first_name"}),
    "no such day": (IDA | {"birthday": {"day": 31, "month": 2}}, {"birthday"}),
    "no leap year": (IDA | {"birthday": {"day": 29, "month": 2, "year": 2023}}, {"birthday"}),
    "no month": (IDA | {"birthday": {"day": 1, "month": 13}}, {"birthday.month"}),
    "unknown purpose": (IDA | {"consents": [CONSENT | {"purpose": "x"}]}, {"consents.0.purpose"}),
    "a purpose twice": (IDA | {"consents": [CONSENT, CONSENT]}, {"consents"}),
    "wording": (
        IDA | {"consents": [CONSENT | {"wording_version": ""}]},
        {"consents.0.wording_version"},
    ),
    "force as text": (IDA | {"force": "yes"}, {"force"}),
    "unknown": (IDA | {"nickname": "I"}, {"nickname"}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "named"), WRONG.values(), ids=WRONG)
def test_fields_are_checked(
    pos: Pos, sandbox: Sandbox, body: dict[str, Any], named: set[str]
) -> None:
    answer = pos.post("members", body)
    assert (answer.status_code, kind(answer), fields(answer)) == (422, "invalid-fields", named)
    assert sandbox.calls() == []


def test_a_card_number_is_kept_nowhere(pos: Pos, sandbox: Sandbox) -> None:
    answer = pos.post("members", IDA | {"last_name": "4111 1111 1111 1111"}, key="one")
    assert (answer.status_code, kind(answer)) == (422, "card-number")
    assert "4111" not in answer.content.decode()
    assert sandbox.calls() == []


@pytest.fixture
def down(sandbox: Sandbox) -> None:
    sandbox.fault("*", "status", status=503, times=None)


@pytest.mark.usefixtures("down")
def test_while_the_engine_is_down_they_are_kept(pos: Pos, sandbox: Sandbox) -> None:
    body = IDA | {"store": "boston", "birthday": {"day": 29, "month": 2}}
    answer = pos.post("members", body, key="one")
    assert answer.status_code == 202
    told = answer.json()
    assert (told["id"], told["email"], told["live"], told["waiting"]) == (
        None,
        "ida@example.com",
        False,
        True,
    )
    assert told["redeemable"] == {"ok": False, "reason": "being_enrolled"}
    for key in ("one", "two"):
        assert pos.post("members", body, key=key).status_code == 202
    assert Delivery.objects.get(kind="enrolment").state == "pending"
    assert list(Entry.objects.values_list("act", flat=True)) == ["enrolment.kept"]


@pytest.mark.usefixtures("down")
def test_a_look_up_says_that_they_wait(pos: Pos, sandbox: Sandbox) -> None:
    pos.post("members", IDA)
    for who in ({"email": "ida@example.com"}, {"phone": "(415) 555-0166"}):
        answer = pos.post("members/lookup", who)
        assert (answer.status_code, answer.json()["waiting"]) == (200, True)
    sandbox.clear_faults()
    answer = pos.post("members/lookup", {"email": "ida@example.com"})
    assert (answer.json()["waiting"], answer.json()["live"]) == (True, True)


def test_the_same_again_when_the_engine_is_back_enrols_them(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("*", "status", status=503, times=None)
    assert pos.post("members", IDA, key="one").status_code == 202
    sandbox.clear_faults()
    assert pos.post("members", IDA, key="one").status_code == 201
    assert not Enrolment.objects.filter(state="waiting").exists()


def test_while_the_engine_is_down_twins_are_known_by_what_it_said_last(
    pos: Pos, sandbox: Sandbox
) -> None:
    pos.post("members/lookup", {"email": "mara@example.com"})
    last_known.batch.write()
    sandbox.fault("*", "status", status=503, times=None)
    same = pos.post("members", {"email": "mara@example.com"})
    assert (same.status_code, same.json()["live"]) == (200, False)
    wanted = {"email": "new@example.com", "phone": "(415) 555-0123"}
    assert kind(pos.post("members", wanted)) == "likely-duplicates"
    assert pos.post("members", wanted | {"force": True}).status_code == 202


def test_a_lost_answer_is_sent_again(pos: Pos, sandbox: Sandbox) -> None:
    sandbox.fault("POST /customers", "drop_after")
    answer = pos.post("members", IDA, key="one")
    assert (answer.status_code, kind(answer)) == (503, "reply-lost")
    assert pos.post("members", IDA, key="one").status_code in {200, 201}
    assert len(at_the_engine(sandbox, "ida@example.com")) == 1


def test_a_repeat_adds_nothing(pos: Pos, sandbox: Sandbox) -> None:
    """Not even when the engine shows the new member only after a while."""
    body = IDA | {"consents": [CONSENT]}
    first = pos.post("members", body, key="one")
    Member.objects.get().consents.create(
        purpose="marketing_email", granted=False, wording_version="pos-8"
    )
    again = pos.post("members", body, key="one")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    assert Consent.objects.count() == 2
    assert sandbox.call_counts()["POST /customers"] == 1


def test_a_repeat_is_answered_though_the_store_was_closed_since(pos: Pos) -> None:
    body = IDA | {"store": "boston"}
    assert pos.post("members", body, key="one").status_code == 201
    Store.objects.update(is_active=False)
    again = pos.post("members", body, key="one")
    assert (again.status_code, again.json()["phone"]) == (200, "+14155550166")


def test_a_disabled_associate_is_refused(pos: Pos, ana: Associate, sandbox: Sandbox) -> None:
    ana.is_active = False
    ana.save()
    answer = pos.post("members", IDA | {"associate": "ana"})
    assert (answer.status_code, kind(answer)) == (422, "place-disabled")
    assert sandbox.calls() == []


# Offers


def offers_of(pos: Pos, email: str) -> list[dict[str, Any]]:
    answer = pos.get(f"members/{Member.objects.seen(email).id}/offers")
    assert answer.status_code == 200
    return list(answer.json()["items"])


def test_offers_that_can_be_had_come_first(pos: Pos) -> None:
    offers = offers_of(pos, "mara@example.com")
    affordable = [offer["affordable"] for offer in offers]
    assert affordable == sorted(affordable, reverse=True)
    assert {True, False} == set(affordable)
    assert all((offer["short_by"] == 0) == offer["affordable"] for offer in offers)


def test_an_offer_says_what_it_costs_and_gives(pos: Pos) -> None:
    offers = {offer["id"]: offer for offer in offers_of(pos, "mara@example.com")}
    five, by_points = offers[90121], offers[90130]
    assert (five["points"], five["value_cents"], five["currency"]) == (500, 500, "USD")
    assert (five["kind"], five["cents_per_point"]) == ("fixed", None)
    assert (by_points["kind"], by_points["points"], by_points["value_cents"]) == (
        "variable",
        0,
        None,
    )
    assert by_points["cents_per_point"] > 0


def test_a_debt_is_filled_up_first(pos: Pos) -> None:
    [five] = [offer for offer in offers_of(pos, "nell@example.com") if offer["id"] == 90121]
    assert (five["affordable"], five["short_by"]) == (False, 585)


def test_offers_of_nobody(pos: Pos) -> None:
    answer = pos.get(f"members/{NEVER_SEEN}/offers")
    assert (answer.status_code, kind(answer)) == (404, "member-not-found")


def test_offers_while_the_engine_is_down(pos: Pos, sandbox: Sandbox) -> None:
    member = Member.objects.seen("mara@example.com")
    sandbox.fault("*", "status", status=503, times=20)
    answer = pos.get(f"members/{member.id}/offers")
    assert (answer.status_code, kind(answer)) == (503, "engine-unavailable")
