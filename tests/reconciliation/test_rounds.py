"""Who is read and who is not: fair, within the quota, and going on after a kill."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from members.models import Member
from reconciliation import due, job
from reconciliation.job import run_once
from reconciliation.models import Cursor, Difference, Reading, Run
from reconciliation.ours import ours_of
from reconciliation.timing import database_time
from redemptions.models import PendingRedemption
from sales.models import Refund
from tests.reconciliation import shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture
def few(sandbox, installation, engine, monkeypatch) -> dict[str, Member]:
    """Nine members with ordinary lives, taken two by two."""
    engine.limits._rate = 1e6
    monkeypatch.setattr(due, "SLICE", 2)
    all_lives = shop.lives(0, 9)
    return shop.settle(sandbox, installation, all_lives)


def reads(sandbox) -> int:
    return sandbox.call_counts().get("GET /customers", 0)


def test_who_has_no_new_act_is_not_read_again(few, engine, sandbox):
    assert run_once(engine).members_read == 9
    asked = reads(sandbox)
    assert run_once(engine).members_read == 0
    assert reads(sandbox) == asked
    assert Run.objects.count() == 1


def test_a_new_act_is_read_when_it_had_the_time_to_show(few, engine):
    run_once(engine)
    row = PendingRedemption.objects.first()
    PendingRedemption.objects.filter(pk=row.pk).update(changed_at=Now())
    assert run_once(engine).members_read == 0
    Reading.objects.update(covers=F("covers") - timedelta(hours=2))
    an_hour_ago = Now() - timedelta(hours=1)
    PendingRedemption.objects.filter(pk=row.pk).update(changed_at=an_hour_ago)
    Reading.objects.exclude(member=row.member).update(covers=Now())
    Cursor.objects.update(covers=F("covers") - timedelta(hours=2))
    assert run_once(engine).members_read == 1


def test_a_refund_of_an_old_sale_is_an_act(few, engine):
    run_once(engine)
    refund = Refund.objects.select_related("sale").first()
    Reading.objects.update(covers=F("covers") - timedelta(minutes=30))
    assert run_once(engine).members_read == 0
    Refund.objects.filter(pk=refund.pk).update(told_at=Now() - timedelta(minutes=20))
    Cursor.objects.update(covers=F("covers") - timedelta(hours=2))
    assert run_once(engine).members_read == 1
    assert Reading.objects.latest("read_at").member_id == refund.sale.member_id


def test_an_act_whose_transaction_ended_late_is_found(few, engine):
    """It is dated before the moment up to which all was compared, and nobody could see it then."""
    run_once(engine)
    row = PendingRedemption.objects.first()
    Reading.objects.filter(member=row.member).update(covers=F("covers") - timedelta(minutes=9))
    late = Cursor.objects.get().covers - timedelta(minutes=8)
    PendingRedemption.objects.filter(pk=row.pk).update(changed_at=late)
    assert run_once(engine).members_read == 1
    assert run_once(engine).members_read == 0


def test_members_and_acts_of_before_cost_nothing(few, engine):
    """No question is asked of the members, and those of acts begin where the last round ended."""
    run_once(engine)
    with CaptureQueriesContext(connection) as asked:
        assert run_once(engine).members_read == 0
    statements = [one["sql"] for one in asked if "SELECT" in one["sql"]]
    assert not any('FROM "members_member"' in sql for sql in statements)
    now = database_time()
    assert due.start_of(now) > now - timedelta(hours=1)
    if connection.vendor == "sqlite":  # the other one reads so small a table as a whole
        for acts in due.acts_between(due.start_of(now), now):
            assert "_of_late" in acts.explain()


def test_a_limit_ends_a_run_and_the_next_goes_on(few, engine, sandbox):
    runs = [run_once(engine, member_limit=4) for _ in range(3)]
    assert [run.members_read for run in runs] == [4, 4, 1]
    assert [run.left for run in runs] == [5, 1, 0]
    assert runs[0].oldest_act_at is not None
    assert reads(sandbox) == 9


def test_one_that_is_killed_reads_nobody_a_second_time(few, engine, sandbox, monkeypatch):
    whole = job.read_member

    def dies(asker, ours):
        if Reading.objects.count() == 5:
            raise SystemExit
        return whole(asker, ours)

    monkeypatch.setattr(job, "read_member", dies)
    with pytest.raises(SystemExit):
        run_once(engine)
    assert Cursor.objects.get().covers is None
    monkeypatch.setattr(job, "read_member", whole)
    assert run_once(engine).members_read == 4
    assert reads(sandbox) == 9
    assert Cursor.objects.get().covers is not None


def test_what_gets_no_turn_is_left_for_the_next(few, engine, monkeypatch):
    turns = iter([True] * 3)
    limits = engine.limits
    monkeypatch.setattr(limits, "wait_for_background", lambda **_: next(turns, False))
    run = run_once(engine, seconds=60)
    assert (run.members_read, run.left) == (3, 6)


def test_one_whom_the_engine_can_not_show_keeps_nobody_waiting(few, engine, sandbox):
    sandbox.fault("GET /customers", "status", status=404, times=1)
    sandbox.fault("GET /customers", "status", status=422, times=1)
    run = run_once(engine)
    assert (run.members_read, run.unreadable) == (7, 2)
    assert Reading.objects.filter(again_at__isnull=False).count() == 2
    Reading.objects.update(again_at=Now())
    assert run_once(engine).members_read == 9


def test_an_engine_that_is_down_is_not_asked_for_everybody(few, engine, sandbox):
    sandbox.fault("GET /customers", "status", status=503, times=None)
    run = run_once(engine)
    assert (run.members_read, run.unreadable) == (0, job.FAILURES_TO_STOP)
    assert not Difference.objects.exists()


def test_the_number_of_questions_does_not_grow_with_the_members(
    few, engine, django_assert_max_num_queries
):
    now = database_time()
    with django_assert_max_num_queries(11):
        assert len(ours_of(few.values(), now)) == 9
    with django_assert_max_num_queries(6):
        assert len(due.due_now(now)) == 9


def test_by_hand_it_says_what_was_found(few, engine):
    said = StringIO()
    call_command("reconcile", "--member-limit", "5", stdout=said)
    assert said.getvalue().startswith("5 members read with 5 calls (1.00 a member)")
    assert "4 members left" in said.getvalue()
