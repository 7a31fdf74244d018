"""Why a sale is not taken. Each text tells the POS's engineer what to do."""


class OtherContent(Exception):
    """A sale of this id was told with other content."""

    def __init__(self) -> None:
        super().__init__(
            "A sale with this id was recorded with other content. Void it and report the right "
            "one under an id of its own."
        )


class NoSuchSale(Exception):
    """Neither a sale nor a ticket of this id is known."""
