"""End every redemption that was left open: lost answers, dead processes, promised reversals."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections, connection

from members.engine import engine
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_all
from redemptions.states import UNDER_WAY, State
from redemptions.timing import CHECK_EVERY

log = structlog.get_logger(__name__)

# A lost answer needs two readings to be called not made, so one pass does not do.
PASSES = 3
LOOP_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Settle redemptions whose answer was lost and give back what was promised. "
        "Without --loop: a few passes, then it says what is left and ends."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loop", action="store_true", help="go on until stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        if options["loop"]:
            for sign in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sign, lambda *_: stop.set())
            run_for_ever(stop)
        else:
            run_once(stop)
            self.stdout.write(left_over())


def run_once(stop: threading.Event) -> None:
    for _ in range(PASSES):
        if not see_to_all(engine()) and not waiting().exists():
            return
        stop.wait(CHECK_EVERY.total_seconds())
    see_to_all(engine())


def run_for_ever(stop: threading.Event) -> None:
    """The worker. A database that is away for a while does not end it."""
    log.info("settling.started")
    while not stop.is_set():
        try:
            see_to_all(engine())
        except DatabaseError:
            log.exception("settling.database_failed")
            connection.close()
        close_old_connections()
        stop.wait(LOOP_SECONDS)
    log.info("settling.stopped")


def waiting() -> Any:
    return PendingRedemption.objects.filter(state__in=[State.UNCERTAIN, State.REVERSING])


def left_over() -> str:
    """How many are still open, in words for the person who ran the command."""
    counts = {
        state: PendingRedemption.objects.filter(state=state).count()
        for state in (*UNDER_WAY, State.REVERSING, State.DISPUTED)
    }
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"Still open: {told}." if told else "Nothing is left open."
