"""What of pools a person should know of (database.conditions)."""

from collections.abc import Iterator
from typing import Any

from django.urls import reverse

from database.conditions import Condition, gives
from offers.models import Pool
from offers.pools import forecast, with_pace


@gives("pool.empty", "pool.low")
def watch_pools() -> Iterator[Condition]:
    """Offers whose codes are gone, or soon will be."""
    pool: Any  # with `lately`
    for pool in with_pace(Pool.objects.order_by()):
        path = reverse("admin:offers_pool_change", args=[pool.pk])
        if pool.is_empty:
            yield Condition(
                kind="pool.empty",
                subject=str(pool.option_id),
                words=f"{pool.name}: no codes left, so tills do not offer it. Upload new ones.",
                since=pool.empty_since,
                path=path,
            )
        elif pool.is_low:
            words = f"{pool.name}: {pool.stock:,} codes left, {forecast(pool, pool.lately)}."
            yield Condition(
                kind="pool.low",
                subject=str(pool.option_id),
                words=f"{words} Upload new ones.",
                path=path,
            )
