"""Periodic jobs: every worker ticks, and each slot of a job's clock is run by one of them."""

import threading
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from outbox.models import PeriodicJob
from outbox.tasks import run_job

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.5
# A run that has not ended by then may be dead, and the next one begins: jobs claim what they do.
LONGEST_RUN = timedelta(seconds=30)


def tick() -> None:
    """Begin whatever is due, once for all who tick: the slot and its task in one transaction."""
    for name, seconds in due_jobs():
        begin(name, seconds)


def due_jobs() -> list[tuple[str, float]]:
    """Those whose slot nobody began. One read, whatever the number of jobs."""
    known = {job.name: job for job in PeriodicJob.objects.annotate(now=Now())}
    jobs = settings.PERIODIC_JOBS.items()
    return [
        (name, seconds)
        for name, seconds in jobs
        if name not in known or is_due(known[name], known[name].now, seconds)
    ]


def is_due(job: PeriodicJob, now: datetime, seconds: float) -> bool:
    if job.began_at > now + LONGEST_RUN:
        return True
    has_ended = job.ended_slot == job.slot or job.began_at <= now - LONGEST_RUN
    return has_ended and job.slot < slot_of(now, seconds)


def slot_of(now: datetime, seconds: float) -> int:
    return int(now.timestamp() // seconds)


def begin(name: str, seconds: float) -> bool:
    """Take the present slot and put a worker to it; False where another process did."""
    with transaction.atomic():
        PeriodicJob.objects.get_or_create(name=name)
        slot = slot_of(PeriodicJob.objects.values_list(Now(), flat=True).get(pk=name), seconds)
        ended = Q(ended_slot=F("slot")) | Q(began_at__lte=Now() - LONGEST_RUN)
        # Begun so far ahead: the clock was set back, and its slots come again.
        set_back = Q(began_at__gt=Now() + LONGEST_RUN)
        due = PeriodicJob.objects.filter(set_back | (ended & Q(slot__lt=slot)), name=name)
        taken = due.update(slot=slot, began_at=Now())
        if taken:
            run_job.enqueue(name, slot)
    return bool(taken)


def run(name: str, slot: int) -> None:
    """A worker's part. The slot ends however the job does: the next one comes soon enough."""
    try:
        import_string(name)()
    except DatabaseError:
        raise
    except Exception:
        log.exception("periodic.failed", job=name)
    finally:
        PeriodicJob.objects.filter(name=name, slot=slot).update(ended_slot=slot)


def is_run(name: str) -> bool:
    """Whether workers are at this job: one began it a short while ago."""
    return PeriodicJob.objects.filter(name=name, began_at__gt=Now() - LONGEST_RUN).exists()


def tick_until(stop: threading.Event) -> None:
    """A worker's clock. A database that is away for a while does not stop it."""
    while not stop.wait(TICK_SECONDS):
        try:
            tick()
        except DatabaseError:
            log.exception("periodic.database_failed")
            connection.close()
        close_old_connections()
    connection.close()
