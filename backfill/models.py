"""Files of sales that happened before: months of them, or a week in which a POS could not reach us.

What a file says of people is encrypted. A row is dropped when it was recorded; one that was not
taken stays, to be mended, for 30 days. Times are UTC, by the database's clock.
"""

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from backfill.states import ENDED, SOURCES, State
from database.encryption import EncryptedTextField
from stores.models import Installation

MOST_ROWS_A_PART = 500


class Backfill(models.Model):
    """One file. `position` is the number of rows that are behind it, and moves in the transaction
    that records a row: what a process leaves when it is killed, another one goes on from."""

    installation = models.ForeignKey(Installation, models.PROTECT)
    name = models.CharField("file", max_length=255)
    content = models.CharField(
        max_length=64, editable=False, help_text="A keyed hash: the same file is known again."
    )
    uploaded_by = models.CharField(max_length=250, blank=True)
    uploaded_at = models.DateTimeField(db_default=Now(), editable=False)
    tells_engine = models.BooleanField(
        "members earn", help_text="No: its sales are recorded, and the engine hears of none."
    )
    titles = models.JSONField(default=list)
    unused = models.JSONField(
        "columns that are not used",
        default=list,
        help_text="What they say is forgotten with their rows.",
    )

    state = models.CharField(max_length=16, choices=State, default=State.CHECKING)
    size = models.PositiveIntegerField("rows")
    position = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    already_there = models.PositiveIntegerField(default=0)
    not_taken = models.PositiveIntegerField(default=0)
    unseen = models.PositiveIntegerField(
        "names nobody seen here",
        default=0,
        help_text="New sales whose email or phone this panel has not met. Whether the engine knows "
        "them is asked when it is told of the sale.",
    )
    held_until = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-uploaded_at", "-id"]
        permissions: ClassVar = [("run_backfill", "Can upload files of sales and record them")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=State.values), name="a_backfill_has_a_known_state"
            ),
            models.CheckConstraint(
                condition=Q(size__gt=0, position__lte=F("size")),
                name="a_backfill_stands_within_its_file",
            ),
            models.CheckConstraint(
                condition=Q(
                    position=F("new") + F("already_there") + F("not_taken"),
                ),
                name="a_backfill_counts_each_row_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ENDED, ended_at__isnull=False)
                | ~Q(state__in=ENDED) & Q(ended_at=None),
                name="an_ended_backfill_alone_has_its_end",
            ),
            models.UniqueConstraint(
                fields=["installation", "content"],
                condition=~Q(state__in=ENDED),
                name="a_file_is_worked_on_once_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.size:,} rows)"

    def move(self, to: State, *, only_from: State | None = None, **changes: Any) -> bool:
        """Go to `to` if the row stands where that can be reached from. It is read again."""
        sources = (only_from,) if only_from else SOURCES[to]
        may = type(self).objects.filter(pk=self.pk, state__in=sources)
        moved = may.update(state=to, **changes)
        self.refresh_from_db()
        return bool(moved)

    @property
    def percent(self) -> int:
        return 100 * self.position // self.size


class Part(models.Model):
    """Up to 500 rows of a file, from position `first` on. Deleted when they are recorded."""

    backfill = models.ForeignKey(Backfill, models.CASCADE, related_name="parts")
    first = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    rows = EncryptedTextField(help_text="JSON.")

    class Meta:
        ordering: ClassVar = ["backfill", "first"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["backfill", "first"], name="a_part_of_a_backfill_has_its_place"
            ),
            models.CheckConstraint(
                condition=Q(size__gt=0, size__lte=MOST_ROWS_A_PART),
                name="a_part_of_a_backfill_has_1_to_500_rows",
            ),
        ]

    def __str__(self) -> str:
        return f"Rows {self.first + 1} to {self.first + self.size} of {self.backfill}"


class RowNotTaken(models.Model):
    """A row that was not recorded, or would not be, and why; `why` repeats nothing of it."""

    backfill = models.ForeignKey(Backfill, models.CASCADE, related_name="left_over")
    line = models.PositiveIntegerField()
    why = models.CharField(max_length=500)
    cells = EncryptedTextField(help_text="JSON. Kept for 30 days after the file's end.")

    class Meta:
        ordering: ClassVar = ["backfill", "line"]
        verbose_name = "row not taken"
        verbose_name_plural = "rows not taken"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["backfill", "line"], name="a_row_is_left_over_once")
        ]

    def __str__(self) -> str:
        return f"Line {self.line} of {self.backfill}"
