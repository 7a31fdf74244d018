"""Codes on their way to the engine, over real sockets: cut, sent, lost, killed, resumed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from audit.models import Entry
from audit.record import By, Who
from connectors.limits import Limits
from offers import filling
from offers.filling import (
    PREVIEW_DAYS,
    CannotUpload,
    discard,
    discard_old_previews,
    keep,
    send,
    settle,
)
from offers.models import Batch, Code, Part, Pool
from offers.pools import not_of_pool
from outbox import limits
from outbox.models import Attempt, Delivery
from outbox.states import Reason, State
from outbox.sweeper import sweep
from outbox.worker import deliver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

TOTE = 90140
BY = By(Who.machine("a test"))
UPLOAD = "POST /redemption_codes"


@pytest.fixture(autouse=True)
def _quick(engine, settings):
    settings.ENGINE_SETTLE_SECONDS = 0.0
    limits._limits["yotpo"] = Limits(rate_per_second=100_000)
    yield
    limits._limits.clear()


@pytest.fixture
def pool(db):
    return Pool.objects.create(option_id=TOTE, name="Tote bag")


def file_of(number, prefix="T"):
    return "\n".join(f"{prefix}-{n:05}" for n in range(number)).encode()


def sent(pool, number=3, prefix="T"):
    batch = keep(pool, f"{prefix}.csv", file_of(number, prefix), BY)
    assert send(batch, BY)
    return batch


def step():
    """Let each delivery take its next step, as if its time had come."""
    Delivery.objects.update(due_at=Now())
    for pk in Delivery.objects.order_by("pk").values_list("pk", flat=True):
        deliver(pk)


def states():
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def uploads(sandbox):
    return sandbox.call_counts().get(UPLOAD, 0)


def has(engine, code):
    return filling.is_shown(code)


def test_25_000_codes_go_in_three_calls(pool, engine, sandbox):
    batch = sent(pool, 25_000)
    step()

    assert [part.size for part in batch.parts.order_by("number")] == [10_000, 10_000, 5_000]
    assert states() == ["done"] * 3
    assert uploads(sandbox) == 3
    pool.refresh_from_db()
    assert (pool.confirmed, pool.stock) == (25_000, 25_000)
    assert all(has(engine, code) for code in ("T-00000", "T-09999", "T-10000", "T-24999"))
    assert set(Part.objects.values_list("confirmed_at", flat=True)) != {None}
    assert {part.codes for part in Part.objects.all()} == {""}


def test_whether_a_code_is_of_a_pool(pool, settings, django_assert_num_queries):
    sent(pool)
    codes = ["t-00000", "OTHER"]
    assert not_of_pool(TOTE, codes) == set()  # somebody may have uploaded it elsewhere
    Pool.objects.update(ours_alone=True)
    with django_assert_num_queries(1):
        assert not_of_pool(TOTE, codes) == {"OTHER"}
    assert not_of_pool(8, codes) == set()
    settings.BLIND_INDEX_KEY = "another key of enough characters for it"
    assert not_of_pool(TOTE, codes) == set()


def test_nothing_is_sent_before_somebody_says_so(pool, sandbox):
    batch = keep(pool, "codes.csv", file_of(3), BY)
    step()
    assert uploads(sandbox) == 0
    assert send(batch, BY)
    assert not send(batch, BY)
    assert Delivery.objects.count() == 1


def test_what_is_discarded_can_be_uploaded_again(pool):
    batch = keep(pool, "codes.csv", file_of(3), BY)
    assert discard(batch, BY)
    assert not Code.objects.exists()
    assert keep(pool, "codes.csv", file_of(3), BY).size == 3


def test_what_was_sent_is_not_discarded(pool):
    assert not discard(sent(pool), BY)


def test_codes_of_earlier_batches_and_of_other_offers_are_reported(pool):
    keep(pool, "first.csv", b"A-1\nA-2\n", BY)
    mug = Pool.objects.create(option_id=8, name="Mug")
    keep(mug, "mug.csv", b"M-1\n", BY)
    batch = keep(pool, "second.csv", b"A-3\na-2\nM-1\n", BY)

    assert batch.size == 1
    (line, why), (other_line, other_why) = batch.report
    assert (line, other_line) == (2, 3)
    assert "for this offer" in why
    assert "for another offer, Mug" in other_why


def test_what_was_only_looked_at_is_not_called_sent(pool):
    keep(pool, "first.csv", b"A-1\n", BY)
    with pytest.raises(CannotUpload, match=r"not sent yet: send or discard the batch first\.csv"):
        keep(pool, "again.csv", b"A-1\n", BY)


def test_what_nobody_sends_is_discarded_after_a_week(pool):
    old, under_way = keep(pool, "old.csv", b"A-1\n", BY), sent(pool)
    Batch.objects.update(uploaded_at=Now() - timedelta(days=PREVIEW_DAYS, seconds=1))
    new = keep(pool, "new.csv", b"A-2\n", BY)
    discard_old_previews()
    assert set(Batch.objects.values_list("pk", flat=True)) == {under_way.pk, new.pk}
    (entry,) = Entry.objects.filter(act="codes.discarded")
    assert (entry.who, entry.before["file"]) == ("worker", "old.csv")
    assert keep(pool, "old.csv", b"A-1\n", BY).pk != old.pk


def test_two_uploads_of_the_same_codes_side_by_side(pool):
    """In opposite orders, so that each could wait for a row of the other's."""
    codes = [f"T-{n:05}" for n in range(12_000)]

    def upload(order):
        try:
            return keep(pool, "codes.csv", "\n".join(codes[::order]).encode(), BY).size
        except CannotUpload:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as people:
        assert sorted(people.map(upload, (1, -1))) == [0, 12_000]
    assert Code.objects.count() == 12_000


