"""What our own tables know of a member's points, for the screens that explain them. Set-based."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from members.models import Member
from outbox.models import Delivery
from reconciliation.ours import MAY_HAVE_ACTED, ORDER_AGAIN, corrections_of
from redemptions.models import PendingRedemption
from sales.earned import Span
from sales.models import ORDER, REFUND, Refund, Remainder, Sale
from sales.refunding import give_back_title
from sales.remainders import correction_title
from sales.why import Correction, Records, Told
from sales.why_words import of_correction, of_give_back, of_remainder


def records_of(member: Member, since: datetime | None) -> Records:
    """With the same few queries, however many there are. `since`: by our clock; None for all."""
    redemptions = list(redemptions_of(member, since))
    sales = list(sales_of(member, since))
    refunds = list(refunds_of(sales))
    return Records(
        redemptions=redemptions,
        sales=sales,
        refunds=refunds,
        corrections=[*of_refunds(sales, refunds), *hand_made(member, redemptions)],
        told=told_of(sales),
    )


def records_of_nobodys(sale: Sale) -> Records:
    """Of a sale that names no member."""
    return Records(
        sales=[sale],
        refunds=list(refunds_of([sale])),
        told=told_of([sale]),
    )


def redemptions_of(member: Member, since: datetime | None) -> QuerySet[PendingRedemption]:
    rows = PendingRedemption.objects.filter(member=member)
    if since is not None:
        rows = rows.filter(requested_at__gte=since)
    people = rows.select_related("associate", "undone_by", "store", "till__store")
    return people.order_by("requested_at")


def sales_of(member: Member, since: datetime | None) -> QuerySet[Sale]:
    rows = Sale.objects.filter(member=member)
    if since is not None:
        rows = rows.filter(recorded_at__gte=since)
    return rows.select_related("store").defer("email", "phone", "items").order_by("recorded_at")


def refunds_of(sales: Iterable[Sale]) -> QuerySet[Refund]:
    counting = Refund.objects.filter(sale__in=sales).exclude(state=Refund.State.WITHDRAWN)
    return counting.select_related("sale").order_by("recorded_at")


def of_refunds(sales: Iterable[Sale], refunds: Iterable[Refund]) -> list[Correction]:
    """What we gave or took by ourselves: spent points, and what rounding left."""
    given = [refund for refund in refunds if refund.points_given_back]
    left = Remainder.objects.filter(sale__in=sales).exclude(points=0).select_related("sale")
    return [
        *(Correction(give_back_title(r.pk), of_give_back(r), r.sale) for r in given),
        *(Correction(correction_title(r.pk), of_remainder(r), r.sale) for r in left),
    ]


def hand_made(member: Member, redemptions: Sequence[PendingRedemption]) -> list[Correction]:
    by_id = {str(redemption.id): redemption for redemption in redemptions}
    corrected = corrections_of([member.pk], {member.pk: list(redemptions)})[member.pk]
    return [
        Correction(each.title, of_correction(each.points, by_id.get(about)))
        for each in corrected
        for about in [each.redemption_id or each.repaired_id]
    ]


def told_of(sales: Iterable[Sale]) -> dict[str, Told]:
    """By the order's or the refund's id at the engine."""
    orders = {f"sale:{sale.pk}": sale.order_id for sale in sales}
    acted = Q(tries__may_be_sent=True, tries__outcome__in=[*MAY_HAVE_ACTED, ""])
    deliveries = (
        Delivery.objects.filter(kind__in=[ORDER, ORDER_AGAIN, REFUND], order_by__in=list(orders))
        .annotate(
            since=Min("tries__started_at", filter=acted),
            until=Max(Coalesce("tries__ended_at", Now()), filter=acted),
        )
        .order_by("pk")
    )
    told: dict[str, Told] = {}
    for delivery in deliveries:
        key = delivery.key if delivery.kind == REFUND else orders[delivery.order_by]
        told[key] = with_earlier(told.get(key), delivery)
    return told


def with_earlier(earlier: Told | None, delivery: Any) -> Told:
    """An order may have been sent again by a manager: from the first to the last."""
    span = Span(delivery.since, delivery.until) if delivery.since else None
    if earlier is not None and earlier.span is not None:
        span = Span(earlier.span.since, (span or earlier.span).until)
    return Told(delivery.state, span)
