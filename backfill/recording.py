"""What becomes of a row: recorded as a new sale or refund, there already, or not taken, and why."""

from dataclasses import dataclass

import structlog
from django.db import DataError, IntegrityError, transaction

from backfill.files import Row
from backfill.models import Backfill
from backfill.reading import Flawed, Given, PlaceNames, read_row
from sales import record, refunds
from sales.agreement import refund_agrees, sale_agrees
from sales.errors import CannotRefund
from sales.models import Refund, Sale
from sales.record import NewSale
from sales.refunds import NewRefund
from stores.models import Installation
from stores.places import Disabled, place_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is recorded under the ids of some rows."""

    sales: dict[str, Sale]
    refunds: dict[str, Refund]


def kept_of(installation: Installation, told: list[Given]) -> Kept:
    """Two questions to the database, whatever the number of rows."""
    sale_ids = {given.new.pos_id for given in told if isinstance(given.new, NewSale)}
    sale_ids |= {given.new.sale_id for given in told if isinstance(given.new, NewRefund)}
    refund_ids = [given.new.pos_id for given in told if isinstance(given.new, NewRefund)]
    sales = Sale.objects.select_related("member", "installation")
    found = Refund.objects.filter(is_void=False)
    here = {"installation": installation}
    return Kept(
        {sale.pos_id: sale for sale in sales.filter(pos_id__in=sale_ids, **here)},
        {refund.pos_id: refund for refund in found.filter(pos_id__in=refund_ids, **here)},
    )


def read(backfill: Backfill, row: Row) -> Given:
    """Raises Flawed."""
    if row.differs:
        raise Flawed(f"Line {row.twin} has the same id and says other things: one row is one sale.")
    return read_row(backfill.titles, row.cells, backfill.installation)


def is_there(backfill: Backfill, new: NewSale | NewRefund, kept: Kept) -> bool:
    """Whether it was recorded before. Raises Flawed where that says other things, and for a refund
    of which the engine would hear in a file of which it shall not."""
    if isinstance(new, NewSale):
        sale = kept.sales.get(new.pos_id)
        if sale is not None and not sale_agrees(sale, new):
            raise Flawed(
                "A sale of this id is recorded with another total, currency, time, buyer or code. "
                "What is recorded counts."
            )
        return sale is not None
    refund = kept.refunds.get(new.pos_id)
    if refund is not None:
        if not refund_agrees(refund, new):
            raise Flawed(
                "A refund of this id is recorded with another total, currency or sale. What is "
                "recorded counts."
            )
        return True
    sale = kept.sales.get(new.sale_id)
    if sale is not None and not backfill.tells_engine and not sale.not_delivered:
        raise Flawed(
            "The engine has the sale that this refunds. Upload the refund in a file of which the "
            "engine is told."
        )
    return False


def record_row(backfill: Backfill, row: Row) -> bool:
    """Record it, within the caller's transaction. False where it was there. Raises Flawed."""
    try:
        return try_to_record(backfill, row)
    except (DataError, IntegrityError):
        # Told by the POS in the same moment, which won.
        return record_or_leave(backfill, row)


def record_or_leave(backfill: Backfill, row: Row) -> bool:
    """A row that only a person can see through must not hold up all behind it."""
    try:
        return try_to_record(backfill, row)
    except (DataError, IntegrityError):
        log.exception("backfill.row_not_stored", backfill=backfill.pk, line=row.line)
        raise Flawed("The database refused it; the log says why.") from None


def try_to_record(backfill: Backfill, row: Row) -> bool:
    given = read(backfill, row)
    if is_there(backfill, given.new, kept_of(backfill.installation, [given])):
        return False
    try:
        with transaction.atomic():
            write(backfill, given)
    except (CannotRefund, Disabled) as error:
        raise Flawed(str(error)) from None
    return True


def write(backfill: Backfill, given: Given) -> None:
    at = backfill.installation
    place = place_of(at, given.place.store, given.place.till, given.place.associate)
    if isinstance(given.new, NewSale):
        record.write(at, given.new, place, from_file=True, tells_engine=backfill.tells_engine)
    else:
        refunds.write(at, given.new, place, from_file=True)


class DisabledPlaces:
    """Stores, tills and associates of an installation that a manager has disabled, read once."""

    def __init__(self, installation: Installation) -> None:
        off = {"is_active": False}
        stores = installation.stores.filter(**off)
        self._stores = set(stores.values_list("code", flat=True))
        associates = installation.associates.filter(**off)
        self._associates = set(associates.values_list("code", flat=True))

    def check(self, place: PlaceNames) -> None:
        """Raises Flawed. A till is looked at when its sale is recorded."""
        if place.store in self._stores:
            raise Flawed("Column store: it is disabled. Make it active in the admin first.")
        if place.associate in self._associates:
            raise Flawed("Column associate: they are disabled. Make them active in the admin.")
