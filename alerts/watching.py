"""From what the watches give to alerts: raise what is new, clear what is gone, promise to tell."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from alerts.models import Alert, State
from alerts.promising import promise
from database.conditions import Condition, kinds_of

log = structlog.get_logger(__name__)

FAILED = "watch.failed"
SHOWN = ("watch", "installation_id", "words", "count", "since", "path")
# What was over this long is forgotten.
KEPT = timedelta(days=90)

Key = tuple[str, str]


def watch() -> None:
    """The periodic job: a query or two for each watch, and three of its own where nothing changed.

    A watch that fails leaves its alerts as they are, and is an alert itself; where the database is
    away this raises as soon as it writes.
    """
    seen: dict[Key, tuple[str, Condition]] = {}
    failed: set[str] = set()
    for path in settings.ALERT_WATCHES:
        try:
            found = gathered(import_string(path)())
        except Exception:
            log.exception("alerts.watch_failed", watch=path)
            failed.add(path)
            found = gathered([failure(path)])
        seen |= {(one.kind, one.subject): (path, one) for one in found}
    with transaction.atomic():
        changed = take_over(seen, failed)
        promise(changed)


def known_kinds() -> list[str]:
    """All that a watch says it gives, and what was raised of late. One query."""
    said = (kinds_of(import_string(path)) for path in settings.ALERT_WATCHES)
    raised = Alert.objects.order_by().values_list("kind", flat=True).distinct()
    return sorted({FAILED, *raised, *(kind for kinds in said for kind in kinds)})


def failure(path: str) -> Condition:
    return Condition(
        kind=FAILED, subject=path, words=f"{path} fails: what it watches is not seen. See the log."
    )


def gathered(conditions: Iterable[Condition]) -> list[Condition]:
    """One for each kind and subject, as the table keeps these: counts are added up, the earliest
    time counts."""
    found: dict[Key, Condition] = {}
    for one in map(fitting, conditions):
        key = (one.kind, one.subject)
        found[key] = both(found[key], one) if key in found else one
    return list(found.values())


def fitting(one: Condition) -> Condition:
    """As a row can hold it, else it would be another one at each look; in words of one line."""
    return replace(
        one,
        kind=one.kind[:64],
        subject=one.subject[:200],
        words=" ".join(one.words.split())[:500],
        path=one.path[:500],
    )


def both(one: Condition, other: Condition) -> Condition:
    times = [since for since in (one.since, other.since) if since]
    return replace(one, count=one.count + other.count, since=min(times, default=None))


def take_over(seen: dict[Key, tuple[str, Condition]], failed: set[str]) -> list[Alert]:
    """Bring the table to what was seen. Returns those that were cleared of which people know."""
    there = {(row.kind, row.subject): row for row in Alert.objects.lasting().select_for_update()}
    new = [made(path, one) for key, (path, one) in seen.items() if key not in there]
    if new:
        # Another run may have raised the same in this moment: the constraint keeps one.
        Alert.objects.bulk_create(new, ignore_conflicts=True)
        for alert in new:
            log.warning("alert.raised", kind=alert.kind, subject=alert.subject, count=alert.count)
    for key, row in there.items():
        if key in seen and differs(row, *seen[key]):
            follow(row, *seen[key])
    gone = [row for key, row in there.items() if key not in seen and row.watch not in failed]
    return let_go(gone)


def made(path: str, one: Condition) -> Alert:
    return Alert(kind=one.kind, subject=one.subject, **shown(path, one))


def shown(path: str, one: Condition) -> dict[str, str | int | datetime | None]:
    return {
        "watch": path,
        "installation_id": one.installation,
        "words": one.words,
        "count": one.count,
        "since": one.since,
        "path": one.path,
    }


def differs(row: Alert, path: str, one: Condition) -> bool:
    as_seen = shown(path, one)
    return row.gone_since is not None or any(getattr(row, name) != as_seen[name] for name in SHOWN)


def follow(row: Alert, path: str, one: Condition) -> None:
    """As it is now. One that was set aside comes back, and is told again, when it has grown: of
    those that a person has seen some may be over, so it grows from the fewest that there were."""
    grown = row.state == State.SET_ASIDE and one.count > row.set_aside_count
    back = {"state": State.OPEN, "told_at": None} if grown else {}
    fewest = min(row.set_aside_count, one.count)
    Alert.objects.filter(pk=row.pk).update(
        gone_since=None, set_aside_count=fewest, **shown(path, one), **back
    )


def let_go(gone: list[Alert]) -> list[Alert]:
    """Clear what has been gone for a while: what flickers is one alert, not many."""
    if not gone:
        return []
    rows = Alert.objects.lasting().filter(pk__in=[row.pk for row in gone])
    rows.filter(gone_since=None).update(gone_since=Now())
    calm = timedelta(seconds=settings.ALERT_CALM_SECONDS)
    over = list(rows.filter(gone_since__lte=Now() - calm))
    clear(Alert.objects.filter(pk__in=[row.pk for row in over]))
    return [row for row in over if row.told_at is not None]


def clear(rows: models.QuerySet[Alert]) -> int:
    return rows.filter(~Q(state=State.CLEARED)).update(state=State.CLEARED, cleared_at=Now())


def set_aside(rows: models.QuerySet[Alert]) -> int:
    """A person has seen to it, or will: nobody is reminded until there is more of it.

    What is gone already is cleared at once. Returns how many there were.
    """
    with transaction.atomic():
        done = clear(rows.filter(state__in=[State.OPEN, State.SET_ASIDE], gone_since__isnull=False))
        return done + rows.filter(state=State.OPEN).update(
            state=State.SET_ASIDE, set_aside_count=F("count")
        )


def prune() -> None:
    """The periodic job: forget what has been over for long."""
    Alert.objects.filter(state=State.CLEARED, cleared_at__lt=Now() - KEPT).delete()
