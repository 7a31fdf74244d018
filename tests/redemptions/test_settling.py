"""What was lost is found by reading, and what cannot be told goes to a manager."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import DataError, connection
from django.db.models.functions import Now
from django.utils import timezone

from connectors.errors import NotFound
from connectors.yotpo.payloads import CodeRecord, Customer
from members.models import Member
from offers.models import Batch, Code, Part, Pool, index_of
from redemptions import settling
from redemptions.actions import redeem
from redemptions.evidence import Sight, given_back, has_code, is_ours, skew_of, suspects
from redemptions.models import PendingRedemption
from redemptions.reversal import verdict
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


@pytest.mark.parametrize("ours_alone", [True, False])
def test_a_code_that_is_not_of_the_offers_pool_is_no_candidate(engine, sandbox, lost, ours_alone):
    redemption = lost(offer_id=TOTE)
    made = sandbox.redemptions()[-1]
    sandbox.redeem_online(MARA, TOTE)
    pool = Pool.objects.create(option_id=TOTE, name="Tote bag voucher", ours_alone=ours_alone)
    batch = Batch.objects.create(pool=pool, name="codes.csv", size=1, sent_at=timezone.now())
    part = Part.objects.create(batch=batch, number=1, size=1)
    Code.objects.create(index=index_of(made["code"]), part=part)

    see_to(engine, redemption)

    if ours_alone:
        assert (redemption.state, redemption.code) == (State.ISSUED, made["code"])
    else:
        assert (redemption.state, redemption.reason) == (State.DISPUTED, Reason.TWO_CANDIDATES)


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


ROWS = {
    "ours": (item(-500, "LP-1"), "ours"),
    "another cost": (item(-501, "LP-1"), "no"),
    "another title": (item(-500, "LP-1", title="Tote"), "perhaps"),
    "the title in other letters": (item(-500, "LP-1", title=" $5  OFF "), "ours"),
    "too early": (item(-500, "LP-1", -30), "no"),
    "a whole-second clock": (item(-500, "LP-1", -1.5), "ours"),
    "too late": (item(-500, "LP-1", 600), "no"),
    "still pending": (item(-500, "Pending"), "perhaps"),
    "approved without a code": (item(-500, "Approved"), "perhaps"),
    "given back since": (item(-500, "Reversed"), "no"),
}


@pytest.mark.parametrize(("wanted", "answer"), ROWS.values(), ids=ROWS)
def test_which_rows_could_be_ours(row, wanted, answer):
    redemption = row(State.UNCERTAIN)
    shown = history(at(redemption.requested_at, wanted))

    found = suspects(redemption, Sight(shown, timedelta(0)))

    record = CodeRecord(1, "LP-1", MARA, 1, None)
    verdicts = [
        "ours" if has_code(r) and is_ours(redemption, r, record) else "perhaps" for r in found
    ]
    assert verdicts == ([] if answer == "no" else [answer])


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_a_row_that_tells_only_a_day_may_tell_the_shops_day(row, days):
    redemption = row(State.UNCERTAIN)
    day = (redemption.requested_at + timedelta(days=days)).date().isoformat()
    shown = history({"action": "$5 off", "points": -500, "status": "LP-1", "date": day})

    assert len(suspects(redemption, Sight(shown, timedelta(0)))) == 1


@pytest.mark.parametrize(("engine", "skew"), [(7, 7), (-7, -7), (3600, 3600), (10**7, 0)], ids=str)
def test_clocks_are_compared_with_the_databases(engine, skew):
    ours = timezone.now()
    shown = replace(history(), engine_time=ours + timedelta(seconds=engine))

    assert skew_of(shown, ours) == timedelta(seconds=skew)


def test_a_row_that_is_still_pending_is_waited_for(engine, row, due, settings, monkeypatch):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    redemption = row(State.UNCERTAIN)
    shown = history(at(redemption.requested_at, item(-500, "Pending")))
    monkeypatch.setattr(engine, "customer", lambda **_asked: shown)

    for _ in range(3):
        see_to(engine, due(redemption))

    assert redemption.state == State.UNCERTAIN


def reversing(row) -> PendingRedemption:
    """Made two minutes ago, and first asked to be given back half a minute later."""
    made = timezone.now() - timedelta(minutes=2)
    return row(
        State.REVERSING,
        code="LP-1",
        requested_at=made,
        first_reversal_attempt_at=made + timedelta(seconds=30),
        balance_before_reversal=140,
        newest_row_before_reversal=made + timedelta(seconds=2),
    )


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
    redemption = reversing(row)

    shown = history(*(at(redemption.requested_at, r) for r in rows), balance=balance)

    assert given_back(redemption, Sight(shown, timedelta(0)), alone=True) is answer


REFUNDED = {
    "the refund gave as many back": ([OURS], 640, None),
    "ours is marked": ([MARKED], 640, True),
    "a row of its own": ([OURS, BACK_ROW], 640, True),
    "nothing happened": ([OURS], 140, False),
}


@pytest.mark.parametrize(("rows", "balance", "answer"), REFUNDED.values(), ids=REFUNDED)
def test_the_balance_proves_nothing_beside_a_refund(row, mara, rows, balance, answer):
    redemption = reversing(row)
    mara.refund_told_at = redemption.first_reversal_attempt_at
    mara.save()
    shown = history(*(at(redemption.requested_at, r) for r in rows), balance=balance)

    assert verdict(redemption, Sight(shown, timedelta(0))) is answer


NOT_ALONE = {
    "a row of another's": ([OURS, BACK_ROW], 640, False),
    "another's moved the balance": ([OURS], 640, None),
    "ours is marked": ([MARKED], 140, True),
    "the row names our code": ([OURS, item(500, "Approved", 60, "LP-1 reversed")], 640, True),
}


@pytest.mark.parametrize(("rows", "balance", "answer"), NOT_ALONE.values(), ids=NOT_ALONE)
def test_another_reversal_under_way_proves_nothing_of_ours(row, rows, balance, answer):
    redemption = reversing(row)
    shown = history(*(at(redemption.requested_at, r) for r in rows), balance=balance)

    assert given_back(redemption, Sight(shown, timedelta(0)), alone=False) is answer


@pytest.fixture
def history_says(engine, monkeypatch):
    """The engine shows what it took in another way than the sandbox does."""
    read = engine.customer

    def say(**changes):
        def shown(**asked):
            customer = read(**asked)
            rows = tuple(
                replace(r, **changes) if r.points in {-500, -77} else r
                for r in customer.history or ()
            )
            return replace(customer, history=rows)

        monkeypatch.setattr(engine, "customer", shown)

    return say


UNEXPLAINED = {
    "approved instead of the code": {"status": "Approved"},
    "another title": {"title": "Five dollars off"},
    "the day before": {"created_at": None, "on": (timezone.now() - timedelta(days=1)).date()},
}


@pytest.mark.parametrize("changes", UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_points_that_went_are_never_called_not_taken(
    engine, settings, lost, due, history_says, changes
):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    redemption = lost()
    history_says(**changes)

    for _ in range(3):
        see_to(engine, due(redemption))

    assert redemption.state != State.NOT_MADE


@pytest.mark.parametrize("email", [None, "unknown"])
def test_a_code_whose_record_tells_nothing_is_waited_for(
    engine, settings, lost, due, monkeypatch, email
):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    redemption = lost()

    def record(code):
        if email == "unknown":
            raise NotFound("yotpo", "GET", "/redemption_codes")
        return CodeRecord(1, code, None, None, None)

    monkeypatch.setattr(engine, "redemption_code", record)
    for _ in range(3):
        see_to(engine, due(redemption))

    assert redemption.state == State.UNCERTAIN


def test_a_variable_offers_title_may_name_the_money(engine, sandbox, lost, history_says):
    redemption = lost(offer_id=BY_POINTS, points=77)
    history_says(title="$0.77 Off")

    see_to(engine, redemption)

    assert (redemption.state, redemption.code) == (State.ISSUED, sandbox.redemptions()[-1]["code"])


def test_one_candidate_beside_a_pending_row_is_not_taken(engine, sandbox, lost, monkeypatch):
    """Ours may be the pending one, and the coded one the member's own, made online."""
    redemption = lost("drop_before")
    sandbox.redeem_online(MARA, FIVE_OFF)
    read = engine.customer

    def shown(**asked):
        customer = read(**asked)
        ours = next(r for r in customer.history if r.points == -500)
        return replace(customer, history=(*customer.history, replace(ours, status="Pending")))

    monkeypatch.setattr(engine, "customer", shown)
    see_to(engine, redemption)

    assert redemption.state == State.UNCERTAIN


