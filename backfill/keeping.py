"""Files of sales: taken in, begun, paused, stopped, and forgotten when their time is over."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from audit.record import By
from backfill.files import LINE, WHY, Row, read_file
from backfill.models import MOST_ROWS_A_PART, Backfill, Part, RowNotTaken
from backfill.states import ENDED, LOOKED_AT, State
from database.encryption import blind_index
from stores.models import Installation

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 1000


class UploadedBefore(Exception):
    """The same file is there and has not ended."""

    def __init__(self, backfill: Backfill) -> None:
        self.backfill = backfill
        super().__init__(
            f"This file was uploaded on {backfill.uploaded_at:%d %b %Y} and has not ended: go on "
            "with that one, or stop it first."
        )


def keep(
    installation: Installation, name: str, raw: bytes, *, tells_engine: bool, by: By
) -> Backfill:
    """Take a file in, encrypted, to be checked. Nothing is recorded, and the engine asked nothing.

    Raises Unreadable, or UploadedBefore with the one that is there.
    """
    file = read_file(raw)
    backfill = Backfill(
        installation=installation,
        name=name[:255],
        content=blind_index(f"file:{hashlib.sha256(raw).hexdigest()}"),
        uploaded_by=by.who.name,
        tells_engine=tells_engine,
        titles=file.titles,
        unused=file.unused,
        size=len(file.rows),
    )
    try:
        with transaction.atomic():
            backfill.save(force_insert=True)
            Part.objects.bulk_create(parts_of(backfill, file.rows), batch_size=50)
            by.record("backfill.uploaded", backfill, after=figures(backfill))
    except IntegrityError:
        there = find_open(backfill)
        if there is None:
            raise
        raise UploadedBefore(there) from None
    backfill.refresh_from_db()
    return backfill


def find_open(like: Backfill) -> Backfill | None:
    same = Backfill.objects.filter(installation=like.installation, content=like.content)
    return same.exclude(state__in=ENDED).first()


def parts_of(backfill: Backfill, rows: list[Row]) -> Iterator[Part]:
    for first in range(0, len(rows), MOST_ROWS_A_PART):
        some = rows[first : first + MOST_ROWS_A_PART]
        text = json.dumps([asdict(row) for row in some], ensure_ascii=False)
        yield Part(backfill=backfill, first=first, size=len(some), rows=text)


def rows_of(part: Part) -> list[Row]:
    return [Row(**row) for row in json.loads(part.rows)]


def figures(backfill: Backfill) -> dict[str, Any]:
    """For the trail."""
    counts = ("position", "new", "already_there", "not_taken")
    return {
        "installation": backfill.installation_id,
        "file": backfill.name,
        "rows": backfill.size,
        "tells_engine": backfill.tells_engine,
        **{name: getattr(backfill, name) for name in counts},
    }


NOTHING_COUNTED = {"position": 0, "new": 0, "already_there": 0, "not_taken": 0, "unseen": 0}


@transaction.atomic
def begin(backfill: Backfill, by: By) -> bool:
    """Record what was checked, from its beginning. False where it is not there to be begun."""
    begun = moved_by(
        backfill, State.RECORDING, "backfill.begun", by, only_from=State.CHECKED, **NOTHING_COUNTED
    )
    if begun:
        backfill.left_over.all().delete()
    return begun


@transaction.atomic
def pause(backfill: Backfill, by: By) -> bool:
    """No row more is begun. What the engine was promised of those before goes on."""
    return moved_by(backfill, State.PAUSED, "backfill.paused", by)


@transaction.atomic
def go_on(backfill: Backfill, by: By) -> bool:
    return moved_by(backfill, State.RECORDING, "backfill.gone_on", by, only_from=State.PAUSED)


@transaction.atomic
def stop(backfill: Backfill, by: By) -> bool:
    """For good: rows that were not recorded are forgotten. Those that were stay recorded."""
    stopped = moved_by(backfill, State.STOPPED, "backfill.stopped", by, ended_at=Now())
    if stopped:
        backfill.parts.all().delete()
    return stopped


def moved_by(backfill: Backfill, to: State, act: str, by: By, **changes: Any) -> bool:
    moved = backfill.move(to, **changes)
    if moved:
        by.record(act, backfill, after=figures(backfill))
    return moved


@transaction.atomic
def discard(backfill: Backfill, by: By) -> bool:
    """Forget a file that was only looked at. False where it was begun meanwhile."""
    mine = Backfill.objects.select_for_update().filter(pk=backfill.pk, state__in=LOOKED_AT)
    if not mine.exists():
        return False
    by.record("backfill.discarded", backfill, before=figures(backfill))
    Backfill.objects.filter(pk=backfill.pk, state__in=LOOKED_AT).delete()
    return True


def left_over_titles(backfill: Backfill) -> list[str]:
    return [*original_titles(backfill), LINE, WHY]


def original_titles(backfill: Backfill) -> list[str]:
    """Without those of an earlier file of rows not taken."""
    return [title for title in backfill.titles if title not in (LINE, WHY)]


def left_over_rows(backfill: Backfill) -> Iterator[list[str]]:
    """Rows that were not taken, as cells of a file that can be mended and uploaded again."""
    keep = [title not in (LINE, WHY) for title in backfill.titles]
    for row in backfill.left_over.iterator():
        cells: list[str] = json.loads(row.cells)
        cells += [""] * (len(keep) - len(cells))
        wanted = [cell for cell, kept in zip(cells, keep, strict=False) if kept]
        # What stands beyond the last title belongs to no column, and would be lost silently.
        yield [*wanted, str(row.line), row.why, *cells[len(keep) :]]


def prune() -> int:
    """Forget rows that were not taken 30 days after their file's end, and files that nobody began.

    For a periodic job. Returns how many rows and files went.
    """
    old = Now() - KEPT
    waiting = Q(state__in=LOOKED_AT, uploaded_at__lt=old)
    gone = 0
    for pk in Backfill.objects.filter(waiting).values_list("pk", flat=True)[:PRUNED_AT_ONCE]:
        gone += Backfill.objects.filter(waiting, pk=pk).delete()[0]
    rows = RowNotTaken.objects.filter(backfill__ended_at__lt=old)
    while some := list(rows.values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
        gone += RowNotTaken.objects.filter(pk__in=some).delete()[0]
    if gone:
        log.info("backfill.pruned", gone=gone)
    return gone
