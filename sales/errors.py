"""Why a sale or a refund is not taken. Each text tells the POS's engineer what to do."""


class OtherContent(Exception):
    """A sale or refund of this id was told with other content."""

    def __init__(self, subject: str = "sale") -> None:
        ways_out = {
            "sale": "Void it and report the right one under an id of its own.",
            "refund": "Report what was given back beyond it under an id of its own; a manager sees "
            "that the two differ.",
        }
        super().__init__(
            f"A {subject} with this id was recorded with other content. {ways_out[subject]}"
        )


class NoSuchSale(Exception):
    """Neither a sale nor a ticket of this id is known."""


class CannotRefund(Exception):
    """A refund does not fit its sale."""


class MoreThanLeft(CannotRefund):
    """All refunds of a sale together are at most its total."""

    def __init__(self, left_cents: int) -> None:
        super().__init__(
            f"Of this sale {left_cents} cents are left to refund. What was sold in another sale "
            "is refunded by that one's id."
        )
        self.left_cents = left_cents


class OtherCurrency(CannotRefund):
    def __init__(self, currency: str) -> None:
        super().__init__(f"The sale is in {currency}: refund it in that currency.")
        self.currency = currency


class SaleWasVoided(CannotRefund):
    def __init__(self) -> None:
        super().__init__("The sale was voided: all of it was taken back, and nothing is left.")


class CannotMatch(Exception):
    """`str()` tells the manager why."""


class CannotClaim(Exception):
    """A sale does not become this member's. `str()` tells the person why."""


class NotToBeClaimed(CannotClaim):
    """It is somebody's already, or nobody's ever."""


class NotNow(CannotClaim):
    """A worker is telling the engine of it this moment."""

    def __init__(self) -> None:
        super().__init__("The loyalty system is being told of this sale. Try again in a minute.")


class CannotAttach(CannotClaim):
    """A till may not do it; a manager may."""
