"""Signed in by PIN at a paired till: for as long as somebody is there."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from access import pin_sessions, pins
from access.models import Bearer, PairedTill, PinSession, Tries
from access.pin_sessions import active
from audit.models import Entry
from stores.models import Associate, Till
from tests.access.at_till import PIN, TillPage, give_pin, pair, start_pin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_pins")]


@pytest.fixture(autouse=True)
def _nothing_noted_yet():
    active._noted.clear()


@pytest.fixture
def device(till, ana, ben) -> TillPage:
    """Of a till that is paired, where Ana and Ben have PINs."""
    give_pin(ana)
    give_pin(ben, "839201")
    device = TillPage()
    _, device.key = pair(till)
    return device


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def ago(seconds: float) -> None:
    """Nobody has done anything for so long."""
    PinSession.objects.update(active_at=Now() - timedelta(seconds=seconds))


def ended() -> list[str]:
    return list(PinSession.objects.order_by("pk").values_list("ended_why", flat=True))


def test_a_paired_till_is_told_short_names_of_who_may_sign_in(device, installation):
    for code, name in (("al1", "Alex Kim"), ("al2", "Alex Kerr"), ("cher", "Cher"), ("no", "No P")):
        person = Associate.objects.create(installation=installation, code=code, name=name)
        if code != "no":
            give_pin(person)

    told = device.post("launch").json()

    names = [person["name"] for person in told["people"]]
    assert names == ["Alex Kerr", "Alex Kim", "Ana P.", "Ben O.", "Cher"]
    assert told["pin_digits"] == 6


def test_nobody_has_a_pin_yet(till, ana):
    device = TillPage()
    _, device.key = pair(till)

    assert device.post("launch").json()["people"] == []


def test_the_right_pin_gives_a_bearer_and_the_next_launch_one_more(device, ana):
    answer = device.sign_in(ana)
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 300)
    assert answer.json()["idle_seconds"] == 180

    again = device.post("launch").json()
    assert again["bearer"] != answer.json()["bearer"]
    assert device.opens({"Authorization": f"Bearer {again['bearer']}"})
    assert Entry.objects.get(act="pin_session.started").who == "Ana Pardo"


def test_wrong_unknown_and_none_are_refused_in_the_same_words(device, ana):
    said = {
        (device.sign_in(who, "918273").status_code, device.sign_in(who, "918273").json()["detail"])
        for who in (ana, "999999", "x", "")
    }

    assert said == {(401, pins.WRONG)}
    assert not PinSession.objects.exists() and not Bearer.objects.exists()


def test_who_is_locked_out_is_told_how_long(device, ana):
    for _ in range(5):
        device.sign_in(ana, "918273")

    answer = device.sign_in(ana)

    assert answer.status_code == 429 and 1 <= answer.json()["wait"] <= 5
    assert "ask a manager" in answer.json()["detail"]


def test_a_manager_unlocks_and_that_is_in_the_trail(device, ana, boss):
    for _ in range(6):
        device.sign_in(ana, "918273")
    selected = {"action": "unlock", "_selected_action": [ana.pk]}
    boss.post("/admin/access/person/", selected)

    assert device.sign_in(ana).status_code == 200
    assert Entry.objects.get(act="pin.unlocked").who == "root"


def test_a_locked_till_is_unlocked_too(device, ana, till, boss):
    Tries.objects.create(
        subject=f"till:{till.pk}", shown=str(till), wrong=20, wait_until=Now() + timedelta(hours=1)
    )
    assert device.sign_in(ana).status_code == 429
    row = Tries.objects.get(subject=f"till:{till.pk}")
    boss.post("/admin/access/tries/", {"action": "unlock", "_selected_action": [row.pk]})

    assert device.sign_in(ana).status_code == 200


def test_a_start_pin_from_the_admin_is_shown_once_and_leads_to_ones_own(till, ana, boss):
    device = TillPage()
    _, device.key = pair(till)
    selected = {"action": "start_pin", "_selected_action": [ana.pk]}
    shown = boss.post("/admin/access/person/", selected).content.decode()
    start = shown.partition('id="start-pin">')[2][:6]

    assert device.sign_in(ana, start).json() == {"next": "new_pin"}
    weak = device.sign_in(ana, start, new_pin="123456")
    assert (weak.status_code, "pattern" in weak.json()["detail"]) == (422, True)
    assert device.sign_in(ana, start, new_pin=PIN).status_code == 200
    assert device.sign_in(ana, start, new_pin="839201").status_code == 401
    trail = str(list(Entry.objects.values_list()))
    assert start not in trail and PIN not in trail


def test_a_new_pin_cannot_be_set_under_a_pin_of_ones_own(device, ana):
    assert device.sign_in(ana, new_pin="839201").status_code == 200
    assert device.sign_in(ana, PIN).status_code == 200


def test_without_a_paired_till_no_pin_is_looked_at(device, ana):
    device.key = "x"

    assert device.sign_in(ana).json() == {"next": "pair"}
    assert not Tries.objects.exists()


# How it ends


@pytest.mark.parametrize(
    ("why", "kept"),
    [("", "locked"), ("shift_end", "shift_end"), ("idle", "idle"), ("unpaired", "locked")],
)
def test_lock_ends_it_and_shows_the_names(device, ana, why, kept):
    bearer = device.bearer(ana)

    answer = device.post("people/lock", why=why)

    assert answer.json()["next"] == "people"
    assert answer.json()["last"] == ("" if why == "shift_end" else str(ana.pk))
    assert not device.opens(bearer)
    assert device.post("launch").json()["next"] == "people"
    assert ended() == [kept]
    assert Bearer.objects.get().revoked_at is not None


def test_somebody_else_signs_in_quickly(device, ana, ben):
    anas = device.bearer(ana)
    bens = device.bearer(ben, "839201")

    assert (device.opens(anas), device.opens(bens)) == (False, True)
    assert ended() == ["switched", ""]


def test_after_a_while_without_anybody_it_is_locked(device, ana):
    bearer = device.bearer(ana)
    ago(184)
    assert device.opens(bearer)
    ago(186)

    assert not device.opens(bearer)
    assert device.post("launch").json()["next"] == "people"
    assert ended() == ["idle"]


def test_what_somebody_does_keeps_it_and_what_the_page_asks_itself_does_not(device, ana):
    bearer = device.bearer(ana)
    poll = {"Authorization": bearer["Authorization"]}
    ago(150)
    device.client.get("/panel/shop/session", headers=poll)
    assert active.write() == 0

    device.client.get("/panel/shop/session", headers=bearer)
    assert active.write() == 1

    assert PinSession.objects.filter(active_at__gt=Now() - timedelta(seconds=60)).exists()


def test_the_page_says_that_somebody_is_there(device, ana):
    bearer = device.bearer(ana)

    assert device.client.post("/panel/shop/people/active", headers=bearer).status_code == 204
    assert device.client.post("/panel/shop/people/active").status_code == 401
    assert active.write() == 1


def test_to_note_it_writes_nothing(device, ana):
    bearer = device.bearer(ana)
    with CaptureQueriesContext(connection) as queries:
        device.client.get("/panel/shop/session", headers=bearer)

    assert [query["sql"].partition(" ")[0] for query in queries] == ["SELECT"]


def test_what_was_noted_late_wakes_nobody_up(device, ana):
    bearer = device.bearer(ana)
    device.client.get("/panel/shop/session", headers=bearer)
    device.post("people/lock")
    active.write()

    assert not device.opens(bearer)


def test_the_worker_ends_what_nobody_asks_for_any_more(device, ana):
    device.bearer(ana)
    assert pin_sessions.end_idle() == 0
    ago(200)

    assert pin_sessions.end_idle() == 1
    assert ended() == ["idle"]
    assert Entry.objects.get(act="pin_session.ended").who == "The clock"


def test_twelve_hours_are_the_most(device, ana):
    bearer = device.bearer(ana)
    PinSession.objects.update(expires_at=Now() - timedelta(seconds=1))

    assert not device.opens(bearer)
    assert device.post("launch").json()["next"] == "people"
    assert ended() == ["too_long"]


def disable(row) -> None:
    type(row).objects.filter(pk=row.pk).update(is_active=False)


@pytest.mark.parametrize("what", ["ana", "till", "store"])
def test_what_is_disabled_ends_it_at_once(device, ana, till, store, what):
    bearer = device.bearer(ana)
    disable({"ana": ana, "till": till, "store": store}[what])

    assert not device.opens(bearer)
    assert "bearer" not in device.post("launch").json()


def test_unpairing_ends_it_at_once(device, ana, boss):
    bearer = device.bearer(ana)
    paired = PairedTill.objects.get()
    boss.post("/admin/access/pairedtill/", {"action": "unpair", "_selected_action": [paired.pk]})

    assert not device.opens(bearer)
    assert device.post("launch").json() == {"next": "pair"}
    assert ended() == ["unpaired"]
    assert Entry.objects.get(act="paired_till.unpaired").till == "Till 1, Boston"


def test_a_manager_throws_somebody_out(device, ana, boss):
    bearer = device.bearer(ana)
    session = PinSession.objects.get()
    selected = {"action": "throw_out", "_selected_action": [session.pk]}
    boss.post("/admin/access/pinsession/", selected)

    assert not device.opens(bearer) and ended() == ["thrown_out"]


def test_whose_pin_is_taken_away_is_out(device, ana, boss):
    bearer = device.bearer(ana)
    boss.post("/admin/access/person/", {"action": "take_away", "_selected_action": [ana.pk]})

    assert not device.opens(bearer)
    assert device.sign_in(ana).status_code == 401


def test_nobody_signs_in_whose_pin_was_taken_away_meanwhile(device, ana, monkeypatch):
    monkeypatch.setattr(pins, "settle_start", lambda *_: pins.Pin.objects.all().delete())

    assert device.sign_in(ana).status_code == 401
    assert not PinSession.objects.exists()


def test_nobody_signs_in_at_a_till_that_was_unpaired_meanwhile(device, ana):
    paired = PairedTill.objects.get()
    PairedTill.objects.update(revoked_at=Now())

    with pytest.raises(pin_sessions.NotPaired):
        pin_sessions.start(paired, ana)
    assert not PinSession.objects.exists()


def test_a_bearer_of_one_till_does_not_open_another(device, ana, store):
    """Two tills, one person at both: each session ends for itself."""
    other = TillPage()
    _, other.key = pair(Till.objects.create(store=store, code="2", name="Till 2"))
    here, there = device.bearer(ana), other.bearer(ana)
    device.post("people/lock")

    assert (device.opens(here), other.opens(there)) == (False, True)


def test_a_till_has_one_session_at_a_time(device, ana, ben):
    device.bearer(ana)
    session = PinSession.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        PinSession.objects.create(
            paired=session.paired, associate=ben, expires_at=session.expires_at
        )


def test_a_session_that_runs_has_no_reason_for_its_end(device, ana):
    device.bearer(ana)
    with pytest.raises(IntegrityError), transaction.atomic():
        PinSession.objects.update(ended_why="locked")


def test_the_admins_pages_open(device, ana, boss):
    start_pin(ana)
    device.post("pair")
    for name in ("pairingrequest", "pairedtill", "person", "pinsession", "tries", "approval"):
        assert boss.get(f"/admin/access/{name}/").status_code == 200, name
    assert boss.get(f"/admin/access/person/{ana.pk}/change/").status_code == 200


def test_a_badge_is_given_in_the_admin_and_signs_in_with_the_pin(device, ana, ben, boss):
    assert boss.post(f"/admin/access/person/{ana.pk}/change/", {"badge": "0042"}).status_code == 302
    boss.post(f"/admin/access/person/{ben.pk}/change/", {"badge": "0042"})

    assert device.post("people/sign-in", badge="0042", pin=PIN).status_code == 200
    assert device.post("people/sign-in", badge="0042", pin="839201").status_code == 401
    assert "0042" not in str(list(Entry.objects.values_list()))
    boss.post(f"/admin/access/person/{ana.pk}/change/", {"no_badge": "on"})
    assert device.post("people/sign-in", badge="0042", pin=PIN).status_code == 401
