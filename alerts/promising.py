"""Whom to tell of what: one message to each, whatever the number of alerts in it."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from alerts.models import Alert, Recipient
from outbox.ledger import enqueue

EMAIL = "alert.email"
WEBHOOK = "alert.webhook"
# In a payload: the addresses of ALERT_EMAILS, which are no row.
HOUSE = 0


def promise(cleared: Iterable[Alert] = ()) -> None:
    """Write down that people are to be told, in the transaction of what they are told of.

    Of one that is still there people are reminded once a day; that it is over, systems alone hear.
    """
    due = list(Alert.objects.to_tell().select_for_update(of=("self",)))
    over = list(cleared)
    if not due and not over:
        return
    Alert.objects.filter(pk__in=[alert.pk for alert in due]).update(told_at=Now())
    run = uuid.uuid4().hex
    if due and settings.ALERT_EMAILS:
        tell(run, EMAIL, HOUSE, due, [])
    for recipient in Recipient.objects.filter(is_active=True).defer("email", "secret"):
        theirs = [alert for alert in due if recipient.hears_of(alert)]
        ended = [alert for alert in over if recipient.url and recipient.hears_of(alert)]
        if theirs or ended:
            tell(run, WEBHOOK if recipient.url else EMAIL, recipient.pk, theirs, ended)


def tell(run: str, kind: str, recipient: int, due: list[Alert], ended: list[Alert]) -> None:
    payload: dict[str, Any] = {
        "recipient": recipient,
        "raised": [alert.pk for alert in due if alert.told_at is None],
        "still": [alert.pk for alert in due if alert.told_at is not None],
        "cleared": [alert.pk for alert in ended],
    }
    enqueue(kind=kind, key=f"{run}:{recipient}", installation_id="", payload=payload)
