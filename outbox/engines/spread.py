"""Procrastinate: tasks are rows of PostgreSQL, of which workers on many machines are told."""

import asyncio
import threading
from typing import Any

from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.jobs import DeleteJobCondition

from outbox.tasks import BACK

# A worker tells every ten seconds that it lives.
DEAD_AFTER_SECONDS = 60
# What ended is deleted by the worker itself; these are left behind by workers that died.
PRUNE = """
    DELETE FROM procrastinate_jobs WHERE status = 'doing' AND (worker_id IS NULL OR worker_id IN (
        SELECT id FROM procrastinate_workers
        WHERE last_heartbeat < NOW() - make_interval(secs => %s)))
"""
WAITING = """
    SELECT count(*) FROM (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo'
        AND priority >= %s AND (scheduled_at IS NULL OR scheduled_at <= NOW()) LIMIT %s) AS ready
"""


class Spread:
    def run(self, stop: threading.Event, threads: int) -> None:
        asyncio.run(self._run_until(stop, concurrency=threads))

    def run_waiting(self) -> None:
        asyncio.run(self._run(wait=False, concurrency=1))

    def waiting(self, at_most: int, priority: int = BACK) -> int:
        with connection.cursor() as cursor:
            cursor.execute(WAITING, [priority, at_most])
            return int(cursor.fetchone()[0])

    def prune(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(PRUNE, [DEAD_AFTER_SECONDS])
            return int(cursor.rowcount)

    async def _run_until(self, stop: threading.Event, **options: Any) -> None:
        work = asyncio.create_task(self._run(**options))
        told = asyncio.create_task(asyncio.to_thread(stop.wait))
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        # Cancelling asks its worker to finish what runs and to take nothing new.
        work.cancel()
        stop.set()
        await told
        try:
            await work
        except asyncio.CancelledError:
            return

    async def _run(self, **options: Any) -> None:
        """Over connections of its own: ours belong to the transactions that ask for tasks."""
        ours: Any = app.connector
        worker_app = app.with_connector(ours.get_worker_connector())
        async with worker_app.open_async():
            await worker_app.run_worker_async(
                install_signal_handlers=False,
                delete_jobs=DeleteJobCondition.ALWAYS,
                fetch_job_polling_interval=1.0,
                **options,
            )
