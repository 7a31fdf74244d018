"""What the worker does again and again (settings.PERIODIC_JOBS)."""

from members.engine import engine
from outbox.worker import draining
from redemptions.settling import see_to_all


def settle() -> None:
    """End redemptions that were left open: lost answers, dead processes, promised reversals.

    A worker that was told to stop brings the one at hand to its end, and begins no other.
    """
    see_to_all(engine(), draining)
