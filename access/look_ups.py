"""How many customers each till and each associate has looked up, against harvesting.

A look-up writes nothing: counts gather in memory and are written in batches. So a limit that all
processes share is kept to within a batch of each.
"""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When

from audit.models import Entry
from audit.record import Where, Who, record
from database.batch import Batch
from stores.models import Associate, Till

log = structlog.get_logger(__name__)

AN_HOUR = 3600


class TooManyLookUps(Exception):
    """This till or this associate has looked up more customers in this hour than anybody serves."""


class LookUps(models.Model):
    """What one till, or one associate, has looked up from one full hour (UTC) to the next."""

    till = models.ForeignKey(Till, models.CASCADE, null=True, related_name="+")
    associate = models.ForeignKey(Associate, models.CASCADE, null=True, related_name="+")
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)
    refused_at = models.DateTimeField(null=True, help_text="The limit of the hour was reached.")

    class Meta:
        app_label = "access"
        verbose_name = verbose_name_plural = "look-ups of an hour"
        ordering = ("-hour", "-count")
        constraints = (
            models.CheckConstraint(
                condition=Q(till=None) ^ Q(associate=None), name="look_ups_are_of_one_or_the_other"
            ),
            models.UniqueConstraint(fields=["till", "hour"], name="a_till_has_one_count_an_hour"),
            models.UniqueConstraint(
                fields=["associate", "hour"], name="an_associate_has_one_count_an_hour"
            ),
        )

    def __str__(self) -> str:
        return f"{self.till or self.associate}, {self.hour:%d %b %H:00}"


class Key(NamedTuple):
    """Whose, of which hour since 1970."""

    kind: str
    pk: int
    hour: int

    @property
    def names(self) -> dict[str, Any]:
        return {
            f"{self.kind}_id": self.pk,
            "hour": datetime.fromtimestamp(self.hour * AN_HOUR, UTC),
        }


class Meter(Batch[Key, int]):
    """Counts of this process, on top of what all processes have written."""

    lost = "look_ups.batch_lost"

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[Key, int] = {}
        self._told: set[Key] = set()
        self._counting = threading.Lock()

    def every_seconds(self) -> float | None:
        return settings.LOOK_UPS_SECONDS

    def count(self, till: Till, associate: Associate, now: float | None = None) -> None:
        """One more. Raises TooManyLookUps instead, which goes into the trail once an hour."""
        hour = int((now or time.time()) // AN_HOUR)
        keys = {
            Key("till", till.pk, hour): settings.LOOK_UPS_OF_A_TILL,
            Key("associate", associate.pk, hour): settings.LOOK_UPS_OF_AN_ASSOCIATE,
        }
        with self._counting:
            over = [key for key, most in keys.items() if self.of(key) >= most]
            if not over:
                self.put_all({key: self._noted.get(key, 0) + 1 for key in keys})
                return
            is_news = not self._told.issuperset(over)
            self._told.update(over)
        if is_news:
            tell(over, till, associate)
        raise TooManyLookUps

    def of(self, key: Key) -> int:
        return self._known.get(key, 0) + self._noted.get(key, 0)

    def save(self, noted: Mapping[Key, int]) -> None:
        if not noted:
            return
        these = Q()
        for key in noted:
            these |= Q(**key.names)
        more = [When(Q(**key.names), then=Value(number)) for key, number in noted.items()]
        with transaction.atomic():
            LookUps.objects.bulk_create(
                [LookUps(**key.names) for key in noted], ignore_conflicts=True
            )
            LookUps.objects.filter(these).update(count=F("count") + Case(*more))
        totals = {
            (row.till_id, row.associate_id, row.hour): row.count
            for row in LookUps.objects.filter(these)
        }
        newest = max(key.hour for key in noted)
        with self._counting:
            self._told = {key for key in self._told if key.hour == newest}
            self._known = {key: n for key, n in self._known.items() if key.hour == newest}
            for key in noted:
                names = key.names
                place = (names.get("till_id"), names.get("associate_id"), names["hour"])
                self._known[key] = totals.get(place, noted[key])


def tell(over: list[Key], till: Till, associate: Associate) -> None:
    """For a manager: in the log, in the trail, and beside the count in the admin."""
    who = Who.associate(associate)
    for key in over:
        log.error("look_ups.too_many", of=key.kind, id=key.pk)
        row, _ = LookUps.objects.get_or_create(**key.names)
        if not LookUps.objects.filter(pk=row.pk, refused_at=None).update(
            refused_at=datetime.now(UTC)
        ):
            continue
        record(
            act="member.looked_up_too_often",
            who=who,
            subject=till if key.kind == "till" else associate,
            where=Where.at(till=till),
            outcome=Entry.Outcome.REFUSED,
        )


meter = Meter()