def test_a_reading_without_a_history_does_not_count(engine, settings, lost, due, monkeypatch):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    redemption = lost("drop_before")
    read = engine.customer
    monkeypatch.setattr(engine, "customer", lambda **a: replace(read(**a), history=None))
    see_to(engine, due(redemption))
    monkeypatch.setattr(engine, "customer", read)

    assert see_to(engine, due(redemption)).state == State.UNCERTAIN
    assert see_to(engine, due(redemption)).state == State.NOT_MADE


def test_a_code_that_another_open_redemption_holds_is_a_managers_matter(engine, sandbox, lost, row):
    redemption = lost()
    code = sandbox.redemptions()[-1]["code"]
    row(State.ISSUED, offer_id=TOTE, code=code, engine_id=1)

    see_to(engine, redemption)

    assert (redemption.state, redemption.reason) == (State.DISPUTED, Reason.CODE_HELD_TWICE)


def test_one_row_that_cannot_be_read_does_not_keep_the_others_waiting(engine, lost, row):
    redemption = lost()
    strange = Member.objects.seen("else@example.com")
    row(State.UNCERTAIN, member=strange)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE members_member SET email = %s WHERE email_index = %s",
            ["not-a-token", strange.email_index],
        )

    see_to_all(engine)

    redemption.refresh_from_db()
    assert redemption.state == State.ISSUED


