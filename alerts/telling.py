"""The calls of alert deliveries: a mail, or a signed webhook."""

import json
import smtplib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from alerts.models import Alert, Recipient, State
from alerts.posting import post
from alerts.promising import HOUSE
from alerts.signing import signed
from connectors.errors import Misconfigured, Refused, ReplyLost, Unavailable
from outbox.errors import NotWanted
from outbox.models import Delivery

# Older news is no news: the reminder of the next day says what is still so.
STALE = timedelta(hours=20)
MOST_LISTED = 50
CALL = ("mail", "SEND", "alert")


def tell_by_mail(delivery: Delivery) -> None:
    """Raises NotWanted where all of it is over by now, or nobody is there to be told."""
    news = News(delivery)
    if delivery.payload["recipient"] == HOUSE:
        to = list(settings.ALERT_EMAILS)
    else:
        to = [news.recipient().email]
    if not to or not (news.raised or news.still):
        raise NotWanted
    send(EmailMessage(news.title(), news.text(), settings.ALERT_FROM_EMAIL, to))


def send(message: EmailMessage) -> None:
    options: dict[str, Any] = dict(settings.ALERT_MAIL)
    backend = import_string(options.pop("backend"))(**options)
    try:
        backend.send_messages([message])
    except smtplib.SMTPAuthenticationError:
        raise Misconfigured(*CALL) from None
    except smtplib.SMTPRecipientsRefused:
        raise Refused(*CALL, words="The mail server refuses the recipient.") from None
    except smtplib.SMTPResponseException as error:
        if 500 <= error.smtp_code < 600:
            words = f"The mail server says {error.smtp_code}."
            raise Refused(*CALL, words=words) from None
        raise Unavailable(*CALL, reason="status") from None
    except smtplib.SMTPServerDisconnected:
        raise ReplyLost(*CALL) from None
    except (smtplib.SMTPException, OSError):
        raise Unavailable(*CALL) from None


def tell_by_webhook(delivery: Delivery) -> None:
    """Told again under the same id after a lost answer: docs/alerts.md says so to who receives."""
    news = News(delivery)
    recipient = news.recipient()
    if not (news.raised or news.still or news.cleared):
        raise NotWanted
    body = json.dumps(news.body(delivery.key), separators=(",", ":")).encode()
    post(recipient.url, body, signed(recipient.secret, body, delivery.key))


class News:
    """What a delivery is about, as it is now. Raises NotWanted for what is too old to be news."""

    def __init__(self, delivery: Delivery) -> None:
        payload = delivery.payload
        if Delivery.objects.filter(pk=delivery.pk, created_at__lt=Now() - STALE).exists():
            raise NotWanted
        self._recipient = payload["recipient"]
        ids = [*payload["raised"], *payload["still"], *payload["cleared"]]
        rows = Alert.objects.in_bulk(ids)
        lasting = {pk: row for pk, row in rows.items() if row.state == State.OPEN}
        self.raised = [lasting[pk] for pk in payload["raised"] if pk in lasting]
        self.still = [lasting[pk] for pk in payload["still"] if pk in lasting]
        self.cleared = [rows[pk] for pk in payload["cleared"] if pk in rows]

    def recipient(self) -> Recipient:
        found = Recipient.objects.filter(pk=self._recipient, is_active=True).first()
        if found is None:
            raise NotWanted
        return found

    def title(self) -> str:
        alerts = [*self.raised, *self.still]
        kinds = list(dict.fromkeys(alert.kind for alert in alerts))
        number = f"{len(alerts)} alerts" if len(alerts) > 1 else "Alert"
        more = " and more" if len(kinds) > 3 else ""
        return f"[Loyalty Panel] {number}: {', '.join(kinds[:3])}{more}"

    def text(self) -> str:
        parts = [section("New", self.raised), section("Still so", self.still)]
        parts.append(f"All that is open: {settings.PUBLIC_URL}/admin/alerts/alert/")
        return "\n\n".join(part for part in parts if part) + "\n"

    def body(self, key: str) -> dict[str, Any]:
        told = [
            *(as_told(alert, "raised") for alert in self.raised),
            *(as_told(alert, "reminder") for alert in self.still),
            *(as_told(alert, "cleared") for alert in self.cleared),
        ]
        return {"id": key, "sent_at": timezone.now().isoformat(), "alerts": told}


def section(title: str, alerts: list[Alert]) -> str:
    if not alerts:
        return ""
    lines = [line(alert) for alert in alerts[:MOST_LISTED]]
    if len(alerts) > MOST_LISTED:
        lines.append(f"... and {len(alerts) - MOST_LISTED} more.")
    return "\n".join([f"{title}:", *lines])


def line(alert: Alert) -> str:
    since = f" (since {alert.since:%d %b %Y %H:%M} UTC)" if alert.since else ""
    where = f"\n  {settings.PUBLIC_URL}{alert.path}" if alert.path else ""
    return f"- {alert.words}{since}{where}"


def as_told(alert: Alert, event: str) -> dict[str, Any]:
    return {
        "event": event,
        "id": alert.pk,
        "kind": alert.kind,
        "subject": alert.subject,
        "installation": alert.installation_id,
        "words": alert.words,
        "count": alert.count,
        "since": alert.since.isoformat() if alert.since else None,
        "raised_at": alert.raised_at.isoformat(),
        "url": f"{settings.PUBLIC_URL}{alert.path}" if alert.path else None,
    }
