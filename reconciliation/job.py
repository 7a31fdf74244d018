"""One pass, within what people leave of the engine's quota."""

import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import structlog
from django.db.models.functions import Now

from connectors.errors import NotFound, OutsideError
from connectors.yotpo.client import Yotpo
from members.engine import engine
from members.models import Member
from outbox.worker import draining
from reconciliation.due import BATCH, Due, due_now, slices
from reconciliation.kinds import State
from reconciliation.models import Difference, Reading, Run
from reconciliation.ours import Ours, ours_of, since_of
from reconciliation.reading import Asker, NoTurn, Written, read_member
from reconciliation.timing import clock_ahead, database_time

log = structlog.get_logger(__name__)

# Ended well before the next one begins. In seconds.
LONGEST_PASS = 15.0
# Waiting longer for a turn would keep a worker from being told to stop. In seconds.
A_TURN = 2.0
# One member whom the engine can't show is put off; after so many in a row the engine is down.
FAILURES_TO_STOP = 3
SOON, LONGER = timedelta(minutes=5), timedelta(hours=6)
RUNS_KEPT = timedelta(days=30)


def reconcile() -> None:
    """The periodic job."""
    run_once(engine(), stop=draining, seconds=LONGEST_PASS)


def run_once(
    engine: Yotpo,
    *,
    stop: Event | None = None,
    seconds: float | None = None,
    member_limit: int | None = None,
) -> Run:
    """All who are due, as far as `seconds` and `member_limit` let; what is left is for the next. A
    pass that read nobody leaves no row."""
    stop = stop or Event()
    run = Run(started_at=database_time())
    end = time.monotonic() + seconds if seconds is not None else None
    asker = Asker(engine, lambda: may_ask(engine, stop, end), clock_ahead())
    is_round_over = pass_over(run, asker, member_limit)
    run.calls = asker.calls
    if run.members_read or run.unreadable:
        run.left = 0
        if not is_round_over and (due := due_now(database_time())):
            run.left, run.oldest_act_at = len(due), due[0].oldest_act_at
        run.ended_at = database_time()
        run.save()
        log.info(
            "reconciliation.run",
            members=run.members_read,
            unreadable=run.unreadable,
            calls=run.calls,
            found=run.found,
            gone=run.gone,
            left=run.left,
        )
    prune()
    return run


def may_ask(engine: Yotpo, stop: Event, end: float | None) -> bool:
    if stop.is_set() or (end is not None and time.monotonic() > end):
        return False
    longest = float("inf") if end is None else A_TURN
    return engine.limits.wait_for_background(longest=longest) and not stop.is_set()


def pass_over(run: Run, asker: Asker, member_limit: int | None) -> bool:
    """Whether all had their turn. It stops where there is no turn or the engine is away: nobody who
    was read is due."""
    failures = 0
    for due in slices(run.started_at):
        for ours in due_of(due):
            if member_limit is not None and run.members_read >= member_limit:
                return False
            try:
                failures = 0 if read(run, asker, ours) else failures + 1
            except NoTurn:
                return False
            if failures >= FAILURES_TO_STOP:
                return False
    return True


def due_of(due: list[Due]) -> Iterator[Ours]:
    """In batches: what we hold of many is asked for at once."""
    for start in range(0, len(due), BATCH):
        ids = [each.member_id for each in due[start : start + BATCH]]
        ours = ours_of(Member.objects.filter(pk__in=ids), database_time())
        yield from (ours[pk] for pk in ids if pk in ours)


def read(run: Run, asker: Asker, ours: Ours) -> bool:
    """False where the engine can't show this member now: others must not wait behind them."""
    try:
        written = read_member(asker, ours)
    except OutsideError as error:
        log.warning("reconciliation.unreadable", member=str(ours.member.pk), error=str(error))
        run.unreadable += 1
        put_off(ours, LONGER if isinstance(error, NotFound) else SOON)
        return isinstance(error, NotFound)
    sum_up(run, written)
    return True


def sum_up(run: Run, written: Written) -> None:
    run.members_read += 1
    run.found += written.found
    run.gone += written.gone


def put_off(ours: Ours, span: timedelta) -> None:
    """Read again then, whether or not something is new."""
    Reading.objects.update_or_create(
        member=ours.member,
        defaults={"read_at": Now(), "covers": ours.cutoff, "again_at": Now() + span},
    )


def prune() -> None:
    """Old runs, and what needed nobody and is over."""
    now = database_time()
    Run.objects.filter(started_at__lt=now - RUNS_KEPT).delete()
    over = Difference.objects.filter(
        state__in=[State.EXPLAINED, State.GONE], last_seen_at__lt=since_of(now)
    )
    over.filter(decided_by="").delete()
