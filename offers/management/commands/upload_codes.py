"""Put the codes of a file into the pool of an offer."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from audit.record import By, Who
from offers.code_files import LARGEST_FILE, Unreadable
from offers.filling import CannotUpload, keep, send
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
        """All of it or nothing: killed in between, it leaves no batch that nobody sends."""
        raw = read(options["file"])
        by = By(Who.machine("manage.py upload_codes"))
        with transaction.atomic():
            pool = pool_of(options["offer"], options["name"] or f"Offer {options['offer']}")
            try:
                batch = keep(pool, options["file"].name, raw, by)
            except (Unreadable, CannotUpload) as error:
                raise CommandError(str(error)) from None
            self.tell(batch)
            if options["dry_run"]:
                transaction.set_rollback(True)
            else:
                send(batch, by)
        self.stdout.write(
            "Nothing was kept: this was a dry run."
            if options["dry_run"]
            else "They are on their way: see Batches in the admin."
        )

    def tell(self, batch: Batch) -> None:
        parts = batch.parts.count()
        calls = "one call" if parts == 1 else f"{parts} calls"
        self.stdout.write(f"{batch.size:,} codes for {batch.pool}, in {calls}.")
        for line, why in batch.report[:SHOWN]:
            self.stdout.write(f"  line {line}: {why}")
        if len(batch.report) > SHOWN:
            self.stdout.write(f"  ... and {len(batch.report) - SHOWN:,} more lines left out.")


def read(file: Path) -> bytes:
    """One byte more than is taken, at most. Raises CommandError."""
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise CommandError(f"{file} can't be read: {error.strerror}.") from None


def pool_of(option_id: int, name: str) -> Pool:
    """The one that there is, or a new one. Raises CommandError."""
    there = Pool.objects.filter(option_id=option_id).first()
    if there is not None:
        return there
    pool = Pool(option_id=option_id, name=name)
    try:
        pool.full_clean()
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from None
    pool.save()
    return pool
