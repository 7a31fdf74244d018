"""Where a call comes from: the store, till and associate that its body names."""

from stores.models import Installation
from stores.places import Disabled, Place, place_of

__all__ = ["Disabled", "Place", "read_place"]


def read_place(
    installation: Installation,
    *,
    store: str | None = None,
    till: str | None = None,
    associate: str | None = None,
) -> Place:
    """Those named and not yet known are made; each is a POS_ID already. Raises Disabled."""
    return place_of(installation, store, till, associate)
