"""What was sold and brought back, as the engine takes it: whole pieces, by their SKU."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.yotpo.orders import OrderItem, RefundItem
from sales.models import Refund, Sale

Item = Mapping[str, Any]


def order_items(sale: Sale) -> tuple[OrderItem, ...]:
    """Without lines that sell nothing, such as a return or a discount.

    What is weighed or measured is one piece at the price of the line.
    """
    return tuple(order_item(item) for item in sale.items if is_sold(item))


def is_sold(item: Item) -> bool:
    return bool(item.get("sku")) and item.get("quantity", 0) > 0 <= item.get("unit_price_cents", 0)


def order_item(item: Item) -> OrderItem:
    quantity, price = item["quantity"], item["unit_price_cents"]
    if quantity != int(quantity):
        quantity, price = 1, round(quantity * price)
    return OrderItem(
        id=item["sku"],
        name=item.get("name", ""),
        quantity=int(quantity),
        price_cents=price,
        type=item.get("type") or "",
        vendor=item.get("vendor") or "",
    )


def items_to_tell(refund: Refund) -> tuple[RefundItem, ...]:
    """All or none: the amount counts, and what the order does not have might be refused."""
    sold = pieces(order_items(refund.sale)) if refund.sale else Counter[str]()
    back: Counter[str] = Counter()
    for item in refund.items:
        if item["quantity"] != int(item["quantity"]) or item["quantity"] <= 0:
            return ()
        back[item["sku"]] += int(item["quantity"])
    if not back <= sold:
        return ()
    return tuple(RefundItem(sku, quantity) for sku, quantity in back.items())


def pieces(items: Iterable[OrderItem]) -> Counter[str]:
    sold: Counter[str] = Counter()
    for item in items:
        sold[item.id] += item.quantity
    return sold


def warnings_of(refund: Refund) -> list[str]:
    """Items that don't fit what was sold, less what came back before. The refund counts anyway."""
    return warnings_for(refund.sale, refund.items, but=refund.pk) if refund.sale else []


def warnings_for(sale: Sale, items: Iterable[Item], *, but: int = 0) -> list[str]:
    """For items that are to be brought back; `but`: a refund that has these very ones."""
    if not sale.items:
        return []
    sold = quantities(item for item in sale.items if item.get("quantity", 0) > 0)
    back = quantities(items)
    others = sale.refunds.exclude(pk=but).exclude(state=Refund.State.WITHDRAWN)
    before = quantities(item for other in others for item in other.items)
    return [warning for sku in back if (warning := told_of(sku, sold, back, before))]


def quantities(items: Iterable[Item]) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in items:
        found[item["sku"]] = found.get(item["sku"], 0) + item["quantity"]
    return found


def told_of(
    sku: str, sold: Mapping[str, float], back: Mapping[str, float], before: Mapping[str, float]
) -> str:
    if sku not in sold:
        return f"items: {sku} was not in this sale; kept, and the amount counts"
    left = sold[sku] - before.get(sku, 0)
    if back[sku] > left:
        return f"items: of {sku} {max(left, 0):g} were left; kept, and the amount counts"
    return ""
