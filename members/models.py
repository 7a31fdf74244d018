"""The local index of members: who has been seen, under which email the engine knows them."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from database.encryption import EncryptedTextField, blind_index
from database.prepared import Prepared
from members.identity import Email, Identity, email_identity
from stores.models import Associate, Installation, Store


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
    refund_told_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="The engine was last told of a refund of a sale with codes: it may give points "
        "back for it.",
    )

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
    looked_up_at = models.DateTimeField(
        db_default=Now(), help_text="When a till or a POS asked for them last."
    )

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


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    def waiting_for(self, identity: Identity) -> "Enrolment | None":
        """Of several with one phone the last one."""
        if isinstance(identity, Email):
            key = {"email_index": blind_index(email_identity(identity.address))}
        else:
            key = {"phone_index": blind_index(identity.number)}
        return self.filter(state=Enrolment.State.WAITING, **key).order_by("-asked_at").first()

    def end(self, state: "Enrolment.State", **changes: object) -> int:
        """Nobody is named by those that end."""
        ended = {"details": None, "email_index": "", "phone_index": "", "ended_at": Now()}
        return self.update(**{**ended, **changes, "state": state})

    def end_waiting_of(self, member: Member) -> int:
        """They became a member by another way."""
        kept = self.filter(state=Enrolment.State.WAITING, email_index=member.email_index)
        return kept.end(Enrolment.State.ENROLLED, member=member)


class Enrolment(models.Model):
    """Somebody who wants to join, kept until the engine has taken them in.

    `details` holds what was typed; it is emptied when nothing of it must be told any more. What
    brings it to the engine is the outbox, whose deliveries name this row and its version.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for the loyalty system"
        ENROLLED = "enrolled", "Enrolled"
        DROPPED = "dropped", "Dropped by a manager"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    installation = models.ForeignKey(Installation, models.PROTECT)
    store = models.ForeignKey(Store, models.PROTECT, null=True, blank=True)
    associate = models.ForeignKey(Associate, models.PROTECT, null=True, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    version = models.PositiveIntegerField(default=1, help_text="Grows with every change.")
    details = EncryptedTextField(null=True, blank=True, editable=False)
    email_index = models.CharField(max_length=64, blank=True, editable=False)
    phone_index = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    member = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar = EnrolmentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "enrolled", "dropped"]),
                name="an_enrolment_has_a_known_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="waiting") | (~Q(email_index="") & Q(details__isnull=False)),
                name="a_waiting_enrolment_says_whose_it_is",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting") | Q(email_index="", phone_index=""),
                name="an_ended_enrolment_names_nobody",
            ),
            models.CheckConstraint(
                condition=~Q(state="dropped") | Q(details__isnull=True),
                name="a_dropped_enrolment_is_empty",
            ),
            models.UniqueConstraint(
                fields=["email_index"], condition=Q(state="waiting"), name="an_email_waits_once"
            ),
        ]

    def __str__(self) -> str:
        return f"Enrolment {str(self.id)[:8]}"
