"""What the worker does again and again (settings.PERIODIC_JOBS)."""

from members.engine import engine
from redemptions.settling import see_to_all


def settle() -> None:
    """End redemptions that were left open: lost answers, dead processes, promised reversals."""
    see_to_all(engine())
