from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import Misconfigured, Refused, ReplyLost, Throttled, Unavailable
from connectors.yotpo.client import Yotpo
from members import enrol as enrolment
from members.enrol import NewMember, enrol, find_twin, record_consents
from members.models import Consent, Member
from sandbox.control import Sandbox
from stores.models import Associate, Store

pytestmark = pytest.mark.django_db

IDA = NewMember("ida@example.com", "+14155550166", "Ida", "Nightfall", marketing_emails=False)
ENROL = "POST /customers"


def at_the_engine(sandbox: Sandbox, new: NewMember) -> list[dict[str, Any]]:
    return [person for person in sandbox.customers() if person["email"] == new.email]


def test_a_new_member_is_made_at_the_engine_once(engine: Yotpo, sandbox: Sandbox) -> None:
    enrol(engine, IDA)
    [person] = at_the_engine(sandbox, IDA)
    assert (person["first_name"], person["last_name"]) == ("Ida", "Nightfall")
    assert person["phone_number"] == IDA.phone
    assert sandbox.call_counts() == {ENROL: 1}


def test_a_new_member_is_kept_here(engine: Yotpo) -> None:
    assert enrol(engine, IDA) == Member.objects.get()
    assert Member.objects.get().email == IDA.email


def test_an_email_alone_is_enough(engine: Yotpo, sandbox: Sandbox) -> None:
    enrol(engine, NewMember(IDA.email, None, None, None, marketing_emails=False))
    [person] = at_the_engine(sandbox, IDA)
    assert (person["first_name"], person["last_name"], person["phone_number"]) == (None, None, None)


class Recorder:
    """An engine that says yes and remembers what it was sent."""

    def save_customer(self, **sent: Any) -> None:
        self.sent = sent


@pytest.mark.parametrize("marketing", [True, False])
def test_joining_the_programme_is_asked_for_whatever_was_said_of_marketing(marketing: bool) -> None:
    recorder = Recorder()
    enrol(recorder, replace(IDA, marketing_emails=marketing))  # type: ignore[arg-type]
    assert recorder.sent["opted_in"] is True


def test_enrolling_again_makes_nobody_twice(engine: Yotpo, sandbox: Sandbox) -> None:
    first, second = enrol(engine, IDA), enrol(engine, IDA)
    assert first == second
    assert (
        len(at_the_engine(sandbox, IDA)) == Member.objects.count() == Consent.objects.count() == 1
    )


# What goes wrong with the call -> the error.
FAILURES = {
    "not reached": ({"kind": "drop_before"}, ReplyLost),
    "answer lost": ({"kind": "drop_after"}, ReplyLost),
    "engine broken": ({"kind": "status", "status": 503}, ReplyLost),
    "too busy": ({"kind": "throttle"}, Throttled),
    "refused": ({"kind": "status", "status": 422, "body": {"email": ["is taken"]}}, Refused),
    "keys refused": ({"kind": "status", "status": 401}, Misconfigured),
}


@pytest.mark.parametrize(("fault", "error"), FAILURES.values(), ids=FAILURES.keys())
def test_nothing_is_kept_of_an_enrolment_that_failed(
    engine: Yotpo, sandbox: Sandbox, fault: dict[str, Any], error: type[Exception]
) -> None:
    sandbox.fault(ENROL, **fault)
    with pytest.raises(error):
        enrol(engine, IDA)
    assert not Member.objects.exists()
    assert not Consent.objects.exists()
    assert sandbox.call_counts() == {ENROL: 1}


def test_an_engine_that_cannot_be_reached_keeps_nothing(closed_engine: Yotpo) -> None:
    with pytest.raises(Unavailable):
        enrol(closed_engine, IDA)
    assert not Member.objects.exists()


def test_after_a_lost_answer_enrolling_again_is_safe(engine: Yotpo, sandbox: Sandbox) -> None:
    sandbox.fault(ENROL, "drop_after")
    with pytest.raises(ReplyLost):
        enrol(engine, IDA)
    enrol(engine, IDA)
    assert len(at_the_engine(sandbox, IDA)) == 1


# Twins


def test_nobody_is_a_twin_of_someone_new(engine: Yotpo) -> None:
    assert find_twin(engine, IDA) == (None, False)


def test_the_same_email_is_the_same_person(engine: Yotpo, sandbox: Sandbox) -> None:
    twin, same_email = find_twin(engine, replace(IDA, email="Mara@example.com"))
    assert twin is not None
    assert (twin.name, same_email) == ("Mara Quill", True)
    assert sandbox.call_counts() == {"GET /customers": 1}


def test_the_same_phone_may_be_a_family(engine: Yotpo, sandbox: Sandbox) -> None:
    twin, same_email = find_twin(engine, replace(IDA, phone="+14155550123"))
    assert twin is not None
    assert (twin.name, same_email) == ("Mara Quill", False)
    assert sandbox.call_counts() == {"GET /customers": 2}


def test_without_a_phone_only_the_email_is_asked_for(engine: Yotpo, sandbox: Sandbox) -> None:
    assert find_twin(engine, replace(IDA, phone=None)) == (None, False)
    assert sandbox.call_counts() == {"GET /customers": 1}


def test_whether_there_is_a_twin_is_not_guessed_while_the_engine_is_down(
    engine: Yotpo, sandbox: Sandbox
) -> None:
    sandbox.fault("GET /customers", "drop_before", times=None)
    with pytest.raises(Unavailable):
        find_twin(engine, IDA)


# Consent


@pytest.fixture
def ida(db: None) -> Member:
    return Member.objects.seen(IDA.email)


def say(member: Member, marketing: bool) -> None:
    record_consents(member, replace(IDA, marketing_emails=marketing).consents, None, None)


def answers(member: Member) -> list[bool]:
    """Oldest first."""
    return [consent.granted for consent in member.consents.order_by("id")]


@pytest.mark.parametrize("marketing", [True, False])
def test_what_was_said_is_kept_with_its_wording_and_place(
    engine: Yotpo, store: Store, ana: Associate, marketing: bool
) -> None:
    enrol(engine, replace(IDA, marketing_emails=marketing), store=store, associate=ana)
    consent = Consent.objects.get()
    assert consent.granted is marketing
    assert consent.purpose == Consent.Purpose.MARKETING_EMAIL
    assert consent.wording_version == enrolment.MARKETING_WORDING
    assert (consent.store, consent.associate) == (store, ana)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ([False, False], [False]),
        ([True, True, True], [True]),
        ([False, True], [False, True]),
        ([False, True, True, False], [False, True, False]),
    ],
    ids=["no twice", "yes three times", "no, then yes", "back to no"],
)
def test_only_a_changed_answer_is_added(ida: Member, said: list[bool], kept: list[bool]) -> None:
    for marketing in said:
        say(ida, marketing)
    assert answers(ida) == kept


def test_the_same_answer_to_other_words_is_added(
    ida: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(ida, True)
    monkeypatch.setattr(enrolment, "MARKETING_WORDING", "till-next-year")
    say(ida, True)
    assert answers(ida) == [True, True]


def test_one_persons_answer_is_not_anothers(ida: Member, mara: Member) -> None:
    say(ida, True)
    say(mara, True)
    assert answers(mara) == [True]


@pytest.mark.parametrize(("granted", "text"), [(True, "yes"), (False, "no")])
def test_a_consent_is_shown_in_words(ida: Member, granted: bool, text: str) -> None:
    say(ida, granted)
    assert str(ida.consents.get()) == f"Marketing emails: {text}"
