"""The same order seen from two sides: two installations of one merchant tell of it, it earns once.

An online order that a shop's connector copies into the POS names the online order, and is the web
shop's to tell. Another copy is known by this: another installation's sale has the same id, figures,
time and buyer.
"""

from datetime import timedelta

from django.db.models import Q, QuerySet

from database.encryption import blind_index
from database.holding import hold
from sales.models import Sale
from stores.models import Installation

# What another system tells the engine of may be the very sale that looks for its twin.
LEFT_TO_OTHERS = (Sale.NotDelivered.SAME_ORDER, Sale.NotDelivered.EXCLUDED_ORIGIN)


def find_twin(sale: Sale) -> Sale | None:
    """The same order, told by another installation; none that stands back for another one itself.

    In the transaction that writes the sale or its buyer: of two at once the later one sees the
    other.
    """
    elsewhere = Installation.objects.exclude(pk=sale.installation_id)
    others = list(elsewhere.values_list("pk", flat=True))
    if not others:
        return None
    hold(f"twins {sale.pos_id}")
    return next((twin for twin in copies(sale, others) if have_one_buyer(twin, sale)), None)


def copies(sale: Sale, installations: list[str]) -> QuerySet[Sale]:
    return (
        Sale.objects.select_related("member", "installation")
        .filter(
            installation__in=installations,
            pos_id=sale.pos_id,
            total_cents=sale.total_cents,
            currency=sale.currency,
        )
        .filter(at_the_time_of(sale))
        .exclude(not_delivered__in=LEFT_TO_OTHERS)
        .order_by("pk")
    )


def at_the_time_of(sale: Sale) -> Q:
    """In the same minute where one of the two came from a file: spreadsheets drop seconds."""
    begins = sale.completed_at.replace(second=0, microsecond=0)
    same_minute = Q(completed_at__gte=begins, completed_at__lt=begins + timedelta(minutes=1))
    if sale.from_file:
        return same_minute
    return Q(completed_at=sale.completed_at) | same_minute & Q(from_file=True)


def have_one_buyer(one: Sale, other: Sale) -> bool:
    return bool(marks_of(one) & marks_of(other))


def marks_of(sale: Sale) -> set[str]:
    """By what its buyer is known: an email, a phone, or both."""
    marks = {sale.email_index, blind_index(sale.phone) if sale.phone else ""}
    if sale.member:
        marks.add(sale.member.email_index)
    return marks - {""}
