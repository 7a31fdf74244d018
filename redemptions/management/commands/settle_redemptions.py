"""End every redemption that was left open, by hand: what the worker does every second."""

import time
from typing import Any

from django.core.management.base import BaseCommand

from members.engine import engine
from redemptions.models import PendingRedemption
from redemptions.settling import see_to_all
from redemptions.states import UNDER_WAY, State
from redemptions.timing import CHECK_EVERY

# A lost answer needs two readings to be called not made, so one pass does not do.
PASSES = 3


class Command(BaseCommand):
    help = (
        "Settle redemptions whose answer was lost and give back what was promised: a few passes, "
        "then it says what is left and ends. The worker (run_worker) does the same all the time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for _ in range(PASSES):
            if not see_to_all(engine()) and not waiting().exists():
                break
            time.sleep(CHECK_EVERY.total_seconds())
        else:
            see_to_all(engine())
        self.stdout.write(left_over())


def waiting() -> Any:
    return PendingRedemption.objects.filter(state__in=[State.UNCERTAIN, State.REVERSING])


def left_over() -> str:
    """How many are still open, in words for the person who ran the command."""
    counts = {
        state: PendingRedemption.objects.filter(state=state).count()
        for state in (*UNDER_WAY, State.REVERSING, State.DISPUTED)
    }
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"Still open: {told}." if told else "Nothing is left open."
