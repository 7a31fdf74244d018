"""Whether what is told of a sale or refund that is there is the same, told with fewer words.

A file has fewer columns than a POS's report has fields, and a spreadsheet drops seconds. So of two
tellings of which one came from a file, the figures decide; what only one of them says is no
contradiction. A code that only the later one has is: it would be dropped silently.
"""

from typing import TYPE_CHECKING

from database.encryption import blind_index
from members.identity import email_identity
from sales.models import Refund, Sale

if TYPE_CHECKING:
    from sales.record import NewSale
    from sales.refunds import NewRefund


def sale_agrees(sale: Sale, told: "NewSale") -> bool:
    """Total, currency, minute, discount, buyer and codes don't contradict each other."""
    same_figures = (sale.total_cents, sale.currency) == (told.total_cents, told.currency)
    same_minute = sale.completed_at.replace(second=0, microsecond=0) == told.completed_at.replace(
        second=0, microsecond=0
    )
    discounts = {sale.discount_cents, told.discount_cents} - {None}
    codes = {code["code"].upper() for code in sale.coupon_codes}
    no_code_more = all(code.upper() in codes for code in told.coupon_codes)
    return (
        same_figures
        and same_minute
        and len(discounts) < 2
        and no_code_more
        and buyer_agrees(sale, told)
    )


def buyer_agrees(sale: Sale, told: "NewSale") -> bool:
    """A buyer whom only the later telling names contradicts: their points hang on it."""
    if told.email:
        index = blind_index(email_identity(told.email))
        return index in {sale.email_index, sale.member.email_index if sale.member else ""}
    if told.phone:
        # The phone is forgotten as soon as the engine has said whose it is.
        return sale.member is not None or sale.phone == told.phone
    return True


def refund_agrees(refund: Refund, told: "NewRefund") -> bool:
    there = (refund.total_cents, refund.currency, refund.named_sale)
    return there == (told.total_cents, told.currency, told.sale_id)
