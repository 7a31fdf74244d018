"""Codes of sales that nothing here had yet: a shop's own coupon, or one whose answer is still lost.

A sale may come while its redemption is uncertain: then the code is used as soon as it is known.
"""

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import structlog
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now, Upper

log = structlog.get_logger(__name__)

# A redemption is settled within hours.
KEPT = timedelta(days=30)
LONGEST_CODE = 255


class SoldCode(models.Model):
    """A code that a sale had and nothing here, and what it turned out to be. `sale` is the order's
    id; the code stands in capitals, as tills type it in any."""

    code = models.CharField(max_length=LONGEST_CODE)
    sale = models.CharField(max_length=255)
    told_at = models.DateTimeField(db_default=Now(), editable=False)
    redemption = models.ForeignKey(
        "redemptions.PendingRedemption", models.PROTECT, null=True, blank=True
    )
    outcome = models.CharField(max_length=20, blank=True)

    class Meta:
        verbose_name = "sold code"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["told_at"], name="sold_codes_by_time"),
            models.Index(fields=["sale"], name="sold_codes_of_a_sale"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["code", "sale"], name="a_sold_code_is_kept_once"),
            models.CheckConstraint(
                condition=Q(redemption=None, outcome="") | ~Q(redemption=None) & ~Q(outcome=""),
                name="a_sold_code_that_was_found_has_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"Sold code {self.pk}"


def keep_sold(code: str, sale: str) -> None:
    """In the transaction that records the sale. After its commit `use_what_was_sold` must look."""
    capitals = code.upper()
    # Some letters become three; no code of the engine has any of those.
    if len(capitals) <= LONGEST_CODE:
        SoldCode.objects.bulk_create([SoldCode(code=capitals, sale=sale)], ignore_conflicts=True)


def use_what_was_sold(only: UUID | None = None) -> int:
    """Open redemptions whose code a sale had before it was known here: used now. How many.

    Called after a sale with such a code was committed, and after a redemption with its code was: so
    of two at once at least one sees the other. The worker calls it where a process died between.
    A code can come again: not one that was asked for only after the sale.
    """
    from redemptions.models import PendingRedemption  # noqa: PLC0415 - which knows of this
    from redemptions.states import OPEN  # noqa: PLC0415
    from redemptions.use import CodeOutcome, ask_about_odd, use_one  # noqa: PLC0415

    sold = SoldCode.objects.filter(
        code=OuterRef("in_capitals"), redemption=None, told_at__gte=OuterRef("requested_at")
    )
    rows = PendingRedemption.objects.filter(state__in=OPEN).alias(in_capitals=Upper("code"))
    if only:
        rows = rows.filter(pk=only)
    used = 0
    for pk in rows.filter(Exists(sold)).values_list("pk", flat=True):
        with transaction.atomic():
            redemption = PendingRedemption.objects.select_for_update(of=("self",)).get(pk=pk)
            open_ones = SoldCode.objects.filter(
                code=redemption.code.upper(),
                redemption=None,
                told_at__gte=redemption.requested_at,
            ).order_by("pk")
            for each in open_ones:
                outcome = use_one(redemption, each.sale)
                SoldCode.objects.filter(pk=each.pk).update(redemption=redemption, outcome=outcome)
                ask_about_odd(CodeOutcome(each.code, outcome, redemption))
                log.info("redemption.sold_before_known", redemption=str(pk), outcome=outcome)
                used += 1
    return used


def found_since(sale: str) -> dict[str, SoldCode]:
    """By the code in capitals: what the sale's unknown ones turned out to be."""
    rows = SoldCode.objects.filter(sale=sale, redemption__isnull=False).select_related("redemption")
    return {row.code: row for row in rows}


def prune() -> int:
    """Periodic: what no redemption can turn up for any more. How many went."""
    old = SoldCode.objects.filter(told_at__lt=Now() - KEPT, redemption=None)
    return old.delete()[0]
