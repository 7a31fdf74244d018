"""Django's Tasks API over Procrastinate: a task is written in the transaction that asks for it."""

from datetime import UTC, datetime
from typing import Any

import django
from django.utils.module_loading import import_string
from procrastinate.contrib.django import app

if django.VERSION >= (6,):
    from django.tasks import TaskResult, TaskResultStatus
    from django.tasks.backends.base import BaseTaskBackend
else:
    from django_tasks import (  # type: ignore[assignment, unused-ignore]
        TaskResult,
        TaskResultStatus,
    )
    from django_tasks.backends.base import (  # type: ignore[assignment, unused-ignore]
        BaseTaskBackend,
    )

NAME = "outbox.run"


@app.task(name=NAME)
def run(path: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    import_string(path).call(*args, **kwargs)


class ProcrastinateBackend(BaseTaskBackend):
    supports_defer = True
    supports_priority = True

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        self.validate_task(task)
        options = {"priority": task.priority, "schedule_at": task.run_after}
        job = app.configure_task(NAME, queue=task.queue_name, **options).defer(
            path=task.module_path, args=list(args), kwargs=kwargs
        )
        return TaskResult(
            task=task,
            id=str(job),
            status=TaskResultStatus.READY,
            enqueued_at=datetime.now(UTC),
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
