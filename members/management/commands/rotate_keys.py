"""Encrypt and index anew all that is kept encrypted, with the keys that are set now."""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models, transaction
from django.db.models import Q

from database.encryption import EncryptedTextField, blind_index
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
        for model, fields in others():
            for ids in batches(model._base_manager.exclude(is_empty(fields))):
                rewrite_rows(model, fields, ids)
        rewrite_enrolments()
        count = sum(rewrite(ids) for ids in batches(Member.objects.all()))
        self.stdout.write(f"{count} members written anew.")


def others() -> Iterator[tuple[type[models.Model], list[str]]]:
    """Whatever else has encrypted columns, in any room, with their names."""
    for model in apps.get_models():
        fields = [f.name for f in model._meta.concrete_fields if isinstance(f, EncryptedTextField)]
        if fields and model not in {Member, LastKnown, Enrolment}:
            yield model, fields


@transaction.atomic
def rewrite_enrolments() -> None:
    """What is kept is little, and soon gone."""
    rows = list(Enrolment.objects.select_for_update().filter(details__isnull=False))
    for row in rows:
        if row.state == Enrolment.State.WAITING:
            fill(row, read_details(row))
    Enrolment.objects.bulk_update(rows, ["details", "email_index", "phone_index"], batch_size=BATCH)


def is_empty(fields: list[str]) -> Q:
    return Q(*((f"{name}__isnull", True) for name in fields))


def batches(rows: models.QuerySet[Any]) -> Iterator[list[Any]]:
    ids = iter(list(rows.order_by("pk").values_list("pk", flat=True)))
    while batch := list(islice(ids, BATCH)):
        yield batch


@transaction.atomic
def rewrite_rows(model: type[models.Model], fields: list[str], ids: list[Any]) -> None:
    """A model that has a blind index of its own says so by `index_anew`."""
    rows = list(model._base_manager.select_for_update().filter(pk__in=ids))
    indexes = {name for row in rows for name in getattr(row, "index_anew", list)()}
    model._base_manager.bulk_update(rows, [*fields, *indexes])


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
