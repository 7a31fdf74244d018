"""What was lost is found by reading, and what cannot be told goes to a manager."""

from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from connectors.yotpo.payloads import Customer
from redemptions.actions import redeem
from redemptions.evidence import given_back, matches
from redemptions.models import PendingRedemption
from redemptions.settling import see_to, see_to_all
from redemptions.states import Reason, State
from tests.redemptions.conftest import BY_POINTS, FIVE_OFF, TOTE

pytestmark = pytest.mark.django_db
MARA = "mara@example.com"
CREATE = "POST /redemptions"
HISTORY = "GET /customers"


@pytest.fixture
def lost(engine, sandbox, act, mara):
    """A redemption whose answer was lost, after the engine acted or before."""

    def make(fault: str = "drop_after", offer_id: int = FIVE_OFF, points: int | None = None):
        sandbox.fault(CREATE, fault)
        redemption = redeem(engine=engine, act=act, member=mara, offer_id=offer_id, points=points)
        assert redemption.state == State.UNCERTAIN
        return redemption

    return make


@pytest.mark.parametrize(
    ("offer", "points"), [(FIVE_OFF, None), (BY_POINTS, 77), (TOTE, None)], ids=str
)
def test_a_made_one_is_found_in_the_history(engine, sandbox, lost, offer, points):
    redemption = see_to(engine, lost(offer_id=offer, points=points))

    made = sandbox.redemptions()[-1]
    assert (redemption.state, redemption.code) == (State.ISSUED, made["code"])
    assert redemption.engine_id == made["id"]


@pytest.mark.parametrize("skew", [-3600, -90, 90, 3600], ids=str)
def test_a_made_one_is_found_whatever_the_engines_clock_says(engine, sandbox, lost, skew):
    sandbox.switch(clock_skew_seconds=skew)

    assert see_to(engine, lost()).state == State.ISSUED


def test_one_that_was_not_made_takes_two_readings(engine, settings, lost, due):
    redemption = lost("drop_before")
    settings.ENGINE_SETTLE_SECONDS = 0.0

    assert see_to(engine, redemption).state == State.UNCERTAIN
    assert see_to(engine, due(redemption)).state == State.NOT_MADE


def test_readings_before_the_settle_time_do_not_end_it(engine, settings, lost, due):
    settings.ENGINE_SETTLE_SECONDS = 600.0
    redemption = lost("drop_before")

    for _ in range(4):
        see_to(engine, due(redemption))

    assert (redemption.state, redemption.readable_reads) == (State.UNCERTAIN, 4)


UNREADABLE = {"dropped": "drop_before", "HTML": "html", "null": "null", "empty": "empty"}


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_a_history_that_cannot_be_read_proves_nothing(engine, sandbox, settings, lost, due, fault):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    redemption = lost("drop_before")
    sandbox.fault(HISTORY, fault, times=None)

    for _ in range(3):
        see_to(engine, due(redemption))

    assert (redemption.state, redemption.readable_reads) == (State.UNCERTAIN, 0)


def test_nobody_reads_again_within_the_pause(engine, sandbox, lost):
    redemption = lost("drop_before")
    see_to(engine, redemption)
    before = sandbox.call_counts()[HISTORY]

    see_to(engine, redemption)

    assert sandbox.call_counts()[HISTORY] == before


def test_two_candidates_are_a_managers_matter(engine, sandbox, lost):
    redemption = lost()
    sandbox.redeem_online(MARA, BY_POINTS, 1)
    sandbox.adjust(MARA, 500)
    sandbox.redeem_online(MARA, FIVE_OFF)

    see_to(engine, redemption)

    assert (redemption.state, redemption.reason) == (State.DISPUTED, Reason.TWO_CANDIDATES)
    assert redemption.code == ""


