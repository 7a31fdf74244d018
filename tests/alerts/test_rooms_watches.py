"""What each room tells: one condition for what belongs together, and nothing for what is well."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.module_loading import import_string

from access.models import LookUps
from access.watches import watch_harvesting
from alerts.watching import known_kinds
from database.conditions import kinds_of
from members.models import Member
from outbox.models import Delivery, OutsideSystem
from outbox.states import Reason, State
from outbox.watches import watch_breakers, watch_parked
from redemptions import states
from redemptions.models import PendingRedemption
from redemptions.watches import watch_disputes, watch_uncertain
from tests.ground.checkout import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def told(watch):
    assert {one.kind for one in watch()} <= set(kinds_of(watch))
    return [(one.kind, one.subject, one.count) for one in watch()]


def test_each_kind_that_can_be_raised_stands_in_the_docs():
    table = (ROOT / "docs" / "alerts.md").read_text().partition("\n\n## ")[0]
    rows = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert sorted(re.findall("`([^`]+)`", rows)) == known_kinds()


def opens(watch):
    """Each condition's path leads to a list in the admin that shows as many rows as it counts."""
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    for one in watch():
        answer = client.get(one.path)
        assert answer.status_code == 200, urlsplit(one.path).path
        assert answer.context["cl"].result_count == one.count


def test_parked_deliveries_are_one_for_each_kind():
    for number, kind in enumerate(["order", "order", "refund"]):
        Delivery.objects.create(
            kind=kind, key=str(number), state=State.PARKED, parked_reason=Reason.REFUSED
        )
    Delivery.objects.create(kind="order", key="fine")

    assert sorted(told(watch_parked)) == [
        ("delivery.parked", "order", 2),
        ("delivery.parked", "refund", 1),
    ]
    assert Reason.REFUSED.label in next(iter(watch_parked())).words
    Delivery.objects.filter(kind="refund").delete()
    opens(watch_parked)


def test_an_open_breaker_is_told_and_a_closed_one_is_not():
    OutsideSystem.objects.create(system="yotpo", open_until=timezone.now())
    OutsideSystem.objects.create(system="mail")
    assert told(watch_breakers) == [("breaker.open", "yotpo", 1)]


@pytest.fixture
def redemption(installation):
    def make(state, minutes=0, **facts):
        member = Member.objects.seen(f"m{PendingRedemption.objects.count()}@example.com")
        row = PendingRedemption.objects.create(
            installation=installation,
            member=member,
            act_key=str(member.pk),
            offer_id=1,
            offer_name="$5 off",
            offer_kind="fixed",
            points=500,
            currency="USD",
            state=state,
            **facts,
        )
        PendingRedemption.objects.filter(pk=row.pk).update(
            requested_at=timezone.now() - timedelta(minutes=minutes)
        )

    return make


def test_disputes_are_one_for_each_installation(redemption):
    redemption(states.State.DISPUTED)
    redemption(states.State.DISPUTED)
    redemption(states.State.NOT_MADE)
    assert told(watch_disputes) == [("redemption.disputed", "shop", 2)]
    opens(watch_disputes)


def test_what_is_uncertain_is_told_after_five_minutes(redemption):
    redemption(states.State.UNCERTAIN, minutes=4)
    assert told(watch_uncertain) == []
    redemption(states.State.UNCERTAIN, minutes=6)
    assert told(watch_uncertain) == [("redemption.uncertain", "shop", 1)]


def test_who_reached_the_limit_of_look_ups_is_told_for_a_day(till, ana):
    now = timezone.now()
    hours = {"hour": now, "count": 601}
    LookUps.objects.create(till=till, refused_at=now - timedelta(hours=2), **hours)
    LookUps.objects.create(associate=ana, refused_at=now - timedelta(hours=25), **hours)
    assert told(watch_harvesting) == [("look_ups.too_many", f"till {till.pk}", 1)]
    (one,) = watch_harvesting()
    assert one.installation == "shop"


def test_all_that_are_named_in_the_settings_give_nothing_where_all_is_well():
    assert [list(import_string(path)()) for path in settings.ALERT_WATCHES] == [
        [] for _ in settings.ALERT_WATCHES
    ]
