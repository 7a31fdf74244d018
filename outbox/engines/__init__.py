"""What runs the tasks: one of two, as settings.TASKS_ENGINE says."""

import threading
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from outbox.tasks import BACK


class Engine(Protocol):
    """What the outbox needs of either."""

    def run(self, stop: threading.Event, threads: int) -> None:
        """Run tasks in so many threads until told to stop; what runs then is finished."""

    def run_waiting(self) -> None:
        """Run what is due now, one after the other, and come back."""

    def waiting(self, at_most: int, priority: int = BACK) -> int:
        """How many tasks of that priority, or a higher one, could be run now.

        Counts no further than `at_most`.
        """

    def prune(self) -> int:
        """Delete what ended, and what a dead process left behind. How many."""


ENGINES = {
    "django-tasks-db": "outbox.engines.embedded.Embedded",
    "procrastinate": "outbox.engines.spread.Spread",
}


def engine() -> Engine:
    made: Engine = import_string(ENGINES[settings.TASKS_ENGINE])()
    return made
