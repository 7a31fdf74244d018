"""What comes in is verified, kept once, answered at once and handled by a worker."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from access.keys import WebhookSecret
from audit.models import Entry
from connectors.yotpo import webhook
from connectors.yotpo.webhook import Event
from database.encryption import blind_index
from loyalty_panel.routes import WEBHOOKS
from members.models import LastKnown, Member
from members.telling import MEMBER_READING, read_anew
from offers.models import Pool
from outbox.models import Delivery
from redemptions.models import ToldCode
from tests.webhooks.conftest import handle_all
from tests.webhooks.examples import CREATED, EMAIL, EVENTS, LOW, NOT_OURS
from webhooks import views
from webhooks.keeping import TOLD, prune
from webhooks.models import State, Webhook
from webhooks.watches import watch_unhandled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS)
def test_every_event_of_the_contract_is_kept_and_handled(post, told):
    assert post(told).status_code == 200
    assert Webhook.objects.get().state == State.WAITING

    handle_all()

    row = Webhook.objects.get()
    assert (row.state, row.topic) == (State.HANDLED, told["topic"])
    assert row.done


@pytest.mark.parametrize("told", NOT_OURS.values(), ids=NOT_OURS)
def test_what_nobody_here_handles_is_kept(post, told):
    assert post(told).status_code == 200

    assert Webhook.objects.get().state == State.UNKNOWN_TOPIC
    assert not Delivery.objects.exists()


def test_every_known_topic_has_a_handler():
    assert set(WEBHOOKS["yotpo"]) == set(webhook.KNOWN)


def test_an_address_of_its_own_tells_the_topic(post):
    body = {name: value for name, value in LOW.items() if name != "topic"}

    post(body, "redemption_code_below_threshold")

    assert Webhook.objects.get().topic == LOW["topic"]


@pytest.mark.parametrize("id_in", ["header", "body"])
def test_the_same_event_is_counted_and_not_kept_twice(post, id_in):
    told = CREATED | ({"eventid": "e-1"} if id_in == "body" else {})
    headers = {"eventid": "e-1"} if id_in == "header" else {}

    for _ in range(3):
        assert post(told, **headers).status_code == 200
        handle_all()

    assert Webhook.objects.get().times == 3
    assert Delivery.objects.filter(kind=TOLD).count() == 1


def test_without_an_id_the_same_body_is_counted_until_it_was_handled(post):
    post(CREATED)
    post(CREATED)
    handle_all()
    post(CREATED)

    assert sorted(Webhook.objects.values_list("times", flat=True)) == [1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        "/webhooks/yotpo/shop/lpw_wrong/all",
        "/webhooks/yotpo/nowhere/{secret}/all",
        "/webhooks/shopify/shop/{secret}/all",
        "/webhooks/yotpo/%00/{secret}/all",
        "/webhooks/yotpo/shop/%F0%9F%98%80/all",
    ],
)
def test_whoever_has_not_the_secret_learns_nothing(post, secret, wrong):
    answer = post(CREATED, to=wrong.format(secret=secret))

    assert answer.status_code == 404
    assert answer.content == post(CREATED, to="/webhooks/yotpo/shop/x/all").content
    assert not Webhook.objects.exists()


def test_a_revoked_secret_opens_nothing_and_two_are_live(post, installation, secret):
    second = WebhookSecret.issue(installation)
    assert post(CREATED, to=f"/webhooks/yotpo/shop/{second}/all").status_code == 200
    WebhookSecret.objects.get(slot=1).revoke()

    assert post(CREATED).status_code == 404
    assert post(CREATED, to=f"/webhooks/yotpo/shop/{second}/all").status_code == 200


@pytest.mark.parametrize("live", [0, 1, 2])
def test_secrets_are_compared_in_constant_time(monkeypatch, installation, live):
    compared = []
    real = views.hmac.compare_digest
    monkeypatch.setattr(
        views.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b)
    )
    for _ in range(live):
        WebhookSecret.issue(installation)

    assert views.caller_of("yotpo", installation.pk, "lpw_wrong") is None
    assert len(compared) == 2


def test_no_line_of_the_log_has_path_or_body(post, secret, caplog, capsys):
    with caplog.at_level(logging.DEBUG):
        post(CREATED)
        post(b"{", "all")
        handle_all()
    written = caplog.text + "".join(capsys.readouterr())

    assert "webhooks/<str:source>" in written
    assert secret not in written and secret[4:20] not in written
    assert EMAIL not in written and "YLTY" not in written


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b"null", b'{"a":NaN}', b"\xff\xfe", b'{"a":1,"a":2}', b"[" * 90_000],
    ids=["empty", "broken", "list", "null", "NaN", "no UTF-8", "twice", "deep"],
)
def test_what_can_not_be_read_is_kept_as_it_came(post, body):
    answers = [post(body).status_code for _ in range(2)]

    row = Webhook.objects.get()
    assert answers == [400, 400]
    assert (row.state, row.times, row.body) == (State.UNREADABLE, 2, body)
    assert [condition.kind for condition in watch_unhandled()] == ["webhook.unreadable"]


def test_the_kind_of_content_does_not_matter(post):
    for number, kind in enumerate(["text/plain", "application/x-www-form-urlencoded", "x/y"]):
        assert post(CREATED | {"eventid": f"e-{number}"}, kind=kind).status_code == 200
    handle_all()

    assert set(Webhook.objects.values_list("state", flat=True)) == {State.HANDLED}


def test_too_much_is_refused(post, settings):
    assert post(b" " * (256 * 1024 + 1)).status_code == 413
    settings.WEBHOOK_BURST, settings.WEBHOOK_RATE_PER_SECOND = 1, 0.01
    views.buckets.forget()
    post(CREATED)

    refused = post(CREATED)

    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1


def test_an_event_is_taken_in_by_few_queries(post):
    post(CREATED)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        post(CREATED | {"eventid": "e-2"})

    assert len(queries) <= 12


# What follows


def known(member: Member, *, days_ago: int = 1) -> None:
    """A till looked them up then."""
    then = timezone.now() - timedelta(days=days_ago)
    LastKnown.objects.create(member=member, figures="{}", as_of=then, looked_up_at=then)


def test_a_redemption_becomes_a_candidate_for_settling(post):
    post(CREATED)
    handle_all()

    told = ToldCode.objects.get()
    assert (told.code, told.engine_id, told.cost) == ("YLTY-8Q2F", 10869305, 500)
    assert told.email_index == blind_index(EMAIL)


def test_the_number_of_codes_left_is_noted(post):
    post(LOW)
    post(LOW | {"number_of_unused_codes": 12})
    handle_all()

    assert Pool.objects.get().told_unused == 12


def test_nobody_is_written_down_for_what_a_webhook_says(post):
    post(EVENTS["points earned"])
    handle_all()

    assert not Member.objects.exists()
    assert Webhook.objects.get().done == "not_known_here"


def test_what_is_told_of_one_member_in_short_time_makes_one_reading(post, mara, engine):
    known(mara)
    for name in ("points earned", "tier earned", "opt in"):
        post(EVENTS[name])
    handle_all()

    reading = Delivery.objects.get(kind=MEMBER_READING)
    read_anew(reading)
    row = LastKnown.objects.get()
    assert ("Quill" in row.figures, row.as_of > row.looked_up_at) == (True, True)

    Delivery.objects.filter(pk=reading.pk).update(key="of-an-earlier-span")
    post(EVENTS["tier earned"] | {"id": "another"})
    handle_all()
    assert Delivery.objects.filter(kind=MEMBER_READING).count() == 1
    assert Webhook.objects.latest("received_at").done == "is_to_be_read"


def test_whom_nobody_looked_up_for_long_is_not_read(post, mara, engine):
    known(mara, days_ago=31)
    post(EVENTS["points earned"])
    handle_all()

    assert Webhook.objects.get().done == "not_looked_up_lately"
    assert not Delivery.objects.filter(kind=MEMBER_READING).exists()


# For people


@pytest.fixture
def manager(db) -> User:
    return User.objects.create(username="mel", is_staff=True)


def may(user: User, *names: str) -> Client:
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    return client


def test_only_who_may_see_it_sees_what_a_webhook_says(post, manager):
    post(CREATED)
    row = Webhook.objects.get()
    page = reverse("admin:webhooks_webhook_change", args=[row.pk])
    listed = reverse("admin:webhooks_webhook_changelist")

    some = may(manager, "view_webhook")
    assert EMAIL not in some.get(page).content.decode() + some.get(listed).content.decode()
    more = may(manager, "see_body")
    assert EMAIL in more.get(page).content.decode()
    assert EMAIL not in more.get(listed).content.decode()


def test_a_parked_one_can_be_handled_again_by_who_may(post, manager, monkeypatch):
    def broken(*_args):
        raise KeyError("what")

    monkeypatch.setitem(WEBHOOKS["yotpo"], LOW["topic"], broken)
    post(LOW)
    handle_all()
    assert Webhook.objects.get().state == State.PARKED
    monkeypatch.undo()
    listed = reverse("admin:webhooks_webhook_changelist")
    ask = {"action": "handle_again", "_selected_action": [str(Webhook.objects.get().pk)]}

    may(manager, "view_webhook").post(listed, ask)
    assert Webhook.objects.get().state == State.PARKED
    may(manager, "change_webhook").post(listed, ask)
    handle_all()

    assert Webhook.objects.get().state == State.HANDLED
    assert Pool.objects.get().told_unused == 25
    assert Entry.objects.get(act="webhook.handled_again").who == "mel"


def test_bodies_are_emptied_after_their_time(post, settings):
    post(CREATED)
    prune()
    assert Webhook.objects.get().body is not None
    settings.WEBHOOK_BODY_DAYS = -1
    prune()

    row = Webhook.objects.get()
    assert row.body is None
    assert "too old" in row.pretty


def test_an_event_tells_nobody_in_its_repr():
    assert EMAIL not in repr(Event.parse(CREATED)) and "YLTY" not in repr(Event.parse(CREATED))
