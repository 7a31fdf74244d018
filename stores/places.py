"""Where something happens, by the names that the POS has for it.

A store, till or associate that a valid key or launch names and that is not known yet is made, so
that nobody has to type a POS's lists into the admin. What was disabled there is refused.
"""

from dataclasses import dataclass
from typing import TypeVar

import structlog

from stores.models import POS_ID, Associate, Installation, Store, Till

log = structlog.get_logger(__name__)
Named = TypeVar("Named", Store, Till, Associate)

# Stands for the store of a till that was named alone, where there is not just one it could be.
UNNAMED_STORE = "default"


class Disabled(Exception):
    """A manager has disabled this store, till or associate; the words say which."""


@dataclass(frozen=True)
class Place:
    """Who acts where. What the POS did not name is None; a till always has its store."""

    store: Store | None
    till: Till | None
    associate: Associate | None


def place_of(
    installation: Installation,
    store: str | None = None,
    till: str | None = None,
    associate: str | None = None,
) -> Place:
    """The place of these codes at the POS; what is not known yet is made, with its code for a name.

    A till without a store stands in the installation's only store; where there is none or are
    several, in one with the code "default". Raises Disabled, and ValidationError for what is no
    code; then what was made before in the same call stays.
    """
    found_store = store_of(installation, store) if store else None
    if till and found_store is None:
        found_store = store_of_till_alone(installation)
    return Place(
        store=found_store,
        till=till_of(found_store, till) if till and found_store else None,
        associate=associate_of(installation, associate) if associate else None,
    )


def store_of(installation: Installation, code: str) -> Store:
    """Raises Disabled, and ValidationError for what is no code."""
    POS_ID(code)
    return usable(
        *Store.objects.get_or_create(installation=installation, code=code, defaults={"name": code})
    )


def store_of_till_alone(installation: Installation) -> Store:
    """Raises Disabled."""
    stores = list(installation.stores.all()[:2])
    if len(stores) == 1:
        return usable(stores[0], is_new=False)
    return store_of(installation, UNNAMED_STORE)


def till_of(store: Store, code: str) -> Till:
    """Raises Disabled, and ValidationError for what is no code."""
    POS_ID(code)
    till, is_new = Till.objects.get_or_create(store=store, code=code, defaults={"name": code})
    till.store = store  # who asks where it stands need not read it again
    return usable(till, is_new)


def associate_of(installation: Installation, code: str) -> Associate:
    """Raises Disabled, and ValidationError for what is no code."""
    POS_ID(code)
    return usable(
        *Associate.objects.get_or_create(
            installation=installation, code=code, defaults={"name": code}
        )
    )


def usable(row: Named, is_new: bool) -> Named:
    kind = row._meta.verbose_name
    if is_new:
        log.info("place.made", kind=str(kind), id=row.pk)
    if not row.is_active:
        raise Disabled(
            f"The {kind} {row.code!r} is disabled. Name another one, or ask a manager to make it "
            "active in the admin."
        )
    return row


def rename(associate: Associate, name: str, role: str) -> dict[str, tuple[str, str]]:
    """What their POS calls them and lets them do. What changed, from what to what."""
    told = {"name": name, "role": role}
    changes = {
        field: (getattr(associate, field), value)
        for field, value in told.items()
        if getattr(associate, field) != value
    }
    if changes:
        for field, (_, value) in changes.items():
            setattr(associate, field, value)
        associate.save(update_fields=list(changes))
    return changes
