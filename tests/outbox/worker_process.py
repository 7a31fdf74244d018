"""A worker, or somebody who promises deliveries, as a process of its own.

python -m tests.outbox.worker_process work | promise PREFIX COUNT
"""

import os
import sys

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_panel.settings")
settings.DELIVERY_ROUTES = "tests.outbox.over_http.DELIVERIES"
settings.PERIODIC_JOBS = {"outbox.sweeper.sweep": 1.0}
settings.OUTSIDE_RATES = {"shop": 1000.0}
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402

from outbox.ledger import enqueue  # noqa: E402


def promise(prefix: str, count: str) -> None:
    for number in range(int(count)):
        with transaction.atomic():
            enqueue(kind="thing", key=f"{prefix}-{number}", installation_id="shop", payload={})


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "promise":
        promise(*words)
    else:
        call_command("run_worker", threads=2)
