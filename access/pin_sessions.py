"""A PIN session: somebody signed in at a paired till, and has not gone away.

The bearers of a session live no longer than it does. It ends at the lock button, when nobody has
done anything for a while, at the end of the shift, when somebody else signs in, when the till is
unpaired, and after twelve hours.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Now

from access.models import NOTED_WITHIN, Bearer, PinSession, idle_after
from access.pairing import PairedTill
from audit.record import By, Where, Who, record
from database.batch import Batch
from stores.models import Associate

LONGEST = timedelta(hours=12)


class NotPaired(Exception):
    """The till was unpaired a moment ago."""


def running(paired: PairedTill) -> models.QuerySet[PinSession]:
    """At most one."""
    return PinSession.objects.filter(paired=paired, ended_at=None)


def start(paired: PairedTill, associate: Associate) -> PinSession:
    """After the PIN was right. Whoever was signed in at this till is so no more.

    Raises NotPaired.
    """
    with transaction.atomic():
        still = PairedTill.objects.select_for_update().filter(pk=paired.pk, revoked_at=None)
        if not still.update(last_used_at=Now(), last_associate=associate):
            raise NotPaired
        end(running(paired), PinSession.End.SWITCHED)
        session = PinSession.objects.create(
            paired=paired, associate=associate, expires_at=Now() + LONGEST
        )
        by(session).record("pin_session.started", session)
    session.refresh_from_db(fields=["started_at", "active_at", "expires_at"])
    return session


def end(sessions: models.QuerySet[PinSession], why: PinSession.End, who: Who | None = None) -> int:
    """Now, with their bearers. Returns how many had not ended yet."""
    with transaction.atomic():
        # Of two who end it at once one waits here, and then finds that it has ended.
        locked = sessions.filter(ended_at=None).select_for_update(of=("self",))
        rows = list(locked.select_related("paired__till__store", "associate"))
        ids = [row.pk for row in rows]
        PinSession.objects.filter(pk__in=ids).update(ended_at=Now(), ended_why=why)
        Bearer.objects.filter(pin_session__in=ids, revoked_at=None).update(revoked_at=Now())
        for session in rows:
            note_end(session, why, who)
    return len(rows)


def note_end(session: PinSession, why: PinSession.End, who: Who | None) -> None:
    record(
        act="pin_session.ended",
        who=who or Who.associate(session.associate),
        subject=session,
        where=Where.at(till=session.paired.till),
        after={"of": str(session.associate), "why": why},
    )


def by(session: PinSession) -> By:
    return By(Who.associate(session.associate), Where.at(till=session.paired.till))


def unpair(paired: PairedTill, who: Who) -> bool:
    """At once: who is signed in there is thrown out. False where it was done already."""
    with transaction.atomic():
        if not PairedTill.objects.filter(pk=paired.pk, revoked_at=None).update(revoked_at=Now()):
            return False
        end(running(paired), PinSession.End.UNPAIRED, who)
    return True


def end_idle() -> int:
    """A periodic job: their bearers open nothing any more, and now the trail says so, too."""
    idle = PinSession.objects.filter(active_at__lte=Now() - idle_after() - NOTED_WITHIN)
    too_long = PinSession.objects.filter(expires_at__lte=Now())
    who = Who.machine("The clock")
    ended = end(too_long, PinSession.End.TOO_LONG, who)
    return ended + end(idle, PinSession.End.IDLE, who)


class Active(Batch[int, None]):
    """In which sessions somebody did something since the last batch: a look-up waits for none."""

    lost = "pin_sessions.batch_lost"

    def every_seconds(self) -> float | None:
        return settings.ACTIVE_SECONDS

    def save(self, noted: Mapping[int, None]) -> None:
        PinSession.objects.filter(pk__in=list(noted), ended_at=None).update(active_at=Now())


active = Active()
