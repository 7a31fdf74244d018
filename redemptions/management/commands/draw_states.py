"""Draw docs/redemption-states.md from the transitions, or check that it is fresh."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from redemptions.states import draw


class Command(BaseCommand):
    help = "Draw the diagram of a redemption's states into docs/redemption-states.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail when the page is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        page = settings.BASE_DIR / "docs" / "redemption-states.md"
        if not options["check"]:
            page.write_text(draw())
        elif not page.exists() or page.read_text() != draw():
            raise CommandError(f"{page.name} is stale. Run: python manage.py draw_states")
