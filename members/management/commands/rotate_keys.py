"""Encrypt and index anew all that is kept encrypted, with the keys that are set now."""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand
from django.db import transaction

from access.models import LaunchSecret
from database.encryption import blind_index
from members.identity import email_identity
from members.keeping import fill, read_details
from members.last_known import figures, row_of
from members.models import Enrolment, LastKnown, Member

BATCH = 500


class Command(BaseCommand):
    help = (
        "After a new key was put first in ENCRYPTION_KEYS, or BLIND_INDEX_KEY was changed: write "
        "anew all that is encrypted. The old encryption key can be removed when this has ended. "
        "Safe to run again. For a new BLIND_INDEX_KEY stop the web processes first."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        rewrite_launch_secrets()
        rewrite_enrolments()
        count = sum(rewrite(ids) for ids in batches())
        self.stdout.write(f"{count} members written anew.")


@transaction.atomic
def rewrite_launch_secrets() -> None:
    rows = LaunchSecret.objects.select_for_update()
    LaunchSecret.objects.bulk_update(rows, ["secret"], batch_size=BATCH)


@transaction.atomic
def rewrite_enrolments() -> None:
    """What is kept is little, and soon gone."""
    rows = list(Enrolment.objects.select_for_update().filter(details__isnull=False))
    for row in rows:
        if row.state == Enrolment.State.WAITING:
            fill(row, read_details(row))
    Enrolment.objects.bulk_update(rows, ["details", "email_index", "phone_index"], batch_size=BATCH)


def batches() -> Iterator[list[UUID]]:
    ids = iter(list(Member.objects.order_by("id").values_list("id", flat=True)))
    while batch := list(islice(ids, BATCH)):
        yield batch


@transaction.atomic
def rewrite(ids: list[UUID]) -> int:
    """Reading opens with any of the keys; writing encrypts with the first."""
    members = list(Member.objects.filter(id__in=ids))
    for member in members:
        member.email_index = blind_index(email_identity(member.email))
    Member.objects.bulk_update(members, ["email", "email_index"])
    rewrite_last_known(ids)
    return len(members)


def rewrite_last_known(ids: list[UUID]) -> None:
    known = LastKnown.objects.filter(member_id__in=ids)
    rows = [row_of(figures.validate_json(row.figures)) for row in known]
    LastKnown.objects.bulk_update(rows, ["figures", "phone_index"])
