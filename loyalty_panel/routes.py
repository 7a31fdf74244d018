"""Where the rooms' work leads outside: which engine, with which credentials."""

from dataclasses import replace

from django.conf import settings

from alerts.promising import EMAIL, WEBHOOK
from alerts.telling import tell_by_mail, tell_by_webhook
from connectors.wire import tls_context
from connectors.yotpo import webhook
from connectors.yotpo.client import Credentials, Yotpo
from members.delivering import (
    flight_of_enrolment,
    is_enrolment_seen,
    note_birthday,
    note_enrolled,
    tell_birthday,
    tell_enrolment,
)
from members.engine import engine
from members.keeping import BIRTHDAY, ENROLMENT
from members.telling import MEMBER_READING, figures_changed, flight_of_reading, read_anew
from offers.filling import CODES, flight_of_part, is_part_seen, note_confirmed, tell_part
from offers.telling import stock_told
from outbox.limits import fresh_limits
from outbox.routes import Route
from reconciliation.ours import CORRECTION, ORDER_AGAIN
from reconciliation.telling import (
    is_correction_seen,
    look_before_order,
    note_not_repaired,
    note_repaired,
    note_told_again,
    tell_correction,
)
from redemptions.callbacks import cancellation_asked, redemption_told
from redemptions.disputes import ADJUSTMENT, is_taken_seen, note_taken, take_again
from sales.models import GIVE_BACK, ORDER, REFUND, REFUND_READING, REMAINDER
from sales.orders import (
    flight_of_order,
    is_order_seen,
    note_before,
    note_told,
    tell_order,
)
from sales.refunding import (
    flight_of_refund,
    give_back,
    is_give_back_seen,
    is_refund_seen,
    note_refund_before,
    note_refunded,
    note_share,
    tell_refund,
)
from sales.remainders import (
    correct,
    is_correction_of_remainder_seen,
    note_corrected,
    note_not_corrected,
    read_after,
)
from webhooks.handling import Handler, handle, note_handled, note_parked
from webhooks.keeping import TOLD

DELIVERIES: dict[str, Route] = {
    ORDER: Route(
        call=tell_order,
        system="yotpo",
        before=None if settings.ENGINE_KEYS_ORDERS else note_before,
        seen=is_order_seen,
        on_done=note_told,
        idempotent=settings.ENGINE_KEYS_ORDERS,
        one_in_flight_by=flight_of_order,
        calls=1 if settings.ENGINE_KEYS_ORDERS else 2,
    ),
    ADJUSTMENT: Route(
        call=lambda delivery: take_again(engine(), delivery),
        system="yotpo",
        seen=lambda delivery: is_taken_seen(engine(), delivery),
        on_done=note_taken,
    ),
    ENROLMENT: Route(
        call=tell_enrolment,
        system="yotpo",
        seen=is_enrolment_seen,
        on_done=note_enrolled,
        idempotent=True,  # by email
        one_in_flight_by=flight_of_enrolment,
        calls=2,
    ),
    BIRTHDAY: Route(call=tell_birthday, system="yotpo", on_done=note_birthday, idempotent=True),
    REFUND: Route(
        call=tell_refund,
        system="yotpo",
        before=note_refund_before,
        seen=None if settings.ENGINE_KEYS_ORDERS else is_refund_seen,
        on_done=note_refunded,
        idempotent=settings.ENGINE_KEYS_ORDERS,
        one_in_flight_by=flight_of_refund,
        calls=2,
    ),
    GIVE_BACK: Route(call=give_back, system="yotpo", before=note_share, seen=is_give_back_seen),
    REFUND_READING: Route(call=read_after, system="yotpo", idempotent=True),
    REMAINDER: Route(
        call=correct,
        system="yotpo",
        seen=is_correction_of_remainder_seen,
        on_done=note_corrected,
        on_parked=note_not_corrected,
    ),
    CODES: Route(
        call=tell_part,
        system="yotpo",
        seen=is_part_seen,
        on_done=note_confirmed,
        one_in_flight_by=flight_of_part,
    ),
    # Told twice they are read twice, and no more: a mail says so, a webhook has an id.
    EMAIL: Route(call=tell_by_mail, system="mail", idempotent=True),
    WEBHOOK: Route(call=tell_by_webhook, system="alert_webhook", idempotent=True),
    TOLD: Route(
        call=handle, system="webhooks", on_done=note_handled, on_parked=note_parked, idempotent=True
    ),
    MEMBER_READING: Route(
        call=read_anew,
        system="yotpo",
        idempotent=True,
        in_the_back=True,
        one_in_flight_by=flight_of_reading,
    ),
    CORRECTION: Route(
        call=tell_correction,
        system="yotpo",
        seen=is_correction_seen,
        on_done=note_repaired,
        on_parked=note_not_repaired,
        calls=3,
    ),
}
"""What each kind of delivery calls, and what follows from its end."""
# A manager has seen that the engine did nothing with it.
DELIVERIES[ORDER_AGAIN] = replace(
    DELIVERIES[ORDER],
    before=look_before_order,
    on_done=note_told_again,
    on_parked=note_not_repaired,
    calls=3,
)

WEBHOOKS: dict[str, dict[str, Handler]] = {
    "yotpo": {
        webhook.REDEMPTION_CREATED: redemption_told,
        webhook.CANCELLATION_REQUEST: cancellation_asked,
        webhook.BELOW_THRESHOLD: stock_told,
        webhook.POINTS_EARNED: figures_changed,
        webhook.OPT_IN: figures_changed,
        **dict.fromkeys(webhook.TIERS, figures_changed),
        **dict.fromkeys(webhook.REMINDERS, figures_changed),
    }
}
"""Who handles what another system tells: source, then topic. Each may be called again."""


def make_engine() -> Yotpo:
    """The merchant's loyalty engine: one deployment serves one account."""
    return Yotpo(
        Credentials(
            base_url=settings.YOTPO_BASE_URL,
            guid=settings.YOTPO_GUID,
            api_key=settings.YOTPO_API_KEY,
        ),
        fresh_limits("yotpo"),
        read_seconds=min(8.0, settings.ENGINE_DEADLINE_SECONDS),
        write_seconds=settings.ENGINE_DEADLINE_SECONDS,
        connect_seconds=min(3.0, settings.ENGINE_DEADLINE_SECONDS),
        # A look-up reads two things side by side.
        pool_size=2 * settings.WEB_THREADS,
        tls=tls_context(settings.YOTPO_CA_FILE),
    )
