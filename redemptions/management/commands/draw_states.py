"""Draw the states of redemptions and deliveries into docs/architecture.md, or check them."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from outbox.states import draw as draw_deliveries
from redemptions.states import draw as draw_redemptions

DRAWN = {"redemptions": draw_redemptions, "outbox": draw_deliveries}
BEGINS = "<!-- Drawn from {}/states.py by `python manage.py draw_states`. -->\n"
ENDS = "<!-- Until here. -->\n"


class Command(BaseCommand):
    help = "Draw the states of redemptions and deliveries into docs/architecture.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail when the page is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        page = settings.BASE_DIR / "docs" / "architecture.md"
        text = page.read_text()
        if not options["check"]:
            page.write_text(with_diagrams(text))
        elif text != with_diagrams(text):
            raise CommandError(f"{page.name} is stale. Run: python manage.py draw_states")


def with_diagrams(text: str) -> str:
    for room, draw in DRAWN.items():
        text = with_diagram(text, BEGINS.format(room), draw())
    return text


def with_diagram(text: str, mark: str, diagram: str) -> str:
    before, begins, rest = text.partition(mark)
    _, ends, after = rest.partition(ENDS)
    if not (begins and ends):
        raise CommandError("The page has lost the two marks between which a diagram stands.")
    return f"{before}{begins}{diagram}{ends}{after}"
