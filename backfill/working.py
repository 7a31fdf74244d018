"""Working through a file, row by row, so that it can end at any moment and go on from there.

A row, what is promised to the engine of it, and how far the file is are one transaction. Whoever
works holds the file for some seconds, so that two don't do the same; should they, only one of them
moves the position, and the other's row is rolled back.
"""

import json
import time
from datetime import timedelta
from threading import Event

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from audit.record import By, Who
from backfill.files import Row
from backfill.keeping import figures, rows_of
from backfill.models import Backfill, Part, RowNotTaken
from backfill.reading import Flawed, Given
from backfill.recording import DisabledPlaces, is_there, kept_of, read, record_row
from backfill.states import WORKING, State
from database.encryption import blind_index
from members.identity import email_identity
from members.models import Member
from outbox.models import Delivery
from outbox.periodic import is_run
from outbox.states import State as DeliveryState
from outbox.worker import draining
from sales.models import ORDER
from sales.record import NewSale

log = structlog.get_logger(__name__)

# Renewed with each row. Who is slower than that finds that another one has gone on, and stops.
HELD_FOR = timedelta(seconds=10)
A_SLICE_SECONDS = 1.5
LONGEST_WHY = 500
# A live order stands behind about so many at most: two or three seconds of the engine's quota.
MOST_ORDERS_WAITING = 25
ASKED_EVERY_ROWS = 5
UNTOLD = (DeliveryState.PENDING, DeliveryState.RUNNING, DeliveryState.VERIFYING)


def work_on() -> None:
    """A periodic job: a slice of each file that is being checked or recorded, the oldest first."""
    for backfill in Backfill.objects.filter(state__in=WORKING).order_by("pk"):
        if draining.is_set():
            return
        work(backfill, A_SLICE_SECONDS, draining)


def work(backfill: Backfill, seconds: float, stop: Event) -> bool:
    """Go on with it for so long. False where nothing could be done: another process is at it, it is
    not to be worked on, or the engine has enough to do."""
    try:
        if not hold(backfill):
            return False
        came_on = slice_of(backfill, time.monotonic() + seconds, stop)
    except Backfill.DoesNotExist:  # discarded meanwhile
        return False
    except Part.DoesNotExist:  # stopped meanwhile, and its rows are gone
        came_on = False
    Backfill.objects.filter(pk=backfill.pk).update(held_until=None)
    return came_on


def is_left_alone(backfill: Backfill) -> bool:
    """Neither the worker nor the command is at it, and one of them should be."""
    free = Backfill.objects.filter(is_free(), pk=backfill.pk, state__in=WORKING)
    return free.exists() and not is_run(f"{work_on.__module__}.{work_on.__qualname__}")


def is_free() -> Q:
    return Q(held_until=None) | Q(held_until__lte=Now())


def hold(backfill: Backfill) -> bool:
    mine = Backfill.objects.filter(is_free(), pk=backfill.pk, state__in=WORKING)
    held = mine.update(held_until=Now() + HELD_FOR)
    backfill.refresh_from_db()
    return bool(held)


def slice_of(backfill: Backfill, until: float, stop: Event) -> bool:
    came_on = False
    while backfill.state in WORKING and not stop.is_set() and time.monotonic() < until:
        if backfill.position == backfill.size:
            end(backfill)
        elif backfill.state == State.CHECKING:
            check(backfill, part_at(backfill))
        elif not record_part(backfill, part_at(backfill), until, stop):
            return came_on
        came_on = True
        backfill.refresh_from_db()
    return came_on


def part_at(backfill: Backfill) -> Part:
    return backfill.parts.filter(first__lte=backfill.position).latest("first")


def end(backfill: Backfill) -> None:
    """What it counted is final."""
    if backfill.state == State.CHECKING:
        backfill.move(State.CHECKED)
        return
    with transaction.atomic():
        if backfill.move(State.DONE, ended_at=Now()):
            By(Who.machine("backfill")).record("backfill.ended", backfill, after=figures(backfill))
    log.info("backfill.ended", backfill=backfill.pk, new=backfill.new)


