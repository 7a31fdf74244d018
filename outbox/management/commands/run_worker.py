"""Deliver what the outbox holds and run the periodic jobs, until told to stop."""

import os
import signal
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand

from outbox.engines import engine
from outbox.periodic import tick_until
from outbox.worker import draining

log = structlog.get_logger(__name__)

STOP = {signal.SIGTERM, signal.SIGINT}
LOOK_EVERY_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "The worker: delivers what other systems must be told and runs the periodic jobs. On "
        "SIGTERM it finishes what it has begun and takes nothing new."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--threads",
            type=int,
            default=settings.WORKER_THREADS,
            help="so many things at once (WORKER_THREADS, %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        os.nice(settings.WORKER_NICE)  # before it has threads: on Linux each has its own
        # Waited for by this thread alone: what a handler would do might interrupt anything.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        log.info("worker.started", engine=settings.TASKS_ENGINE, threads=options["threads"])
        with ThreadPoolExecutor(2, thread_name_prefix="worker") as parts:
            work = parts.submit(engine().run, draining, options["threads"])
            clock = parts.submit(tick_until, draining)
            while not (work.done() or clock.done()):
                if signal.sigtimedwait(STOP, LOOK_EVERY_SECONDS):
                    break
            draining.set()
        log.info("worker.stopped")
        work.result()
        clock.result()
