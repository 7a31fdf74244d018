"""A new POS: its installation, and the secrets by which it is known."""

import json
from argparse import ArgumentParser
from itertools import count
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from access.keys import ApiKey, LaunchSecret, WebhookSecret
from audit.record import Where, Who, record
from stores.models import Installation
from stores.platforms import Platform

LABEL = "create_installation"
LONGEST_SLUG = 58  # leaves room for a suffix
BEFORE_HEARTLAND_OPENS = (
    "Before it opens: nothing tells the panel of Heartland's sales by itself, and the points of a "
    "code of which it hears nothing go back, also where a sale took it. Let a server report the "
    "sales, or raise --unasked-reverse-minutes: docs/bridge.md, Heartland Retail."
)
# Where an option is not named as the field that it fills.
OPTIONS = {"name": "NAME", "origins": "--origin", "order_status": "--status"}


class Command(BaseCommand):
    help = (
        "Make an installation, which is one POS that embeds the panel, with a key of each kind. "
        "Its secrets are printed this once. Without --id its id follows from its name; where that "
        "is taken, with a number."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what people call it")
        parser.add_argument("--pos", choices=Installation.Pos.values, required=True)
        parser.add_argument(
            "--origin",
            dest="origins",
            action="append",
            required=True,
            metavar="URL",
            help="https://host of a page that may show the panel in a frame; can be given again",
        )
        parser.add_argument("--region", help="country of phone numbers (default US)")
        parser.add_argument("--currency", help="ISO 4217 code (default USD)")
        parser.add_argument("--time-zone", help="name of the IANA list (default UTC)")
        parser.add_argument("--order-prefix", help="stands before sale ids in orders")
        parser.add_argument(
            "--platform", choices=Platform.values, help="of the online shop (default custom)"
        )
        parser.add_argument(
            "--status",
            dest="order_status",
            help="of our orders, as the account's setting wants it (default the platform's usual)",
        )
        parser.add_argument("--lease-minutes", type=int, help="1 to 240 (default 15)")
        parser.add_argument("--unasked-reverse-minutes", type=int, help="1 or more (default 60)")
        parser.add_argument("--id", help="stands in the panel's address")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        fields = {field.name for field in Installation._meta.fields}
        given = {name: value for name, value in options.items() if value is not None}
        try:
            made = create_installation(**{name: given[name] for name in fields & given.keys()})
        except ValidationError as error:
            raise CommandError(in_words(error)) from None
        except IntegrityError:
            raise CommandError(
                "Another installation was made at the same moment, and nothing of this one. "
                "Run it again."
            ) from None
        self.stdout.write(json.dumps(made) if options["json"] else as_text(made))
        if options["pos"] == Installation.Pos.HEARTLAND:
            self.stderr.write(self.style.WARNING(BEFORE_HEARTLAND_OPENS))


@transaction.atomic
def create_installation(**fields: Any) -> dict[str, str]:
    """Its id and its secrets. Raises ValidationError."""
    installation = Installation(**{"id": free_id(fields["name"]), **fields})
    installation.full_clean()
    installation.save(force_insert=True)
    record(
        act="installation.added",
        who=Who.machine(LABEL),
        subject=installation,
        where=Where.at(installation=installation),
        after={name: getattr(installation, name) for name in {"id", "order_prefix", *fields}},
    )
    launch = LaunchSecret.issue(installation, LABEL)
    return {
        "id": installation.id,
        "launch_kid": launch.kid,
        "launch_secret": launch.secret,
        "api_key": ApiKey.issue(installation, LABEL),
        "webhook_secret": WebhookSecret.issue(installation, LABEL),
    }


def free_id(name: str) -> str:
    """Empty where the name has no letter that an address can hold."""
    slug = slugify(name)[:LONGEST_SLUG].strip("-_")
    if not slug:
        return ""
    taken = set(Installation.objects.filter(id__startswith=slug).values_list("id", flat=True))
    numbered = (f"{slug}-{number}" for number in count(2))
    return slug if slug not in taken else next(one for one in numbered if one not in taken)


def in_words(error: ValidationError) -> str:
    """Each option with what is wrong with it."""
    return "\n".join(
        f"{OPTIONS.get(field, '--' + field.replace('_', '-'))}: {' '.join(said)}"
        for field, said in error.message_dict.items()
    )


def as_text(made: dict[str, str]) -> str:
    return f"""\
Installation {made["id"]} is ready. Copy these now: they are shown this once.

  panel           {settings.PUBLIC_URL}/panel/{made["id"]}/
  launch kid      {made["launch_kid"]}
  launch secret   {made["launch_secret"]}
  API key         {made["api_key"]}
  webhook secret  {made["webhook_secret"]}

New ones are issued, and old ones revoked, in the admin under Access."""
