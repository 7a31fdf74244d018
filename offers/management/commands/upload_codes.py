"""Put the codes of a file into the pool of an offer."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.record import By, Who
from database.spreadsheets import Unreadable
from offers.filling import CannotUpload, discard, keep, send
from offers.models import Batch, Pool

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Read a file of codes (one a line, or a CSV with a column Code) and send them to the "
        "engine, 10,000 a call. The worker does the sending; the admin shows how far it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("offer", type=int, help="the engine's option id")
        parser.add_argument("file", type=Path)
        parser.add_argument("--name", default="", help="what tills call the offer")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be sent, and keep nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            raw = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"{options['file']} can't be read: {error.strerror}.") from None
        name = options["name"] or f"Offer {options['offer']}"
        pool, is_new = Pool.objects.get_or_create(
            option_id=options["offer"], defaults={"name": name}
        )
        by = By(Who.machine("manage.py upload_codes"))
        try:
            batch = keep(pool, options["file"].name, raw, by)
        except (Unreadable, CannotUpload) as error:
            raise CommandError(str(error)) from None
        self.tell(batch)
        if options["dry_run"]:
            discard(batch, by)
            if is_new:
                pool.delete()
            self.stdout.write("Nothing was kept: this was a dry run.")
            return
        send(batch, by)
        self.stdout.write("They are on their way: see Batches in the admin.")

    def tell(self, batch: Batch) -> None:
        parts = batch.parts.count()
        calls = "one call" if parts == 1 else f"{parts} calls"
        self.stdout.write(f"{batch.size:,} codes for {batch.pool}, in {calls}.")
        for line, why in batch.report[:SHOWN]:
            self.stdout.write(f"  line {line}: {why}")
        if len(batch.report) > SHOWN:
            self.stdout.write(f"  ... and {len(batch.report) - SHOWN:,} more lines left out.")