def test_a_file_without_a_new_code_keeps_nothing(pool):
    keep(pool, "first.csv", file_of(2), BY)
    with pytest.raises(CannotUpload, match="No new codes: 2 lines"):
        keep(pool, "again.csv", file_of(2), BY)
    with pytest.raises(CannotUpload, match="empty"):
        keep(pool, "none.csv", b"\n", BY)


def test_no_code_stands_readable_in_a_row_or_in_the_trail(pool, engine):
    sent(pool)
    rows = [*Part.objects.extra(select={"raw": "codes"}).values("raw"), *Code.objects.values()]
    rows += [*Delivery.objects.values("payload"), *Entry.objects.values()]
    assert "T-00001" not in str(rows)


def test_a_lost_reply_is_read_before_anything_is_sent_again(pool, engine, sandbox):
    sandbox.fault(UPLOAD, "drop_after")
    sent(pool)
    step()
    assert states() == ["verifying"]
    step()
    assert states() == ["done"]
    assert uploads(sandbox) == 1
    pool.refresh_from_db()
    assert pool.confirmed == 3


def test_what_never_arrived_is_sent_again_where_the_engine_shows_unused_codes(
    pool, engine, sandbox
):
    sent(pool, prefix="A")
    step()
    sandbox.fault(UPLOAD, "drop_before")
    sent(pool, prefix="B")
    step()
    assert states() == ["done", "verifying"]
    step()
    step()
    assert states() == ["done", "pending"]
    step()
    assert states() == ["done", "done"]
    assert has(engine, "B-00002")


def parked(pool, sandbox, fault="drop_before"):
    sandbox.switch(unused_codes_shown=False)
    sandbox.fault(UPLOAD, fault)
    batch = sent(pool)
    for _ in range(3):
        step()
    assert Delivery.objects.get().parked_reason == "cannot_tell"
    return batch.parts.get()


def test_where_reading_does_not_tell_a_person_does(pool, engine, sandbox):
    part = parked(pool, sandbox)
    assert settle(part, Part.Word.MISSING, BY)
    for _ in range(3):
        step()
    assert states() == ["done"]
    assert uploads(sandbox) == 2
    sandbox.switch(unused_codes_shown=True)
    assert has(engine, "T-00000")


def test_a_persons_word_counts_for_one_sending_only(pool, engine, sandbox):
    part = parked(pool, sandbox)
    settle(part, Part.Word.MISSING, BY)
    sandbox.fault(UPLOAD, "drop_after")
    for _ in range(6):
        step()
    assert Delivery.objects.get().parked_reason == "cannot_tell"
    assert uploads(sandbox) == 2


def test_a_person_may_say_that_they_are_there(pool, engine, sandbox):
    part = parked(pool, sandbox, "drop_after")
    assert settle(part, Part.Word.THERE, BY)
    step()
    assert states() == ["done"]
    assert uploads(sandbox) == 1
    assert not settle(part, Part.Word.THERE, BY)


def test_a_word_that_is_not_taken_up_does_not_count(pool, engine, sandbox):
    """Of two managers who say the opposite only the first one's word counts."""
    sandbox.fault(UPLOAD, "drop_after")
    batch = sent(pool)
    step()
    Delivery.objects.update(state=State.PARKED, parked_reason=Reason.CANNOT_TELL)
    waits = Delivery.objects.get()
    Delivery.objects.create(
        kind=waits.kind,
        key="another part",
        flight=waits.flight,
        state=State.VERIFYING,
        attempts=1,
        payload=waits.payload,
    )
    assert not settle(batch.parts.get(), Part.Word.MISSING, BY)
    assert batch.parts.get().word == Part.Word.NONE
    assert not Entry.objects.filter(act="codes.settled").exists()


def test_what_the_engine_refuses_is_parked_with_its_words(db, engine, sandbox):
    sent(Pool.objects.create(option_id=90130, name="No custom coupon"))
    step()
    assert Delivery.objects.get().parked_reason == "refused"
    assert "custom coupon" in Attempt.objects.get().words


class Killed(BaseException):
    """What no code of ours catches: the process is gone."""


def test_a_kill_in_the_middle_loses_nothing_and_sends_nothing_twice(
    pool, engine, sandbox, monkeypatch
):
    """The worker dies after the second call was made, before it could write down the answer."""
    monkeypatch.setattr(filling, "MOST_CODES_A_CALL", 10)
    sent(pool, 25)
    calls = iter((1, 2, 3))
    made = filling.engine().upload_codes

    def dies_at_the_second(**what):
        made(**what)
        if next(calls) == 2:
            raise Killed

    monkeypatch.setattr(filling.engine(), "upload_codes", dies_at_the_second)
    with pytest.raises(Killed):
        step()
    assert states() == ["done", "running", "pending"]

    Delivery.objects.filter(state="running").update(lease_until=Now())
    sweep()
    for _ in range(3):
        step()
    assert states() == ["done"] * 3
    assert uploads(sandbox) == 3
    pool.refresh_from_db()
    assert pool.confirmed == 25
