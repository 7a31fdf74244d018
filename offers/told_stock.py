"""How many codes a pool has left by what the engine said last (its low-stock webhook).

There is no call that counts them, so this is all that the engine says of it.
"""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from connectors.yotpo.webhook import Event
from stores.models import Installation


class ToldStock(models.Model):
    """Of one offer, by the engine's option id. It tells at a threshold, at its half, ..., at 0."""

    offer_id = models.BigIntegerField(primary_key=True)
    offer_name = models.CharField(max_length=255, blank=True)
    unused_codes = models.PositiveBigIntegerField()
    told_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "stock as the engine told it"
        verbose_name_plural = "stocks as the engine told them"
        ordering: ClassVar = ["offer_id"]

    def __str__(self) -> str:
        return f"{self.offer_name or self.offer_id}: {self.unused_codes} codes left"


def told_low(event: Event, _installation: Installation) -> str:
    """swell/redemption_code/below_threshold. What was done, as a word.

    Webhooks may come out of order and name no time: the number told last counts.
    """
    if event.option_id is None or event.unused_codes is None or event.unused_codes < 0:
        return "names_no_stock"
    ToldStock.objects.update_or_create(
        offer_id=event.option_id,
        defaults={
            "offer_name": (event.option_name or "")[:255],
            "unused_codes": event.unused_codes,
            "told_at": Now(),
        },
    )
    return "stock_noted"