def test_one_of_ours_is_no_candidate(engine, sandbox, act, another_act, mara):
    """The same offer was redeemed here a moment before: that code is spoken for."""
    sandbox.adjust(MARA, 500)
    redeem(engine=engine, act=another_act(), member=mara, offer_id=FIVE_OFF)
    sandbox.fault(CREATE, "drop_after")
    redemption = redeem(engine=engine, act=act, member=mara, offer_id=FIVE_OFF, another=True)

    see_to(engine, redemption)

    assert redemption.state == State.ISSUED
    assert redemption.code == sandbox.redemptions()[-1]["code"]


def test_an_older_online_redemption_is_no_candidate(engine, sandbox, settings, lost, due):
    sandbox.switch(clock_skew_seconds=-60)
    sandbox.adjust(MARA, 500)
    sandbox.redeem_online(MARA, FIVE_OFF)
    sandbox.switch(clock_skew_seconds=0)
    settings.ENGINE_SETTLE_SECONDS = 0.0
    redemption = lost("drop_before")

    see_to(engine, redemption)
    see_to(engine, due(redemption))

    assert redemption.state == State.NOT_MADE


def test_a_code_of_somebody_else_is_no_candidate(engine, sandbox, lost, monkeypatch):
    redemption = lost()
    record = engine.redemption_code(sandbox.redemptions()[-1]["code"])
    other = type(record)(record.id, record.code, "else@example.com", record.redemption_id, None)
    monkeypatch.setattr(engine, "redemption_code", lambda _code: other)

    assert see_to(engine, redemption).state == State.UNCERTAIN


def test_an_engine_id_that_we_hold_tells_which_one_is_ours(engine, sandbox, lost):
    redemption = lost("code_missing")
    sandbox.adjust(MARA, 500)
    online = sandbox.redeem_online(MARA, FIVE_OFF)

    see_to(engine, redemption)

    assert redemption.state == State.ISSUED
    assert redemption.code != online["code"]


def test_undo_pressed_meanwhile_gives_back_at_once(engine, sandbox, lost):
    redemption = lost()
    PendingRedemption.objects.filter(pk=redemption.pk).update(reverse_when_found=True)
    redemption.refresh_from_db()

    see_to(engine, redemption)

    assert redemption.state == State.REVERSED
    assert sandbox.balance(MARA) == 640


def test_what_stays_unclear_for_half_an_hour_is_a_managers_matter(engine, lost, due):
    redemption = lost("drop_before")
    see_to(engine, redemption)
    PendingRedemption.objects.filter(pk=redemption.pk).update(
        first_readable_read_at=timezone.now() - timedelta(minutes=31), readable_reads=0
    )
    redemption.refresh_from_db()

    see_to(engine, due(redemption))

    assert (redemption.state, redemption.reason) == (State.DISPUTED, Reason.NEVER_CLEAR)


def test_a_process_that_died_leaves_an_uncertain_one(engine, row, due):
    redemption = row(State.REQUESTED)
    assert see_to(engine, redemption).state == State.REQUESTED

    PendingRedemption.objects.filter(pk=redemption.pk).update(
        requested_at=timezone.now() - timedelta(minutes=2)
    )
    redemption.refresh_from_db()
    see_to(engine, redemption)

    assert (redemption.state, redemption.reason) == (State.UNCERTAIN, Reason.PROCESS_DIED)


def test_the_command_ends_all_that_is_open(engine, sandbox, lost, settings, capsys):
    lost()

    call_command("settle_redemptions")

    assert PendingRedemption.objects.get().state == State.ISSUED
    assert "Nothing is left open" in capsys.readouterr().out


def test_the_command_ends_what_was_not_made(engine, lost, settings):
    lost("drop_before")
    settings.ENGINE_SETTLE_SECONDS = 0.0

    call_command("settle_redemptions")

    assert PendingRedemption.objects.get().state == State.NOT_MADE


def test_looking_at_nothing_asks_nobody(engine, sandbox, db):
    assert see_to_all(engine) == 0
    assert sandbox.calls() == []


