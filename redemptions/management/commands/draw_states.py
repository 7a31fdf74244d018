"""Draw the states of a redemption into docs/architecture.md, or check that it is fresh."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from redemptions.states import draw

BEGINS = "<!-- Drawn from redemptions/states.py by `python manage.py draw_states`. -->\n"
ENDS = "<!-- Until here. -->\n"


class Command(BaseCommand):
    help = "Draw the diagram of a redemption's states into docs/architecture.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail when the page is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        page = settings.BASE_DIR / "docs" / "architecture.md"
        text = page.read_text()
        if not options["check"]:
            page.write_text(with_diagram(text))
        elif text != with_diagram(text):
            raise CommandError(f"{page.name} is stale. Run: python manage.py draw_states")


def with_diagram(text: str) -> str:
    before, begins, rest = text.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not (begins and ends):
        raise CommandError("The page has lost the two marks between which the diagram stands.")
    return f"{before}{begins}{draw()}{ends}{after}"
