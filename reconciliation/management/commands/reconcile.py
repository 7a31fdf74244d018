"""Compare our ledger with the engine's now, by hand: what the worker does every minute."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from members.engine import engine
from reconciliation.job import run_once


class Command(BaseCommand):
    help = (
        "Compare what we hold of members with recent acts with their history at the engine, once "
        "round, within what people leave of its quota; then say what was found and end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--member-limit", type=int, help="Read so many members at most.")

    def handle(self, *args: Any, **options: Any) -> None:
        run = run_once(engine(), member_limit=options["member_limit"])
        self.stdout.write(
            f"{run.members_read} members read with {run.calls} calls "
            f"({run.calls_per_member:.2f} a member), {run.unreadable} unreadable; "
            f"{run.found} differences found, {run.gone} gone; {run.left or 0} members left."
        )
