"""Record the sales of a file. Killed and run again with the same file, it goes on."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.record import By, Where, Who
from backfill.keeping import UploadedBefore, begin, discard, go_on, keep
from backfill.models import Backfill
from backfill.states import ENDED, LOOKED_AT, State
from backfill.working import work
from database.spreadsheets import Unreadable
from stores.models import Installation

A_LOOK_SECONDS = 2.0
SHOWN = 20


class Command(BaseCommand):
    help = (
        "Record sales, and their refunds, from a CSV file (docs/backfill.md). What is recorded is "
        "not recorded twice: run it again with the same file to go on after it was ended."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--installation", required=True, help="its id")
        engine = parser.add_mutually_exclusive_group()
        engine.add_argument("--tell-engine", action="store_true", help="members earn for them")
        engine.add_argument(
            "--record-only", action="store_true", help="as history; the engine hears nothing"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be recorded, and keep nothing"
        )
        parser.add_argument("--json", action="store_true", help="figures as JSON, a line each")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["tell_engine"] or options["record_only"] or options["dry_run"]):
            raise CommandError("Say --tell-engine or --record-only, or try it with --dry-run.")
        self.as_json = options["json"]
        backfill, by = self.take_in(options)
        try:
            self.go_through(backfill, by, dry_run=options["dry_run"])
        except Backfill.DoesNotExist:
            raise CommandError(
                "Somebody discarded it in the admin: nothing was recorded."
            ) from None

    def go_through(self, backfill: Backfill, by: By, *, dry_run: bool) -> None:
        self.work_while(backfill, State.CHECKING)
        if dry_run:
            self.tell_left_over(backfill)
            if discard(backfill, by):
                self.say("Nothing was recorded: this was a dry run.")
            return
        # Either it was looked at just now, or it was begun before and the process was ended.
        begin(backfill, by) or go_on(backfill, by)
        self.work_while(backfill, State.RECORDING)
        self.tell_left_over(backfill)
        if backfill.state not in ENDED:
            raise CommandError("Somebody paused it in the admin. Run this again to go on.")

    def take_in(self, options: dict[str, Any]) -> tuple[Backfill, By]:
        file = options["file"]
        installation = Installation.objects.filter(id=options["installation"]).first()
        if installation is None:
            raise CommandError(f"There is no installation {options['installation']!r}.")
        by = By(Who.machine("manage.py backfill_sales"), Where.at(installation=installation))
        try:
            raw = file.read_bytes()
            tells = options["tell_engine"]
            return keep(installation, file.name, raw, tells_engine=tells, by=by), by
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.") from None
        except Unreadable as error:
            raise CommandError(str(error)) from None
        except UploadedBefore as error:
            return self.that_goes_on(error.backfill, options), by

    def that_goes_on(self, there: Backfill, options: dict[str, Any]) -> Backfill:
        if options["dry_run"]:
            stands = there.get_state_display()
            raise CommandError(f"It was uploaded before and has not ended: {stands}.")
        if there.state in LOOKED_AT:
            Backfill.objects.filter(pk=there.pk, state__in=LOOKED_AT).update(
                tells_engine=options["tell_engine"]
            )
            there.refresh_from_db()
        if there.tells_engine != options["tell_engine"]:
            begun = "--tell-engine" if there.tells_engine else "--record-only"
            raise CommandError(f"This file was begun with {begun}: go on so, or stop it first.")
        self.say(f"Going on with the file uploaded on {there.uploaded_at:%Y-%m-%d %H:%M} UTC.")
        return there

    def work_while(self, backfill: Backfill, state: State) -> None:
        """Beside the worker, if there is one: whoever holds the file works."""
        never = Event()
        while backfill.state == state:
            if not work(backfill, A_LOOK_SECONDS, never):
                time.sleep(A_LOOK_SECONDS)
                backfill.refresh_from_db()
            self.tell(backfill)

    def tell(self, backfill: Backfill) -> None:
        names = ("state", "size", "position", "new", "already_there", "not_taken", "unseen")
        if self.as_json:
            told = {name: getattr(backfill, name) for name in names}
            self.stdout.write(json.dumps({"backfill": backfill.pk, **told}))
            return
        self.stdout.write(
            f"{backfill.get_state_display()}: {backfill.position:,} of {backfill.size:,} rows; "
            f"{backfill.new:,} new, {backfill.already_there:,} there already, "
            f"{backfill.not_taken:,} not taken."
        )

    def tell_left_over(self, backfill: Backfill) -> None:
        for row in backfill.left_over.defer("cells")[:SHOWN]:
            self.say(f"  line {row.line}: {row.why}")
        if backfill.not_taken > SHOWN:
            self.say(f"  ... and {backfill.not_taken - SHOWN:,} more lines.")
        if backfill.unused:
            self.say(f"Not used: column {', '.join(backfill.unused)}.")

    def say(self, words: str) -> None:
        if not self.as_json:
            self.stdout.write(words)
