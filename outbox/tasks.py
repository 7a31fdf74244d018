"""Wake-ups for workers, over Django's Tasks API. Losing one loses nothing: the sweeper wakes again.

The work itself is named by dotted path, for it wakes others in its turn.
"""

from typing import Any

import django
from django.utils.module_loading import import_string

from outbox.routes import kinds_in_the_back

if django.VERSION >= (6,):
    from django.tasks import task
else:
    from django_tasks import task  # type: ignore[no-redef, unused-ignore]

# What is done between people's clicks goes before what merely has to be told.
URGENT = 50
PERIODIC = 80
ORDINARY = 0
# What would be no loss if it came an hour later.
BACK = -50


@task()  # type: ignore[untyped-decorator, unused-ignore]
def deliver(delivery_id: int) -> None:
    import_string("outbox.worker.deliver")(delivery_id)


@task(priority=PERIODIC)  # type: ignore[untyped-decorator, unused-ignore]
def run_job(name: str, slot: int) -> None:
    import_string("outbox.periodic.run")(name, slot)


def wake(delivery: Any, *, later: bool = False) -> None:
    """Tell a worker of it when this transaction commits, or at its due time if that is `later`."""
    deliver.using(
        priority=priority_of(delivery), run_after=delivery.due_at if later else None
    ).enqueue(delivery.pk)


def priority_of(delivery: Any) -> int:
    if delivery.kind in kinds_in_the_back():
        return BACK
    return URGENT if delivery.urgent else ORDINARY
