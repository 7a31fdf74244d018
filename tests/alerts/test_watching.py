"""Alerts follow from what the watches give: raised once, grouped, cleared, muted, set aside."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.models import Alert, Mute, Recipient, State
from alerts.watching import KEPT, prune, set_aside, watch
from audit.models import Entry
from database.conditions import Condition
from outbox.models import Delivery
from stores.models import Installation
from tests.alerts.conftest import low

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _somebody_listens(settings):
    settings.ALERT_EMAILS = ["desk@example.com"]


@pytest.fixture
def boss(db):
    """Logged in without a password: to hash one takes longer than the test."""
    client = Client()
    user = User.objects.create(username="boss", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def states():
    return list(Alert.objects.order_by("pk").values_list("subject", "state"))


def test_what_is_seen_again_is_one_alert_and_told_once(look):
    told = look(low())
    again = look(low())

    assert states() == [("7", "open")]
    assert len(told) == 1
    assert again == []


def test_many_at_once_are_one_mail(look):
    told = look(*(low(str(number)) for number in range(30)))

    assert len(told) == 1
    assert len(told[0].payload["raised"]) == 30


def test_two_of_one_kind_and_subject_are_added_up(look):
    early = timezone.now() - timedelta(hours=3)
    look(low(count=2), low(count=3, since=early))

    alert = Alert.objects.get()
    assert (alert.count, alert.since) == (5, early)


def test_one_whose_subject_is_too_long_to_be_kept_whole_is_one_alert(look):
    told = look(low("x" * 300))
    again = look(low("x" * 300))

    assert states() == [("x" * 200, "open")]
    assert (len(told), again) == (1, [])


def test_what_is_gone_clears_by_itself_and_comes_back_as_a_new_one(look):
    look(low())
    look()
    assert states() == [("7", "cleared")]
    look(low())
    assert states() == [("7", "cleared"), ("7", "open")]


def test_what_flickers_stays_one_alert(look, settings):
    settings.ALERT_CALM_SECONDS = 600.0
    look(low())
    look()
    assert Alert.objects.get().gone_since is not None
    told = look(low())

    assert told == []
    assert (Alert.objects.get().state, Alert.objects.get().gone_since) == ("open", None)


def test_words_and_counts_follow_without_being_told_again(look):
    look(low())
    told = look(low(count=9))

    assert told == []
    assert Alert.objects.get().count == 9


def test_people_are_reminded_once_a_day(look):
    look(low())
    Alert.objects.update(told_at=timezone.now() - timedelta(hours=25))
    first, second = look(low()), look(low())

    assert [told.payload["still"] for told in first] == [[Alert.objects.get().pk]]
    assert second == []


def test_the_muted_are_shown_and_told_when_the_mute_ends(look):
    mute = Mute.objects.create(
        kind="pool.low", until=timezone.now() + timedelta(hours=1), reason="Codes are on their way"
    )
    assert look(low()) == []
    assert states() == [("7", "open")]
    assert not Alert.objects.heard().exists()
    mute.until = timezone.now() - timedelta(seconds=1)
    mute.save()
    assert len(look(low())) == 1


def test_a_mute_of_one_subject_leaves_the_others(look):
    soon = timezone.now() + timedelta(hours=1)
    Mute.objects.create(kind="pool.low", subject="7", until=soon, reason="Known")
    told = look(low("7"), low("8"))

    assert told[0].payload["raised"] == [Alert.objects.get(subject="8").pk]


def test_what_is_set_aside_comes_back_when_it_grows(look):
    look(low(count=2))
    assert set_aside(Alert.objects.all()) == 1
    assert look(low(count=2)) == []
    assert states() == [("7", "set_aside")]
    assert len(look(low(count=3))) == 1
    assert states() == [("7", "open")]


def test_it_grows_from_the_fewest_that_were_left(look):
    """Three were seen to; one of those is left, and another one came."""
    look(low(count=3))
    set_aside(Alert.objects.all())
    assert look(low(count=1)) == []
    assert len(look(low(count=2))) == 1
    assert states() == [("7", "open")]


def test_what_a_row_cannot_hold_is_cut_and_stays_one_alert(look):
    long = low("7" * 300, path="/" + "x" * 600)
    assert len(look(long)) == 1
    assert look(long) == []
    alert = Alert.objects.get()
    assert (alert.gone_since, len(alert.subject), len(alert.path)) == (None, 200, 500)


def test_words_are_one_line_of_a_mail(look):
    look(Condition(kind="pool.low", subject="7", words="Tote\r\n- All is well\x85now"))
    assert Alert.objects.get().words == "Tote - All is well now"


def test_what_is_gone_is_cleared_when_it_is_set_aside(look, settings):
    settings.ALERT_CALM_SECONDS = 600.0
    look(low())
    look()
    set_aside(Alert.objects.all())
    assert states() == [("7", "cleared")]


def test_a_watch_that_fails_leaves_its_alerts_and_is_one(look, settings, monkeypatch):
    look(low())
    monkeypatch.setattr("tests.alerts.conftest.present", lambda: 1 / 0)
    look()

    assert Alert.objects.get(kind="pool.low").state == State.OPEN
    assert Alert.objects.get(kind="watch.failed").subject == "tests.alerts.conftest.present"


def test_a_recipient_of_one_installation_hears_of_it_and_of_what_concerns_all(look, settings):
    settings.ALERT_EMAILS = []
    for name in ("shop", "other"):
        Installation.objects.create(id=name, name=name)
    Recipient.objects.create(label="Shop", email="a@example.com", installation_id="shop")
    Recipient.objects.create(label="Other", email="b@example.com", installation_id="other")
    Recipient.objects.create(label="Gone", email="c@example.com", is_active=False)
    told = look(low("1", installation="shop"), low("2"))

    assert [len(one.payload["raised"]) for one in told] == [1, 2]


def test_a_look_costs_a_handful_of_queries_whatever_there_is(look, settings):
    look(*(low(str(number)) for number in range(50)))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        watch()
    statements = [one["sql"] for one in asked if "SAVEPOINT" not in one["sql"]]
    assert len(statements) == 2


def test_the_rooms_watches_ask_once_each(settings, db):
    settings.ALERT_EMAILS = []
    with CaptureQueriesContext(connection) as asked:
        watch()
    statements = [one["sql"] for one in asked if "SAVEPOINT" not in one["sql"]]
    assert len(statements) <= 2 * len(settings.ALERT_WATCHES) + 2


def test_what_was_over_long_ago_is_forgotten(look):
    look(low("old"))
    look(low("new"))
    look()
    Alert.objects.filter(subject="old").update(cleared_at=timezone.now() - 2 * KEPT)
    prune()

    assert [subject for subject, _ in states()] == ["new"]


class TestAdmin:
    def test_the_index_says_how_many_are_open(self, look, boss):
        assert "open alert" not in boss.get("/admin/").content.decode()
        look(low("1"), low("2"))
        assert "2 open alerts" in boss.get("/admin/").content.decode()

    def test_open_ones_come_first(self, look, boss):
        look(low("1"))
        look(low("2"))
        answer = boss.get("/admin/alerts/alert/")
        assert [row.subject for row in answer.context["cl"].result_list] == ["2", "1"]

    def test_setting_aside_is_in_the_trail(self, look, boss):
        look(low())
        chosen = {"action": "set_aside", "_selected_action": Alert.objects.get().pk}
        boss.post("/admin/alerts/alert/", chosen)
        assert states() == [("7", "set_aside")]
        assert Entry.objects.filter(act="alert.set_aside").count() == 1

    def test_a_mute_needs_a_reason_and_a_time_to_come(self, look, boss):
        look(low())
        page = boss.get(f"/admin/alerts/alert/{Alert.objects.get().pk}/change/")
        assert "/admin/alerts/mute/add/?kind=pool.low&amp;subject=7" in page.content.decode()
        past = {"kind": "pool.low", "until_0": "2020-01-01", "until_1": "12:00", "reason": ""}
        answer = boss.post("/admin/alerts/mute/add/", past)
        assert set(answer.context["adminform"].form.errors) == {"until", "reason"}
        good = {**past, "until_0": "2999-01-01", "reason": "Known"}
        assert boss.post("/admin/alerts/mute/add/", good).status_code == 302
        assert Entry.objects.filter(act="mute.added").count() == 1

    def test_a_mute_is_of_a_kind_that_there_is(self, look, boss, settings):
        settings.ALERT_WATCHES = [*settings.ALERT_WATCHES, "offers.watches.watch_pools"]
        look(low())
        form = {"until_0": "2999-01-01", "until_1": "12:00", "reason": "Known"}
        misspelt = boss.post("/admin/alerts/mute/add/", {**form, "kind": "pool.lwo"})
        assert misspelt.context["adminform"].form.errors["kind"] == [
            "There are no alerts of the kind pool.lwo: choose one of the list."
        ]
        assert not Mute.objects.exists()
        # Raised, given by a watch, and our own.
        for kind in ("pool.low", "pool.empty", "watch.failed"):
            assert boss.post("/admin/alerts/mute/add/", {**form, "kind": kind}).status_code == 302
        page = boss.get("/admin/alerts/mute/add/?kind=pool.low&subject=7")
        assert '<option value="pool.low" selected>' in page.content.decode()

    def test_a_recipient_is_one_good_address(self, boss):
        for address in (
            "",
            "http://example.com/x y",
            "https://user:pass@example.com",
            "https://127.0.0.1:0/",
            "https://10.0.0.1/",
            "https://[::ffff:10.0.0.1]/",
            "ftp://example.com",
        ):
            form = {"label": "X", "email": "", "url": address, "is_active": "on"}
            answer = boss.post("/admin/alerts/recipient/add/", form)
            assert answer.status_code == 200, address
        assert not Recipient.objects.exists()

    def test_a_recipients_mail_is_one_address_on_one_line(self, boss):
        for address in (
            "nobody",
            "a@example.com, b@example.com",
            "a@example.com\nBcc: b@example.com",
        ):
            form = {"label": "X", "email": address, "url": "", "is_active": "on"}
            answer = boss.post("/admin/alerts/recipient/add/", form)
            assert "email" in answer.context["adminform"].form.errors, address

    def test_who_may_only_look_sees_no_address_and_no_secret(self, boss):
        url = "https://hooks.example.com/services/bearer-of-it-may-post"
        form = {"label": "Desk", "email": "", "url": url, "is_active": "on"}
        assert boss.post("/admin/alerts/recipient/add/", form).status_code == 302
        desk = Recipient.objects.get()
        page = f"/admin/alerts/recipient/{desk.pk}/change/"
        assert desk.secret in boss.get(page).content.decode()
        clerk = User.objects.create(username="clerk", is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_recipient"))
        boss.force_login(clerk)
        shown = boss.get(page).content.decode()
        assert "Desk" in shown
        assert not any(word in shown for word in (desk.secret, "bearer-of-it"))
        assert "bearer-of-it" not in str(list(Entry.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_a_watch_with_a_wrong_query_silences_no_other(look, settings):
    settings.ALERT_WATCHES = ["tests.alerts.conftest.misasked", *settings.ALERT_WATCHES]
    assert len(look(low())) == 1
    assert set(Alert.objects.values_list("kind", flat=True)) == {"pool.low", "watch.failed"}


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_look_at_once_tell_once(look, seen):
    seen[:] = [low()]

    def run(_worker):
        try:
            watch()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(run, range(4)))

    assert states() == [("7", "open")]
    assert Delivery.objects.filter(kind="alert.email").count() == 1
