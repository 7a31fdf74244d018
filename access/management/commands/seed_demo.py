"""The demo's installation, stores, tills, people and keys. The members are the engine's."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from access.demo_sandbox import listen_to
from access.demo_till import equip
from stores.models import Associate, Installation, Store, Till

STORES = {
    "boston": ("Harbor Street, Boston", "", {"1": "Till 1", "2": "Till 2"}),
    "london": ("Lamb's Lane, London", "GB", {"1": "Till 1"}),
}
ASSOCIATES = {
    "ana": ("Ana Pardo", Associate.Role.ASSOCIATE),
    "ben": ("Ben Okafor", Associate.Role.ASSOCIATE),
    "mel": ("Mel Sato", Associate.Role.MANAGER),
}
MANAGER = "manager"
PASSWORD = "demo-manager"  # noqa: S105 - printed on the screen, and made in demo mode only


class Command(BaseCommand):
    help = "Make the demo's installation, stores, tills and associates. Safe to run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="make the tables first")
        parser.add_argument(
            "--till", type=Path, metavar="FILE", help="write a till's keys there, with mode 0600"
        )
        parser.add_argument(
            "--till-origin",
            metavar="URL",
            help="where that till's page is, as http://localhost:8701",
        )

        parser.add_argument(
            "--sandbox",
            metavar="URL",
            help="tell the sandbox there where this installation's webhooks go",
        )
        parser.add_argument(
            "--then",
            action="append",
            default=[],
            metavar="COMMAND",
            help="run this one, too: rooms above seed what is theirs",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("This makes a well-known log-in: run it with LOYALTY_MODE=demo.")
        if bool(options["till"]) != bool(options["till_origin"]):
            raise CommandError("--till and --till-origin go together.")
        if options["migrate"]:
            call_command("migrate", verbosity=0, interactive=False)
        with transaction.atomic():
            installation, _ = Installation.objects.get_or_create(
                id="demo", defaults={"name": "Quill & Thread (demo)"}
            )
            seed_stores(installation)
            seed_associates(installation)
            seed_manager()
            if options["till"]:
                panel_url = f"{settings.PUBLIC_URL}/panel/{installation.id}/"
                equip(
                    installation,
                    options["till"],
                    origin=options["till_origin"],
                    panel_url=panel_url,
                )
        if options["sandbox"]:
            listen_to(options["sandbox"], installation)
        for command in options["then"]:
            call_command(command)
        self.stdout.write(f"Demo installation ready. Admin log-in: {MANAGER} / {PASSWORD}")


def seed_stores(installation: Installation) -> None:
    for code, (name, region, tills) in STORES.items():
        store, _ = Store.objects.get_or_create(
            installation=installation, code=code, defaults={"name": name, "region": region}
        )
        for till_code, till_name in tills.items():
            Till.objects.get_or_create(store=store, code=till_code, defaults={"name": till_name})


def seed_associates(installation: Installation) -> None:
    for code, (name, role) in ASSOCIATES.items():
        Associate.objects.get_or_create(
            installation=installation, code=code, defaults={"name": name, "role": role}
        )


def seed_manager() -> None:
    users = get_user_model().objects
    if not users.filter(username=MANAGER).exists():
        users.create_superuser(MANAGER, password=PASSWORD)
