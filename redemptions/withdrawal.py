"""Whose word counts that a POS takes a code no more: a till's of its own sale alone."""

from dataclasses import dataclass

from django.db.models import Q

from redemptions.life import WITHDRAWN
from redemptions.models import PendingRedemption
from stores.models import Till


@dataclass(frozen=True, slots=True)
class OpenSale:
    """The sale beside a till. `ticket` is empty where its POS has told none."""

    till: Till
    ticket: str

    def has(self, code: PendingRedemption) -> bool:
        """Whether a code that a POS put on a sale is on this one: by its ticket, else its till."""
        if code.ticket:
            in_store = code.store_id in {None, self.till.store_id}
            return in_store and code.ticket == self.ticket
        return code.till_id == self.till.pk


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What somebody says of a code that is to end. `said`: the POS takes it no more.

    A till can say so of its own `sale` alone; a POS's server and a manager, without one, of all.
    """

    said: bool = False
    sale: OpenSale | None = None

    def reaches(self, code: PendingRedemption) -> bool:
        return self.sale is None or self.sale.has(code)

    def counts_for(self, code: PendingRedemption) -> bool:
        return self.said and self.reaches(code)

    def condition(self, code: PendingRedemption) -> Q:
        """Under which the code may end, for the very update that ends it."""
        if not self.counts_for(code):
            return WITHDRAWN
        # It may have come to another sale since it was read.
        return Q(ticket=code.ticket) if self.sale else Q()

    def where_else(self, code: PendingRedemption) -> str:
        """For the associate of a code that a till's word does not reach."""
        ticket = f" ({code.ticket})" if code.ticket else ""
        here = self.sale.till if self.sale else None
        made = f"It was made at {code.till.name}: undo" if code.till not in {None, here} else "Undo"
        return (
            f"The code {code.code} is on another sale{ticket}. {made} it there, or ask a manager."
        )


NOT_SAID = Withdrawal()
