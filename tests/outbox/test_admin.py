"""What a manager can see of deliveries, and the one thing to be done with them."""

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from connectors.errors import Refused
from outbox.models import Delivery
from outbox.states import State
from tests.outbox.conftest import Promise, Work
from tests.outbox.other_side import OtherSide

pytestmark = pytest.mark.django_db

LIST = "admin:outbox_delivery_changelist"


@pytest.fixture
def parked(promise: Promise, work: Work, side: OtherSide) -> Delivery:
    side.says = [Refused("shop", "POST", "/orders", 422, words="No such currency")]
    return work(promise(payload={"member": "8a7b", "note": "for Ada Byron", "codes": ["LP-1"]}))


def logged_in(*permissions: str) -> Client:
    user = User.objects.create(username="manager", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss(db: None) -> Client:
    return logged_in("view_delivery", "view_attempt", "change_delivery")


def send_again(client: Client, *deliveries: Delivery) -> HttpResponse:
    chosen = {"action": "send_again", "_selected_action": [d.pk for d in deliveries]}
    return client.post(reverse(LIST), chosen, follow=True)


def test_a_parked_one_can_be_sent_again(boss: Client, parked: Delivery, work: Work):
    answer = send_again(boss, parked)

    assert "1 sent again." in answer.text
    assert work(parked).state == State.DONE


def test_others_are_left_alone(boss: Client, parked: Delivery, promise: Promise):
    waiting = promise()

    answer = send_again(boss, parked, waiting)

    assert "1 sent again. 1 left alone: not parked, or one" in answer.text
    waiting.refresh_from_db()
    assert (waiting.state, waiting.fence) == (State.PENDING, 0)


def test_who_may_only_look_can_not_send_again(parked: Delivery):
    client = logged_in("view_delivery")

    send_again(client, parked)

    parked.refresh_from_db()
    assert parked.state == State.PARKED
    assert "Send again" not in client.get(reverse(LIST)).text


def test_a_page_tells_what_was_told_and_how_it_went(boss: Client, parked: Delivery):
    page = boss.get(reverse("admin:outbox_delivery_change", args=[parked.pk])).text

    assert "No such currency" in page
    assert "8a7b" in page and "LP-1" in page
    assert "Ada" not in page


def test_they_are_filtered_and_found_by_key(boss: Client, parked: Delivery, promise: Promise):
    promise("blind", key="another")

    def found(**query: str) -> list[Delivery]:
        return list(boss.get(reverse(LIST), query).context["cl"].queryset)

    assert found(state="parked") == found(kind="order") == found(q=parked.key) == [parked]


def test_the_engines_wake_ups_are_not_shown(boss: Client):
    index = boss.get(reverse("admin:index")).text
    assert "dbtaskresult" not in index and "procrastinate" not in index