def history(*rows: dict, balance: int = 640) -> Customer:
    return Customer.parse({"email": MARA, "points_balance": balance, "history_items": list(rows)})


def item(points: int, status: str, seconds: float = 0, title: str = "$5 off") -> dict:
    """A history row; `seconds` after the redemption, which `at` fills in."""
    return {"action": title, "points": points, "status": status, "seconds": seconds}


def at(made: datetime, row: dict) -> dict:
    return {**row, "created_at": (made + timedelta(seconds=row["seconds"])).isoformat()}


MATCHES = {
    "ours": (item(-500, "LP-1"), 1, 0),
    "another cost": (item(-501, "LP-1"), 0, 0),
    "another title": (item(-500, "LP-1", title="Tote"), 0, 0),
    "the title in other letters": (item(-500, "LP-1", title=" $5  OFF "), 1, 0),
    "too early": (item(-500, "LP-1", -30), 0, 0),
    "a whole-second clock": (item(-500, "LP-1", -1.5), 1, 0),
    "too late": (item(-500, "LP-1", 600), 0, 0),
    "still pending": (item(-500, "Pending"), 0, 1),
    "approved without a code": (item(-500, "Approved"), 0, 0),
    "given back since": (item(-500, "Reversed"), 0, 0),
}


@pytest.mark.parametrize(("wanted", "coded", "pending"), MATCHES.values(), ids=MATCHES)
def test_which_rows_could_be_ours(row, wanted, coded, pending):
    redemption = row(State.UNCERTAIN)

    found = matches(redemption, history(at(redemption.requested_at, wanted)))

    assert (len(found.coded), len(found.pending)) == (coded, pending)


def test_a_row_that_is_still_pending_is_waited_for(engine, row, due, settings, monkeypatch):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    redemption = row(State.UNCERTAIN)
    shown = history(at(redemption.requested_at, item(-500, "Pending")))
    monkeypatch.setattr(engine, "customer", lambda **_asked: shown)

    for _ in range(3):
        see_to(engine, due(redemption))

    assert redemption.state == State.UNCERTAIN


OURS, MARKED = item(-500, "LP-1"), item(-500, "Reversed")
ORDER, LUCKY = item(20, "Approved", 60, "Order"), item(500, "Approved", 60, "Order")
OLD, PENDING = item(20, "Approved", 1, "Order"), item(70, "Pending", 60, "Order")
BACK_ROW = item(500, "Approved", 60, "$5 off reversed")
ANOTHER = item(-500, "LP-2", 60)
BACK = {
    "the row is marked": ([MARKED], 640, True),
    "a row of its own": ([OURS, BACK_ROW], 640, True),
    "only the balance moved": ([OURS], 640, True),
    "nothing happened": ([OURS], 140, False),
    "nothing but an order": ([OURS, ORDER], 160, False),
    "an order too": ([OURS, ORDER], 660, True),
    "an order that earned as many": ([OURS, LUCKY], 640, False),
    "an order from before": ([OURS, OLD], 140, False),
    "an order that is still pending": ([OURS, PENDING], 140, False),
    "another was redeemed": ([OURS, ANOTHER], -360, False),
    "another was redeemed, and it went back": ([MARKED, ANOTHER], 140, True),
    "the row is gone": ([], 140, None),
    "the balance fits nothing": ([OURS], 300, None),
}


@pytest.mark.parametrize(("rows", "balance", "answer"), BACK.values(), ids=BACK)
def test_whether_the_points_went_back(row, rows, balance, answer):
    made = timezone.now() - timedelta(minutes=2)
    redemption = row(
        State.REVERSING,
        code="LP-1",
        requested_at=made,
        first_reversal_attempt_at=made + timedelta(seconds=30),
        balance_before_reversal=140,
        newest_row_before_reversal=made + timedelta(seconds=2),
    )

    shown = history(*(at(made, row) for row in rows), balance=balance)

    assert given_back(redemption, shown) is answer
