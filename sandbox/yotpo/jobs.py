"""Doing what was put off."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from sandbox.yotpo import orders, refunds
from sandbox.yotpo.store import Work

JOBS: Mapping[str, Callable[[Work, int], None]] = {
    "order": orders.process,
    "refund": refunds.process,
}


def run_due(work: Work) -> None:
    """Do what has fallen due, in the order in which it came."""
    due = work.all("SELECT * FROM jobs WHERE due <= ? ORDER BY due, id", work.true_seconds)
    for job in due:
        work.db.execute("DELETE FROM jobs WHERE id = ?", (job["id"],))
        JOBS[job["kind"]](work, job["ref"])


def next_due(work: Work) -> float:
    """When there is something to do; infinity if nothing waits."""
    row = work.one("SELECT due FROM jobs ORDER BY due LIMIT 1")
    return row["due"] if row else math.inf
