"""django-tasks-db: tasks are rows of our own database, looked for ten times a second."""

import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import structlog
from django.db import DatabaseError, close_old_connections, connection
from django.db.models import Q
from django.db.models.functions import Now
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction

from outbox.tasks import BACK

log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 0.1
A_PRUNING = 1000
# No task of ours runs for longer: its process has died.
DEAD_AFTER = timedelta(hours=1)
KEPT_FOR = timedelta(minutes=10)

AnyTask = DBTaskResult[..., Any]


class Embedded:
    def __init__(self) -> None:
        self._worker = Worker(
            queue_names=["default"],
            interval=LOOK_EVERY_SECONDS,
            batch=False,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=f"{os.getpid()}-{uuid.uuid4().hex[:16]}",
            excluded_queue_names=[],
        )

    def run(self, stop: threading.Event, threads: int) -> None:
        """One thread looks for tasks, which its library's own worker would do in each."""
        free = threading.Semaphore(threads)
        with ThreadPoolExecutor(threads, thread_name_prefix="task") as pool:
            while not stop.is_set():
                if not free.acquire(timeout=LOOK_EVERY_SECONDS):
                    continue
                task = self._look()
                if task is None:
                    free.release()
                    stop.wait(LOOK_EVERY_SECONDS)
                else:
                    pool.submit(self._run, task).add_done_callback(lambda _: free.release())
        connection.close()

    def run_waiting(self) -> None:
        while (task := take(self._worker.worker_id)) is not None:
            self._worker.run_task(task)

    def waiting(self, at_most: int, priority: int = BACK) -> int:
        ready = DBTaskResult.objects.ready().filter(priority__gte=priority)
        return int(ready.order_by()[:at_most].count())

    def prune(self) -> int:
        ended = Q(finished_at__lte=Now() - KEPT_FOR)
        dead = Q(status="RUNNING", started_at__lte=Now() - DEAD_AFTER)
        old = DBTaskResult.objects.filter(ended | dead).order_by()
        deleted, _ = DBTaskResult.objects.filter(pk__in=old.values("pk")[:A_PRUNING]).delete()
        return int(deleted)

    def _look(self) -> AnyTask | None:
        """A database that is away for a while does not end the worker."""
        try:
            close_old_connections()
            return take(self._worker.worker_id)
        except DatabaseError:
            log.exception("worker.database_failed")
            connection.close()
            return None

    def _run(self, task: AnyTask) -> None:
        try:
            self._worker.run_task(task)
        except DatabaseError:
            # The row stays "running" and is pruned; what it was to do, the sweeper finds.
            log.exception("worker.database_failed")
        finally:
            # The thread may be the pool's last: nothing closes its connection when that ends.
            connection.close()


def take(worker_id: str) -> AnyTask | None:
    """The next task, claimed. An idle worker only reads: looking must not hold up who writes."""
    ready = DBTaskResult.objects.ready()
    if not ready.order_by().exists():
        return None
    with exclusive_transaction():
        task = ready.get_locked()
        if task is not None:
            task.claim(worker_id)
    return task
