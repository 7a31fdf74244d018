"""Why a redemption or an undo cannot be. Each text tells the associate what to do next."""

from offers.catalogue import Offer
from redemptions.models import PendingRedemption


class CannotRedeem(Exception):
    """Nothing was asked of the engine and nothing was taken. `str()` is for the associate."""


class NoSuchOffer(CannotRedeem):
    """This member cannot have this offer in a store: unknown, online-only, or not for them."""


class WrongPoints(CannotRedeem):
    """More or fewer points than the offer takes or the member has.

    `available` is what the member has, where that was looked at.
    """

    def __init__(self, text: str, available: int | None = None) -> None:
        super().__init__(text)
        self.available = available


class PriceChanged(CannotRedeem):
    """The offer costs other points than the associate was told: ask at the new price."""

    def __init__(self, offer: Offer, available: int) -> None:
        super().__init__(f"The price has changed: it is {offer.points:,} points now.")
        self.offer = offer
        self.available = available


class MemberCannotRedeem(CannotRedeem):
    """Opted out, or unknown to the engine by email."""


class AnotherUnderWay(CannotRedeem):
    """A redemption of this member has not ended yet: one at a time."""


class ActKeyTaken(CannotRedeem):
    """The key belongs to an act of somebody else, or to another act."""


class OpenCodeExists(CannotRedeem):
    """The member has a code for this very offer already: ask before making another."""

    def __init__(self, redemption: PendingRedemption) -> None:
        super().__init__("There is an open code for this offer already.")
        self.redemption = redemption


class EndsOpenCode(CannotRedeem):
    """Its points wait for their order, and those of another delayed code do: one ends the other."""

    def __init__(self, redemption: PendingRedemption) -> None:
        super().__init__(
            f"There is an open code already, {redemption.code}, and another one ends it."
        )
        self.redemption = redemption


class OpenCodeElsewhere(CannotRedeem):
    """The open code that another one would end was made in another installation."""

    def __init__(self) -> None:
        super().__init__(
            "There is an open code already, made at another point of sale: "
            "undo it there, or ask a manager."
        )


class StillOnSale(CannotRedeem):
    """The code that another one is to end may still be taken, or was."""

    def __init__(self, text: str, redemption: PendingRedemption) -> None:
        super().__init__(text)
        self.redemption = redemption


class CannotUndo(Exception):
    """It is too late, or there is nothing to undo. `str()` is for the associate."""


class NotWithdrawn(CannotUndo):
    """The POS still takes the code: it must be taken off the sale first."""


class CannotExtend(Exception):
    """It was kept longer once, or counts no more. `str()` is for the associate."""


class NoLongerCounts(Exception):
    """The code must not be taken. `str()` says why."""
