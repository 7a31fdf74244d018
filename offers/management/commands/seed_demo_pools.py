"""A pool of codes for the demo, with four weeks of use behind it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from audit.record import By, Who
from offers.filling import keep
from offers.models import Batch, Part, Pool, Use

# The sandbox's custom coupon, and how many codes it holds at first.
OPTION_ID, NAME, LEFT = 90140, "Tote bag voucher", 5
TAKEN = (2, 1, 3, 2, 4, 2, 1) * 4
FEW = 10


class Command(BaseCommand):
    help = "Make the demo's pool of codes, with a file that waits to be sent. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This invents figures: run it with LOYALTY_MODE=demo.")
        if not Pool.objects.filter(option_id=OPTION_ID).exists():
            seed()


@transaction.atomic
def seed() -> None:
    now = datetime.now(UTC)
    taken = sum(TAKEN)
    began = now - timedelta(days=len(TAKEN) + 1)
    figures = {"confirmed": taken + LEFT, "taken": taken, "low_at": FEW}
    pool = Pool.objects.create(option_id=OPTION_ID, name=NAME, created_at=began, **figures)
    Use.objects.bulk_create(
        Use(pool=pool, day=(now - timedelta(days=days)).date(), count=count)
        for days, count in enumerate(TAKEN)
    )
    sent = {"size": taken + LEFT, "uploaded_by": "manager", "uploaded_at": began, "sent_at": began}
    batch = Batch.objects.create(pool=pool, name="autumn.csv", **sent)
    Part.objects.create(batch=batch, number=1, size=batch.size, codes="", confirmed_at=began)
    waiting = "\n".join(["Code", *(f"TOTE-W{number:03}" for number in range(1, 41)), "TOTE-W001"])
    keep(pool, "winter.csv", waiting.encode(), By(Who.machine("the demo")))
