"""Enrolments while the engine is out of reach: kept once, told once, then forgotten."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from audit.models import Entry
from audit.record import By, Who
from connectors.errors import NotFound, Unavailable
from connectors.limits import Limits
from connectors.yotpo.client import Yotpo
from members.enrol import Birthday, Given, NewMember, enrol
from members.identity import Email, Phone
from members.keeping import AlreadyWaiting, drop, keep, mend, read_details, recall_kept
from members.last_known import find_or_recall
from members.models import Consent, Enrolment, Member
from outbox import limits
from outbox.models import Delivery
from outbox.states import Outcome, State
from outbox.worker import deliver
from sandbox.control import Sandbox
from stores.models import Associate, Installation, Store
from tests.support.waiting import until

pytestmark = [pytest.mark.django_db, pytest.mark.database]

IDA = NewMember("ida@example.com", "+14155550166", "Ida", "Nightfall", marketing_emails=True)
ENROL, READ, BIRTHDAYS = "POST /customers", "GET /customers", "POST /customer_birthdays"
MANAGER = By(Who.machine("manager"), reason="spelt wrongly")


@pytest.fixture
def kept(installation: Installation, store: Store, ana: Associate) -> Enrolment:
    return keep(
        IDA,
        installation=installation,
        store=store,
        associate=ana,
        birthday=Birthday(17, 4),
        by=By(Who.associate(ana)),
    )


@pytest.fixture
def work_off(engine: Yotpo) -> Iterator[Callable[[], None]]:
    """Bring every delivery a step further, as if its time had come."""
    limits._limits["yotpo"] = Limits(rate_per_second=100_000)

    def step() -> None:
        Delivery.objects.update(due_at=Now())
        for delivery in Delivery.objects.order_by("id"):
            deliver(delivery.pk)

    yield step
    limits._limits.clear()


def at_the_engine(sandbox: Sandbox, email: str = IDA.email) -> list[dict[str, Any]]:
    return [person for person in sandbox.customers() if person["email"] == email]


def states(kind: str = "enrolment") -> list[str]:
    return list(Delivery.objects.filter(kind=kind).order_by("id").values_list("state", flat=True))


# Kept


def test_nothing_of_them_can_be_read_from_the_database(kept: Enrolment) -> None:
    with connection.cursor() as cursor:
        for table in ("members_enrolment", "outbox_delivery", "audit_entry"):
            cursor.execute(f"SELECT * FROM {table}")
            rows = str(cursor.fetchall())
            assert not [told for told in ("ida@", "555", "Ida", "Nightfall") if told in rows], table


def test_the_same_again_is_the_same(kept: Enrolment, installation: Installation) -> None:
    again = keep(replace(IDA, email=" IDA@example.com"), installation=installation)
    keep(IDA, installation=installation)
    assert (again.pk, Enrolment.objects.count()) == (kept.pk, 1)


def test_what_is_told_later_is_added(kept: Enrolment, installation: Installation) -> None:
    newer = NewMember(IDA.email, None, "Idaline", None, marketing_emails=False)
    row = keep(newer, installation=installation)
    details = read_details(row)
    assert (details.phone, details.first_name, details.last_name) == (
        IDA.phone,
        "Idaline",
        "Nightfall",
    )
    assert [consent.granted for consent in details.consents] == [False]
    assert details.birthday == Birthday(17, 4)
    assert states() == [State.WITHDRAWN, State.PENDING]


def test_one_look_up_finds_them(kept: Enrolment, engine: Yotpo, sandbox: Sandbox) -> None:
    found = find_or_recall(engine, Phone("+14155550166"))
    assert (found.name, found.waiting, found.live, found.why_not) == (
        "Ida Nightfall",
        True,
        True,
        "being_enrolled",
    )
    sandbox.fault(READ, "drop_before", times=None)
    assert not find_or_recall(engine, Email(IDA.email)).live
    with pytest.raises(Unavailable):
        find_or_recall(engine, Email("nobody@example.com"))


def test_the_database_refuses_what_cannot_be(kept: Enrolment) -> None:
    itself = Enrolment.objects.filter(pk=kept.pk)
    wrong: list[dict[str, Any]] = [
        {"state": "lost"},
        {"email_index": ""},
        {"details": None},
        {"state": Enrolment.State.ENROLLED},
        {"state": Enrolment.State.DROPPED, "email_index": "", "phone_index": ""},
    ]
    for changes in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            itself.update(**changes)
    with pytest.raises(IntegrityError), transaction.atomic():
        Enrolment.objects.create(
            installation=kept.installation, details="x", email_index=kept.email_index
        )
    assert itself.end(Enrolment.State.DROPPED) == 1


# Told


def test_they_become_a_member_and_nothing_is_kept(
    kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None], ana: Associate
) -> None:
    sandbox.switch(new_customer_delay_seconds=0)
    work_off()
    [person] = at_the_engine(sandbox)
    assert (person["first_name"], person["phone_number"]) == ("Ida", "+14155550166")
    member = Member.objects.get()
    assert member.email == IDA.email
    consent = Consent.objects.get()
    assert (consent.granted, consent.given_at, consent.associate) == (True, kept.asked_at, ana)
    work_off()
    assert sandbox.call_counts()[BIRTHDAYS] == 1
    kept.refresh_from_db()
    assert (kept.state, kept.details, kept.email_index, kept.phone_index) == (
        "enrolled",
        None,
        "",
        "",
    )
    assert (states(), states("birthday")) == ([State.DONE], [State.DONE])
    assert recall_kept(Email(IDA.email), live=True) is None
    acts = Entry.objects.order_by("id").values_list("act", "who_kind")
    assert list(acts) == [("enrolment.kept", "associate"), ("member.enrolled", "machine")]


def test_one_who_came_by_another_way_gets_only_what_is_missing(
    kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    sandbox.add_member(email=IDA.email, first_name="Idaline", points=70)
    work_off()
    [person] = at_the_engine(sandbox)
    assert (person["first_name"], person["last_name"]) == ("Idaline", "Nightfall")
    assert person["phone_number"] == IDA.phone
    assert states() == [State.DONE]


def test_one_who_has_it_all_is_not_written(
    kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    sandbox.add_member(
        email=IDA.email, first_name="I", last_name="N", phone_number="+14155550199", points=1
    )
    work_off()
    assert states() == [State.DONE]
    assert ENROL not in sandbox.call_counts()


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_after_a_lost_answer_it_is_read_first(
    kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None], settings, fault: str
) -> None:
    settings.ENGINE_SETTLE_SECONDS = 0.0
    sandbox.switch(new_customer_delay_seconds=0)
    sandbox.fault(ENROL, fault)
    work_off()
    assert states() == [State.VERIFYING]
    for _ in range(4):
        work_off()
    assert states() == [State.DONE]
    assert len(at_the_engine(sandbox)) == 1
    assert sandbox.call_counts()[ENROL] == (1 if fault == "drop_after" else 2)


def test_while_the_engine_is_down_it_waits(
    kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    sandbox.fault("*", "status", status=503, times=None)
    work_off()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.last_error) == (State.PENDING, Outcome.UNAVAILABLE)
    sandbox.clear_faults()
    work_off()
    assert states() == [State.DONE]


def test_a_birthday_waits_until_the_engine_shows_the_member(
    kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    sandbox.switch(new_customer_delay_seconds=3)
    work_off()
    work_off()
    assert states("birthday") == [State.PENDING]
    # Asked again and again meanwhile, it would be given up.
    until(lambda: all(one["readable"] for one in sandbox.customers()), "the member is shown")
    work_off()
    assert states("birthday") == [State.DONE]
    kept.refresh_from_db()
    assert kept.details is None


def test_a_birthday_of_one_who_is_never_shown_asks_for_a_person(
    kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    sandbox.switch(new_customer_delay_seconds=600)
    work_off()
    Delivery.objects.filter(kind="birthday").update(attempts=29)
    work_off()
    assert states("birthday") == [State.PARKED]


def test_who_is_enrolled_meanwhile_waits_no_more(
    kept: Enrolment, engine: Yotpo, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    enrol(engine, IDA)
    kept.refresh_from_db()
    assert (kept.state, kept.details) == ("enrolled", None)
    work_off()
    assert states() == [State.WITHDRAWN]
    assert sandbox.call_counts()[ENROL] == 1


# Refused


@pytest.fixture
def refused(kept: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]) -> Enrolment:
    sandbox.fault(ENROL, "status", status=422, body={"phone_number": ["is invalid"]})
    work_off()
    assert states() == [State.PARKED]
    return kept


def test_one_that_was_mended_is_sent(
    refused: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    assert mend(refused, {"email": "ida.nightfall@example.com"}, MANAGER)
    work_off()
    assert len(at_the_engine(sandbox, "ida.nightfall@example.com")) == 1
    assert at_the_engine(sandbox) == []
    assert states() == [State.WITHDRAWN, State.DONE]
    entry = Entry.objects.get(act="enrolment.mended")
    assert (entry.reason, entry.after) == ("spelt wrongly", {"fields": ["email"]})


def test_one_that_was_dropped_is_forgotten(
    refused: Enrolment, sandbox: Sandbox, work_off: Callable[[], None]
) -> None:
    assert drop(refused, MANAGER)
    work_off()
    refused.refresh_from_db()
    assert (refused.state, refused.details, refused.email_index) == ("dropped", None, "")
    assert states() == [State.WITHDRAWN]
    assert not Member.objects.exists()
    assert Entry.objects.get(act="enrolment.dropped").reason == "spelt wrongly"
    assert not drop(refused, MANAGER)


def test_what_is_told_again_at_the_till_is_sent_again(
    refused: Enrolment, installation: Installation, work_off: Callable[[], None]
) -> None:
    keep(replace(IDA, phone="+14155550199"), installation=installation)
    work_off()
    assert states() == [State.WITHDRAWN, State.DONE]


def test_two_do_not_become_one(refused: Enrolment, installation: Installation) -> None:
    keep(replace(IDA, email="ben@example.com"), installation=installation)
    with pytest.raises(AlreadyWaiting):
        mend(refused, {"email": "ben@example.com"}, MANAGER)
    refused.refresh_from_db()
    assert (refused.version, Delivery.objects.count()) == (1, 2)


def test_what_waits_for_nobody_is_left_alone(kept: Enrolment) -> None:
    assert not mend(kept, {"first_name": "X"}, MANAGER)
    assert not drop(kept, MANAGER)


def test_given_words_are_kept(installation: Installation, engine: Yotpo) -> None:
    said = Given("marketing_email", granted=True, wording_version="pos-7")
    row = keep(IDA, installation=installation, consents=[said])
    assert read_details(row).consents == (said,)
    with pytest.raises(NotFound):
        find_or_recall(engine, Email("nobody@example.com"))