# What would be recorded


def check(backfill: Backfill, part: Part) -> None:
    """Count what its rows would become. Nothing is recorded, and the engine is asked nothing."""
    told, flaws = read_all(backfill, rows_of(part))
    kept = kept_of(backfill.installation, [given for _, given in told])
    places = DisabledPlaces(backfill.installation)
    new: list[NewSale] = []
    counts = {"new": 0, "already_there": 0}
    for row, given in told:
        try:
            places.check(given.place)
            there = is_there(backfill, given.new, kept) or row.twin is not None
        except Flawed as error:
            flaws.append((row, str(error)))
            continue
        counts["already_there" if there else "new"] += 1
        if not there and isinstance(given.new, NewSale):
            new.append(given.new)
    counts |= {"not_taken": len(flaws), "unseen": unseen(new)}
    with transaction.atomic():
        if step(backfill, State.CHECKING, part.size, counts):
            RowNotTaken.objects.bulk_create(left_over(backfill, row, why) for row, why in flaws)


def read_all(
    backfill: Backfill, rows: list[Row]
) -> tuple[list[tuple[Row, Given]], list[tuple[Row, str]]]:
    told: list[tuple[Row, Given]] = []
    flaws: list[tuple[Row, str]] = []
    for row in rows:
        try:
            told.append((row, read(backfill, row)))
        except Flawed as error:
            flaws.append((row, str(error)))
    return told, flaws


def unseen(new: list[NewSale]) -> int:
    """Sales whose buyer this panel has not met. Phones it can't know: the engine is not asked."""
    indexes = [blind_index(email_identity(sale.email)) for sale in new if sale.email]
    met = set(
        Member.objects.filter(email_index__in=set(indexes)).values_list("email_index", flat=True)
    )
    by_phone = sum(bool(sale.phone) for sale in new)
    return by_phone + sum(index not in met for index in indexes)


# Recording


def record_part(backfill: Backfill, part: Part, until: float, stop: Event) -> bool:
    """Its rows from where the file stands. False where the engine has enough to do already."""
    rows = rows_of(part)
    came_on = False
    for number, row in enumerate(rows[backfill.position - part.first :]):
        if stop.is_set() or time.monotonic() >= until:
            break
        if backfill.tells_engine and number % ASKED_EVERY_ROWS == 0 and enough_waits():
            break
        if not record_one(backfill, row, part):
            break
        came_on = True
    return came_on


def enough_waits() -> bool:
    """Orders of live sales count, too: while they are behind, no old one is put beside them."""
    waiting = Delivery.objects.filter(kind=ORDER, state__in=UNTOLD).order_by()
    return waiting[:MOST_ORDERS_WAITING].count() >= MOST_ORDERS_WAITING


def record_one(backfill: Backfill, row: Row, part: Part) -> bool:
    """False where it is not our turn any more: paused, stopped, or another process came on."""
    with transaction.atomic(durable=True):
        # First of all, so that of two only one goes on.
        if not step(backfill, State.RECORDING, 0, {}):
            return False
        try:
            became = "new" if record_row(backfill, row) else "already_there"
        except Flawed as error:
            became = "not_taken"
            left_over(backfill, row, str(error)).save(force_insert=True)
        step(backfill, State.RECORDING, 1, {became: 1})
        if backfill.position == part.first + part.size:
            part.delete()
    return True


def step(backfill: Backfill, state: State, rows: int, counts: dict[str, int]) -> bool:
    """Come on by so many rows, if the file still stands where this object says."""
    mine = Backfill.objects.filter(pk=backfill.pk, state=state, position=backfill.position)
    grown = {name: F(name) + more for name, more in counts.items()}
    held_until = Now() + HELD_FOR
    if not mine.update(position=F("position") + rows, held_until=held_until, **grown):
        return False
    backfill.position += rows
    return True


def left_over(backfill: Backfill, row: Row, why: str) -> RowNotTaken:
    cells = json.dumps(row.cells, ensure_ascii=False)
    return RowNotTaken(backfill=backfill, line=row.line, why=why[:LONGEST_WHY], cells=cells)
