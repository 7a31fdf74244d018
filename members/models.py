"""The local index of members: who has been seen, under which email the engine knows them."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from database.encryption import EncryptedTextField, blind_index
from database.prepared import Prepared
from members.identity import email_identity
from stores.models import Associate, Store


class MemberQuerySet(models.QuerySet["Member"]):
    def with_email(self, address: str) -> "Member | None":
        return self.filter(email_index=blind_index(email_identity(address))).first()

    def seen(self, address: str) -> "Member":
        """The row of the engine's email: written at first sight, only read ever after."""
        return (
            self.with_email(address)
            or self.get_or_create(
                email_index=blind_index(email_identity(address)),
                defaults={"email": address.strip()},
            )[0]
        )


class Member(models.Model):
    """A person whom the engine knows by this email."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = EncryptedTextField(help_text="As the engine has it; every writing call uses it.")
    email_index = models.CharField(max_length=64, unique=True, editable=False)
    first_seen_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar = MemberQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Member {str(self.id)[:8]}"

    @classmethod
    def id_of(cls, address: str) -> uuid.UUID:
        """As `seen`, where the id is enough: nothing is decrypted, for a look-up asks this."""
        known = ID_BY_INDEX.ask(blind_index(email_identity(address)))
        return known[0] if known else cls.objects.seen(address).id


def id_by_index(email_index: str) -> models.QuerySet[Member, uuid.UUID]:
    return Member.objects.filter(email_index=email_index).values_list("id", flat=True)


ID_BY_INDEX = Prepared(id_by_index, blank="")


class LastKnown(models.Model):
    """What the engine said last of a member: shown, with its age, while it is out of reach."""

    member = models.OneToOneField(Member, models.CASCADE, primary_key=True)
    figures = EncryptedTextField()
    phone_index = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    as_of = models.DateTimeField()

    class Meta:
        verbose_name_plural = "last known figures"

    def __str__(self) -> str:
        return f"Last known figures of {self.member_id}"


class Consent(models.Model):
    """What a member agreed to or refused, when and in which words. Never changed, only added to."""

    class Purpose(models.TextChoices):
        MARKETING_EMAIL = "marketing_email", "Marketing emails"

    member = models.ForeignKey(Member, models.PROTECT, related_name="consents")
    purpose = models.CharField(max_length=40, choices=Purpose)
    granted = models.BooleanField()
    wording_version = models.CharField(max_length=40)
    given_at = models.DateTimeField(db_default=Now(), editable=False)
    store = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    associate = models.ForeignKey(Associate, models.PROTECT, null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-given_at"]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}: {'yes' if self.granted else 'no'}"
