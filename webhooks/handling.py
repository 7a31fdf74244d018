"""What a worker does with a webhook: find who handles its topic, and write down what came of it."""

from collections.abc import Callable, Mapping

import structlog
from django.conf import settings
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from connectors.yotpo.webhook import Event, read_body
from outbox.errors import NotWanted
from outbox.models import Delivery
from stores.models import Installation
from webhooks.models import State, Webhook

log = structlog.get_logger(__name__)

Handler = Callable[[Event, Installation], str]
"""Gives a word for what it did. It may be called again with the same event: it is idempotent."""


def handlers(source: str) -> Mapping[str, Handler]:
    """By topic, for that source. The table stands in settings.WEBHOOK_HANDLERS by dotted path."""
    table: Mapping[str, Mapping[str, Handler]] = import_string(settings.WEBHOOK_HANDLERS)
    return table.get(source, {})


def handle(delivery: Delivery) -> str:
    """The outbox's call. Raises NotWanted where its body is gone or it was handled otherwise."""
    rows = Webhook.objects.select_related("installation")
    not_yet = rows.filter(state__in=[State.WAITING, State.PARKED])
    row = not_yet.filter(pk=delivery.payload["webhook"]).first()
    handler = handlers(row.source).get(row.topic) if row else None
    if row is None or row.body is None or handler is None:
        raise NotWanted
    told = read_body(row.body, row.headers.get("content-type", ""))
    return handler(Event.parse(told, row.event), row.installation)


def note_handled(delivery: Delivery) -> None:
    row = Webhook.objects.filter(pk=delivery.payload["webhook"])
    done = delivery.answer or ""
    row.update(state=State.HANDLED, done=done, handled_at=Now())
    log.info("webhook.handled", webhook=delivery.payload["webhook"], done=done)


def note_parked(delivery: Delivery) -> None:
    row = Webhook.objects.filter(pk=delivery.payload["webhook"], state=State.WAITING)
    row.update(state=State.PARKED, done=delivery.parked_reason)
