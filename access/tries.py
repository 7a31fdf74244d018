"""Wrong tries, counted in the database before anything is compared: of PINs and of pairing codes.

Every try counts as a wrong one until it turns out right, by one conditional update and the
database's clock. So of many at once, in whatever process, no more get through than may.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest, Now

FIRST_DELAY = timedelta(seconds=5)
LOCKED_FOR = timedelta(minutes=30)
# So long after the last wrong one, it is as if there had been none.
FORGOTTEN_AFTER = timedelta(days=1)


class MustWait(Exception):
    """Too many wrong tries: none is looked at for so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many wrong tries. Wait {wait_words(seconds)}.")
        self.seconds = seconds


def wait_words(seconds: int) -> str:
    """90 -> 2 minutes"""
    if seconds >= 60:
        minutes = math.ceil(seconds / 60)
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


@dataclass(frozen=True)
class Rule:
    """From the `slow`th wrong try in a row on there is a delay, which doubles; the `lock`th locks.

    When a lock is over, the count goes on from `slow`: the delays stay until a try is right.
    """

    slow: int
    lock: int

    def wait_after(self, wrong: int) -> timedelta | None:
        """How long nothing more is looked at, after so many wrong ones in a row."""
        if wrong < self.slow:
            return None
        doubled = min(wrong - self.slow, 10)
        return LOCKED_FOR if wrong >= self.lock else min(FIRST_DELAY * 2**doubled, LOCKED_FOR)


OF_A_PERSON = Rule(slow=5, lock=10)
# One who forgot their PIN must not lock the till for all others: a till takes twice as many.
OF_A_TILL = Rule(slow=10, lock=20)
OF_AN_ADDRESS = Rule(slow=5, lock=10)
# However many addresses somebody has: all managers together.
OF_ALL = Rule(slow=50, lock=100)


class Tries(models.Model):
    """How many wrong ones in a row. `subject` is what is guessed at, or from where."""

    subject = models.CharField(max_length=120, unique=True)
    shown = models.CharField("of whom", max_length=250)
    wrong = models.PositiveIntegerField(default=0)
    wait_until = models.DateTimeField(null=True)
    last_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "wrong tries"
        verbose_name_plural = "wrong tries"
        ordering = ["-last_at"]

    def __str__(self) -> str:
        return self.shown


def take(subject: str, shown: str, rule: Rule) -> None:
    """One more try. Raises MustWait where none may be made now, and then counts nothing."""
    Tries.objects.bulk_create([Tries(subject=subject, shown=shown[:250])], ignore_conflicts=True)
    rows = Tries.objects.filter(subject=subject)
    rows.filter(last_at__lt=Now() - FORGOTTEN_AFTER).update(wrong=0, wait_until=None)
    rows.filter(wrong__gte=rule.lock, wait_until__lte=Now()).update(wrong=rule.slow)
    free = Q(wait_until=None) | Q(wait_until__lte=Now())
    taken = rows.filter(free).update(wrong=F("wrong") + 1, wait_until=wait(rule), last_at=Now())
    if not taken:
        raise MustWait(seconds_left(subject))


def wait(rule: Rule) -> Case:
    """Until when, by how many there were before this one."""
    spans = {wrong: rule.wait_after(wrong) for wrong in range(rule.slow, rule.lock)}
    delays = [When(wrong=wrong - 1, then=Now() + span) for wrong, span in spans.items() if span]
    locked = When(wrong__gte=rule.lock - 1, then=Now() + LOCKED_FOR)
    return Case(*delays, locked, default=Value(None), output_field=models.DateTimeField())


def seconds_left(subject: str) -> int:
    """At least 1: it was refused a moment ago."""
    found = Tries.objects.filter(subject=subject).values_list("wait_until", Now()).first()
    until, now = found or (None, None)
    return max(1, math.ceil((until - now).total_seconds())) if until and now else 1


def was_right(subject: str) -> None:
    """The last try was no wrong one, and whoever it is has proved it: the count begins anew."""
    Tries.objects.filter(subject=subject).update(wrong=0, wait_until=None)


def forgive(subject: str) -> None:
    """The last try was right: it and one wrong one before it no more count, and nobody waits.

    For what many people share: else whoever knows one PIN could guess at others without an end.
    """
    rows = Tries.objects.filter(subject=subject)
    rows.update(wrong=Greatest(F("wrong") - 2, 0), wait_until=None)


def prune() -> int:
    """A periodic job: what is forgotten anyway goes."""
    deleted, _ = Tries.objects.filter(last_at__lt=Now() - 2 * FORGOTTEN_AFTER).delete()
    return deleted


def unlock(subject: str) -> bool:
    """By a manager. False where nothing was counted."""
    return Tries.objects.filter(subject=subject, wrong__gt=0).update(wrong=0, wait_until=None) == 1
