"""The trail: who did what, where and when. It is only ever added to.

It names people and places by what they were called at the time, and by their ids, without foreign
keys: what is deleted elsewhere must neither change an entry nor be kept by one.
"""

from typing import Any, ClassVar, NoReturn

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class AppendOnly(Exception):
    """An entry of the trail is never changed and never deleted."""


def refuse(*_args: object, **_options: object) -> NoReturn:
    raise AppendOnly("An entry of the audit trail is never changed or deleted. Record another one.")


class EntryQuerySet(models.QuerySet["Entry"]):
    def bulk_create(self, *args: Any, **options: Any) -> list["Entry"]:
        if options.get("update_conflicts"):
            refuse()
        return super().bulk_create(*args, **options)

    update = refuse
    bulk_update = refuse
    delete = refuse
    _raw_delete = refuse


class Entry(models.Model):
    """One act, done or refused. Written by `audit.record.record`."""

    class Outcome(models.TextChoices):
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    class WhoKind(models.TextChoices):
        ASSOCIATE = "associate", "Associate"
        USER = "user", "Manager in the admin"
        MACHINE = "machine", "A key, a worker or a command"

    at = models.DateTimeField(db_default=Now(), editable=False, db_index=True)
    act = models.CharField(max_length=80, db_index=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    who_kind = models.CharField(max_length=10, choices=WhoKind)
    who_id = models.CharField(max_length=64, blank=True)
    who = models.CharField(max_length=250)
    installation = models.CharField(max_length=64, blank=True)
    store_id = models.BigIntegerField(null=True)
    store = models.CharField(max_length=200, blank=True)
    till_id = models.BigIntegerField(null=True)
    till = models.CharField(max_length=500, blank=True)
    subject_type = models.CharField(max_length=80, blank=True)
    subject_id = models.CharField(max_length=64, blank=True, db_index=True)
    before = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    after = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects: ClassVar = EntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        ordering: ClassVar = ["-id"]
        base_manager_name = "objects"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(outcome__in=["done", "refused"]), name="an_act_is_done_or_refused"
            ),
            models.CheckConstraint(
                condition=Q(who_kind__in=["associate", "user", "machine"]) & ~Q(who=""),
                name="an_act_is_somebodys",
            ),
            models.CheckConstraint(condition=~Q(act=""), name="an_entry_names_its_act"),
        ]

    def __str__(self) -> str:
        return f"{self.act} by {self.who}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            refuse()
        # Never an update, even where an id was given that is taken.
        super().save(**{**options, "force_insert": True})

    delete = refuse
