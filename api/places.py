"""Where a call comes from: the store, till and associate that its body names."""

from dataclasses import dataclass

from stores.models import Associate, Installation, Store, Till


class Disabled(Exception):
    """It was named, and a manager has disabled it. `str()` tells which."""


@dataclass(frozen=True, slots=True)
class Place:
    store: Store | None
    till: Till | None
    associate: Associate | None


def read_place(
    installation: Installation,
    *,
    store: str | None = None,
    till: str | None = None,
    associate: str | None = None,
) -> Place:
    """Those named and not yet known are made. Raises Disabled."""
    place = None
    if store:
        place = Store.objects.get_or_create(
            installation=installation, code=store, defaults={"name": store}
        )[0]
    at = person = None
    if till and place:
        at = Till.objects.get_or_create(store=place, code=till, defaults={"name": till})[0]
    if associate:
        person = Associate.objects.get_or_create(
            installation=installation, code=associate, defaults={"name": associate}
        )[0]
    for one in (place, at, person):
        if one and not one.is_active:
            raise Disabled(f"{one} is disabled.")
    return Place(place, at, person)
