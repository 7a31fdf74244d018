"""Work that the engine puts off: the effects of orders and refunds."""

from __future__ import annotations

from sandbox.yotpo.store import Work


def later(work: Work, kind: str, ref: int) -> None:
    """Do the job `kind` (of `jobs.JOBS`) on row `ref` once the switched delay is over."""
    due = work.true_seconds + work.switches.order_delay_seconds
    work.insert("jobs", due=due, kind=kind, ref=ref)
