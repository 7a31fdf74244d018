"""What a manager sees of enrolments that wait, and does with those that the engine refused."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models.functions import Now
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from connectors.limits import Limits
from members.enrol import NewMember
from members.keeping import keep, read_details
from members.models import Enrolment
from outbox import limits
from outbox.models import Delivery
from outbox.states import Reason, State
from stores.models import Installation, Store

pytestmark = pytest.mark.django_db

IDA = NewMember("ida@example.com", "+14155550166", "Ida", "Nightfall", marketing_emails=True)
LIST, PAGE = "admin:members_enrolment_changelist", "admin:members_enrolment_change"


@pytest.fixture
def manager() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("manager"))
    return client


@pytest.fixture
def kept(installation: Installation, store: Store, monkeypatch: pytest.MonkeyPatch) -> Enrolment:
    monkeypatch.setitem(limits._limits, "yotpo", Limits(rate_per_second=100_000))
    return keep(IDA, installation=installation, store=store)


@pytest.fixture
def refused(kept: Enrolment) -> Enrolment:
    Delivery.objects.update(state=State.PARKED, parked_reason=Reason.REFUSED, due_at=Now())
    return kept


def press(client: Client, row: Enrolment, act: str, **fields: str) -> HttpResponse:
    address = reverse(f"admin:members_enrolment_{act}", args=[row.pk])
    answer = client.post(address, {"reason": "asked by phone", **fields}, follow=True)
    row.refresh_from_db()
    return answer


def test_who_waits_is_shown_masked(manager: Client, refused: Enrolment) -> None:
    text = manager.get(reverse(PAGE, args=[refused.pk])).content.decode()
    assert "I••• N•••" in text
    assert "i•••@example.com" in text
    assert "Parked: The other system said no" in text
    assert not [told for told in ("ida@", "5550166", "Nightfall") if told in text]


def test_those_that_ask_for_a_person_are_found(manager: Client, kept: Enrolment) -> None:
    asking = f"{reverse(LIST)}?asks=yes"
    assert str(kept) not in manager.get(asking).content.decode()
    Delivery.objects.update(state=State.PARKED, parked_reason=Reason.REFUSED)
    assert str(kept) in manager.get(asking).content.decode()


def test_one_is_mended_with_a_reason(manager: Client, refused: Enrolment) -> None:
    answer = press(manager, refused, "mend", phone="(415) 555-0199", first_name=" Idaline ")
    assert "sent again" in answer.content.decode()
    details = read_details(refused)
    assert (details.phone, details.first_name) == ("+14155550199", "Idaline")
    assert (details.email, details.last_name) == (IDA.email, IDA.last_name)
    entry = Entry.objects.get(act="enrolment.mended")
    assert (entry.who, entry.reason) == ("manager", "asked by phone")
    assert "Idaline" not in str(Entry.objects.values().get())


def test_one_is_dropped_with_a_reason(manager: Client, refused: Enrolment) -> None:
    press(manager, refused, "drop")
    assert (refused.state, refused.details) == ("dropped", None)
    assert Entry.objects.get(act="enrolment.dropped").reason == "asked by phone"
    assert "does not wait" in press(manager, refused, "drop").content.decode()


@pytest.mark.parametrize(
    "fields",
    [{"reason": ""}, {"email": "ida"}, {"phone": "12"}, {"first_name": "4111 1111 1111 1111"}],
    ids=str,
)
def test_what_cannot_be_read_changes_nothing(
    manager: Client, refused: Enrolment, fields: dict[str, str]
) -> None:
    answer = press(manager, refused, "mend", **fields)
    assert 'class="error"' in answer.content.decode()
    assert (refused.version, Entry.objects.count()) == (1, 0)


def test_what_waits_for_nobody_cannot_be_touched(manager: Client, kept: Enrolment) -> None:
    assert "Mend it" not in manager.get(reverse(PAGE, args=[kept.pk])).content.decode()
    assert "does not wait" in press(manager, kept, "mend", first_name="X").content.decode()
    assert kept.version == 1


def test_looking_is_not_enough(refused: Enrolment) -> None:
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_enrolment"))
    client = Client()
    client.force_login(looker)
    assert "Mend it" not in client.get(reverse(PAGE, args=[refused.pk])).content.decode()
    for act in ("mend", "drop"):
        assert press(client, refused, act).status_code == 403
    assert refused.state == "waiting"
