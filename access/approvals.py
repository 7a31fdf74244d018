"""Acts that need a manager: their own PIN, for this one act, within a minute.

Which acts those are, and why, is told by the room that does them.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import models, transaction
from django.db.models.functions import Now

from access import pins
from access.models import Approval, Bearer
from audit.models import Entry
from audit.record import Where, Who, record
from stores.models import Associate

LIVES = timedelta(seconds=60)
NOT_YOURSELF = "Nobody approves what they ask for themselves. Ask another manager."


def managers_of(bearer: Bearer) -> models.QuerySet[Associate]:
    """Who could approve what this bearer's associate asks for."""
    people = pins.people_of(bearer.installation_id).exclude(pk=bearer.associate_id)
    return people.filter(role=Associate.Role.MANAGER)


@dataclass(frozen=True)
class Given:
    """What was typed in the dialog: the id of who was tapped, and their PIN.

    `new_pin` is what they choose in place of a start PIN: where the POS launches the panel, this
    is the only place at which a manager types one.
    """

    manager: str
    pin: str
    new_pin: str = ""


def grant(bearer: Bearer, kind: str, subject: models.Model, given: Given) -> Approval:
    """For exactly this act of this bearer's.

    A wrong PIN, somebody who is no manager, and nobody we know look alike. Raises pins.PinRefused,
    NewPinNeeded where it was a start PIN, and WeakPin.
    """
    claim = pins.claim_of(bearer.installation_id, associate=given.manager)
    if claim.associate and claim.associate.pk == bearer.associate_id:
        note_refusal(bearer, kind, subject, "asked by the same person")
        raise pins.PinRefused(NOT_YOURSELF)
    if claim.associate and not managers_of(bearer).filter(pk=claim.associate.pk).exists():
        # Never looked at, and counted as theirs all the same.
        claim = pins.Claim(None, claim.said)
    found = pins.check(bearer.till, claim, given.pin, what="approval")
    pins.settle_start(bearer.till, found, given.new_pin)
    with transaction.atomic():
        approval = Approval.objects.create(
            kind=kind,
            subject_type=subject._meta.label_lower,
            subject_id=str(subject.pk),
            bearer=bearer,
            requester=bearer.associate,
            manager=found,
            expires_at=Now() + LIVES,
        )
        record(
            act="approval.granted",
            who=Who.associate(found),
            subject=subject,
            where=Where.at(till=bearer.till),
            after={"kind": kind, "asked_by": str(bearer.associate)},
        )
    return approval


def use(bearer: Bearer, kind: str, subject: models.Model) -> Associate | None:
    """The manager who approved this act, which may now be done, once; None where nobody did."""
    mine = Approval.objects.filter(
        bearer=bearer,
        # Who is none any more since then, agrees to nothing.
        manager__in=managers_of(bearer),
        kind=kind,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        used_at=None,
        expires_at__gt=Now(),
    ).select_related("manager")
    for approval in mine[:3]:
        if Approval.objects.filter(pk=approval.pk, used_at=None).update(used_at=Now()):
            return approval.manager
    return None


def note_refusal(bearer: Bearer, kind: str, subject: models.Model, why: str) -> None:
    record(
        act="approval.refused",
        who=Who.associate(bearer.associate),
        subject=subject,
        where=Where.at(till=bearer.till),
        outcome=Entry.Outcome.REFUSED,
        after={"kind": kind},
        reason=why,
    )
