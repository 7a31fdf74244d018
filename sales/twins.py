"""The same order seen from two sides: two installations of one merchant tell of it, it earns once.

An online order that a shop's connector copies into the POS names the online order, and is the web
shop's to tell. Another copy is known by this: another installation's sale has the same id, figures,
time and buyer.
"""

from django.db.models import QuerySet

from database.encryption import blind_index
from database.holding import hold
from sales.models import Sale
from stores.models import Installation


def find_twin(sale: Sale) -> Sale | None:
    """The same order, told by another installation; none that stands back for another one itself.

    In the transaction that writes the sale: of two at once the later one sees the other.
    """
    elsewhere = Installation.objects.exclude(pk=sale.installation_id)
    others = list(elsewhere.values_list("pk", flat=True))
    if not others:
        return None
    hold(f"twins {sale.pos_id}")
    return next((twin for twin in copies(sale, others) if have_one_buyer(twin, sale)), None)


def copies(sale: Sale, installations: list[str]) -> QuerySet[Sale]:
    return (
        Sale.objects.select_related("member")
        .filter(
            installation__in=installations,
            pos_id=sale.pos_id,
            total_cents=sale.total_cents,
            currency=sale.currency,
            completed_at=sale.completed_at,
        )
        .exclude(not_delivered=Sale.NotDelivered.SAME_ORDER)
        .order_by("pk")
    )


def have_one_buyer(one: Sale, other: Sale) -> bool:
    return bool(marks_of(one) & marks_of(other))


def marks_of(sale: Sale) -> set[str]:
    """By what its buyer is known: an email, a phone, or both."""
    marks = {sale.email_index, blind_index(sale.phone) if sale.phone else ""}
    if sale.member:
        marks.add(sale.member.email_index)
    return marks - {""}
