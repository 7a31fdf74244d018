"""Writing down what came, once, and what is promised with it."""

from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from database.encryption import blind_index
from outbox.ledger import enqueue, find, send_again
from stores.models import Installation
from webhooks.models import NOT_HANDLED, State, Webhook

log = structlog.get_logger(__name__)

TOLD = "told_by_webhook"
# A row without its body still tells a late repeat from something new.
ROWS_KEPT = timedelta(days=400)
A_PASS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came, and how it was understood. `order_by`: those of one value follow each other."""

    installation: Installation
    source: str
    event: str
    body: bytes = field(repr=False)
    state: State
    topic: str = ""
    event_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    order_by: str = ""
    done: str = ""

    @property
    def text(self) -> str:
        """Whatever the bytes are, and back again: see Webhook.body."""
        return self.body.decode("latin-1")


def keep(came: Came) -> Webhook:
    """Committed with the promise to handle it. A repeat is counted."""
    row = Webhook(
        installation=came.installation,
        source=came.source,
        event=came.event,
        topic=came.topic,
        event_id=came.event_id,
        digest=blind_index(came.text),
        raw=came.text,
        headers=came.headers,
        state=came.state,
        done=came.done,
    )
    if came.state == State.ANSWERED:
        row.handled_at = Now()
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            if came.state == State.WAITING:
                promise(row, came.order_by)
    except IntegrityError:
        row = again(row)
    log.info("webhook.kept", webhook=str(row.pk), topic=came.topic, state=came.state)
    return row


def again(came: Webhook) -> Webhook:
    """It is here already: count it. One that was handled between is what the sender meant, too."""
    same = Webhook.objects.filter(installation=came.installation, source=came.source)
    if came.event_id:
        same = same.filter(event_id=came.event_id)
    else:
        same = same.filter(event=came.event, digest=came.digest)
    # The waiting one first, else the newest.
    there = sorted(same.order_by("-received_at")[:10], key=lambda row: row.state not in NOT_HANDLED)
    row = there[0]
    Webhook.objects.filter(pk=row.pk).update(times=F("times") + 1, last_received_at=Now())
    return row


def promise(row: Webhook, order_by: str = "") -> None:
    """In the transaction that says that it waits."""
    enqueue(
        kind=TOLD,
        key=key_of(row),
        installation_id=row.installation_id,
        payload={"webhook": str(row.pk), "topic": row.topic},
        order_by=order_by,
    )


def promise_again(row: Webhook) -> None:
    """A parked promise is the one to keep: those after it in its order wait for it."""
    parked = find(TOLD, key_of(row))
    if parked is None or not send_again(parked):
        Webhook.objects.filter(pk=row.pk).update(runs=F("runs") + 1)
        row.refresh_from_db()
        promise(row)
    row.refresh_from_db()


def key_of(row: Webhook) -> str:
    return f"{row.pk}-{row.runs}"


def handle_again(row: Webhook) -> bool:
    """A person wants it handled once more. False where it waits already, or its body is gone."""
    ended = Webhook.objects.filter(pk=row.pk, raw__isnull=False).exclude(
        state__in=[State.WAITING, State.ANSWERED, State.UNREADABLE]
    )
    try:
        with transaction.atomic():
            if not ended.update(state=State.WAITING, handled_at=None, done=""):
                return False
            promise_again(row)
    except IntegrityError:
        return False  # the same came once more, and waits
    return True


def prune() -> None:
    """Periodic: bodies are emptied after WEBHOOK_BODY_DAYS, handled or not, and old rows go."""
    body_days = timedelta(days=settings.WEBHOOK_BODY_DAYS)
    old = Webhook.objects.filter(received_at__lt=Now() - body_days, raw__isnull=False)
    emptied = old.update(raw=None)
    gone = Webhook.objects.filter(received_at__lt=Now() - ROWS_KEPT).exclude(state=State.WAITING)
    deleted = Webhook.objects.filter(
        pk__in=list(gone.values_list("pk", flat=True)[:A_PASS])
    ).delete()
    if emptied or deleted[0]:
        log.info("webhooks.pruned", emptied=emptied, deleted=deleted[0])