def test_a_pass_ends_before_the_next_and_sees_to_each_kind(engine, row, monkeypatch):
    ago = timezone.now() - timedelta(minutes=1)
    for number in range(3):
        other = Member.objects.seen(f"member{number}@example.com")
        row(State.UNCERTAIN, member=other, next_check_at=ago)
    row(State.REVERSING, next_check_at=ago)
    passing, seen = iter(range(0, 1000, 7)), []
    monkeypatch.setattr(settling, "time", SimpleNamespace(monotonic=lambda: next(passing)))
    monkeypatch.setattr(
        settling, "see_to_one", lambda _, pk: seen.append(PendingRedemption.objects.get(pk=pk))
    )
    assert see_to_all(engine) == len(seen) == 2
    assert {redemption.state for redemption in seen} == {State.UNCERTAIN, State.REVERSING}


def test_one_row_that_the_database_refuses_does_not_keep_the_others_waiting(
    engine, lost, row, monkeypatch
):
    poison = row(State.UNCERTAIN, member=Member.objects.seen("else@example.com"))
    redemption, see_to_one = lost(), settling.see_to

    def refused(engine, seen):
        if seen.pk == poison.pk:
            raise DataError
        return see_to_one(engine, seen)

    monkeypatch.setattr(settling, "see_to", refused)
    see_to_all(engine)

    redemption.refresh_from_db()
    assert redemption.state == State.ISSUED
    assert PendingRedemption.objects.filter(pk=poison.pk, next_check_at__gt=Now()).exists()


@pytest.mark.parametrize("reason", [Reason.TIMED_OUT, Reason.PROCESS_DIED])
def test_one_that_is_alone_is_not_taken_while_the_engine_may_still_act(
    engine, sandbox, row, due, reason
):
    """What is seen alone can be the shopper's own, made online in the same minute."""
    redemption = row(State.UNCERTAIN, reason=reason)
    sandbox.redeem_online(MARA, FIVE_OFF)
    see_to(engine, redemption)
    assert redemption.state == State.UNCERTAIN

    sandbox.adjust(MARA, 500)
    sandbox.redeem_online(MARA, FIVE_OFF)  # and then ours comes
    see_to(engine, due(redemption))
    assert (redemption.state, redemption.reason) == (State.DISPUTED, Reason.TWO_CANDIDATES)


def test_one_that_is_alone_after_the_settle_time_is_taken(engine, sandbox, settings, row, due):
    settings.ENGINE_SETTLE_SECONDS = 0
    redemption = row(State.UNCERTAIN, reason=Reason.TIMED_OUT)
    made = sandbox.redeem_online(MARA, FIVE_OFF)
    see_to(engine, due(redemption))
    assert (redemption.state, redemption.code) == (State.ISSUED, made["code"])
