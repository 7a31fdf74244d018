"""The same id told again with other content: refused, and kept for a manager to see."""

from collections.abc import Iterable
from typing import Any, Protocol

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from sales.models import Conflict
from stores.models import Installation

log = structlog.get_logger(__name__)


class Told(Protocol):
    """A sale or a refund as a POS tells it."""

    @property
    def pos_id(self) -> str: ...
    @property
    def total_cents(self) -> int: ...
    @property
    def currency(self) -> str: ...
    def fingerprint(self) -> str: ...


def note_conflict(
    installation: Installation,
    subject: Conflict.Subject,
    told: Told,
    differs: Iterable[str],
) -> None:
    """Committed, although what it is about is refused. Told again it is counted."""
    which = {
        "installation": installation,
        "subject": subject,
        "pos_id": told.pos_id,
        "content": told.fingerprint(),
    }
    if not again(which):
        figures = {"total_cents": told.total_cents, "currency": told.currency}
        try:
            with transaction.atomic():
                Conflict.objects.create(**which, **figures, differs=list(differs))
        except IntegrityError:
            again(which)
    log.warning("sales.conflict", subject=subject.value, installation=installation.pk)


def again(which: dict[str, Any]) -> bool:
    known = Conflict.objects.filter(**which)
    return bool(known.update(times=F("times") + 1, last_at=Now()))
