"""A key for whoever tries the JSON API of the demo."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, transaction

from access.keys import ApiKey, TwoAreLive
from stores.models import Installation

LABEL = "tried by hand"


class Command(BaseCommand):
    help = (
        "Print a new API key of the demo's installation. The one that this printed before ends. "
        "Elsewhere keys are issued in the admin, under Access, API keys."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError(
                "This is for the demo: run it as `make demo-key`. A shop's keys are issued in its "
                "admin, under Access, API keys."
            )
        try:
            self.stdout.write(new_key())
        except TwoAreLive as error:
            raise CommandError(str(error)) from None
        except (DatabaseError, Installation.DoesNotExist):
            raise CommandError("There is no demo here yet: run `make demo` first.") from None


@transaction.atomic
def new_key() -> str:
    """Raises TwoAreLive where others were issued by hand: none of those is ended."""
    installation = Installation.objects.get(pk=settings.DEMO_INSTALLATION)
    for key in ApiKey.objects.filter(installation=installation, label=LABEL, revoked_at=None):
        key.revoke()
    return ApiKey.issue(installation, LABEL)
