"""The one way to write an entry of the trail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from django.db import models

from audit.masking import mask_text, masked
from audit.models import Entry

# The column's.
LONGEST_NAME = 250
# What was done to what, in the past tense: redemption.disputed.let_go
ACT = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")


class StoreRow(Protocol):
    pk: Any
    installation_id: Any


class TillRow(Protocol):
    pk: Any
    store: Any


class Row(Protocol):
    pk: Any


@dataclass(frozen=True)
class Who:
    """Who did it, by what they were called then. Made by one of the four below."""

    kind: Entry.WhoKind
    id: str
    name: str

    @classmethod
    def associate(cls, row: Row) -> "Who":
        return cls(Entry.WhoKind.ASSOCIATE, str(row.pk), str(row))

    @classmethod
    def user(cls, row: Row) -> "Who":
        """Who is logged in to the admin."""
        return cls(Entry.WhoKind.USER, str(row.pk), str(row))

    @classmethod
    def key(cls, row: Row, on_behalf_of: Row | None = None) -> "Who":
        """A POS's server by its API key, and the associate for whom it says that it acts."""
        told = f" for {on_behalf_of}" if on_behalf_of else ""
        name = f"API key {str(row)[: LONGEST_NAME // 2]}{told}"
        return cls(Entry.WhoKind.MACHINE, str(row.pk), name[:LONGEST_NAME])

    @classmethod
    def machine(cls, name: str) -> "Who":
        """Nobody in person: a worker, a command, an API key by its visible beginning."""
        return cls(Entry.WhoKind.MACHINE, "", name)


@dataclass(frozen=True)
class Where:
    """Where it was done. Made by `at`, or nowhere in particular."""

    installation: str = ""
    store_id: int | None = None
    store: str = ""
    till_id: int | None = None
    till: str = ""

    @classmethod
    def at(
        cls,
        *,
        till: TillRow | None = None,
        store: StoreRow | None = None,
        installation: Row | None = None,
    ) -> "Where":
        """A till says its store, and a store its installation: the narrowest is enough."""
        store = store or (till.store if till else None)
        by_store = str(store.installation_id) if store else ""
        return cls(
            installation=str(installation.pk) if installation else by_store,
            store_id=store.pk if store else None,
            store=str(store) if store else "",
            till_id=till.pk if till else None,
            till=str(till) if till else "",
        )


NOWHERE = Where()


@dataclass(frozen=True)
class By:
    """Who acts, where and why: handed down to an action, which records in its own transaction."""

    who: Who
    where: Where = NOWHERE
    reason: str = ""

    def record(
        self,
        act: str,
        subject: models.Model,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> Entry:
        """As `record`, for an act that was done."""
        return record(
            act=act,
            who=self.who,
            subject=subject,
            where=self.where,
            before=before,
            after=after,
            reason=self.reason,
        )


def record(
    *,
    act: str,
    who: Who,
    subject: models.Model,
    where: Where = NOWHERE,
    outcome: Entry.Outcome = Entry.Outcome.DONE,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> Entry:
    """Write down that `who` did `act` to `subject`, in the transaction that the caller is in.

    So an act that is rolled back leaves no entry; a refusal that shall leave one is recorded
    outside of what is rolled back. `act` is words like `redemption.disputed.let_go`, of the room's
    choosing. `before` and `after` hold the fields that changed; secrets and personal data in them
    are masked, as emails and phones in `reason` are. The request's id is taken from the log's
    context. Raises ValueError for an act that is no such word.
    """
    if not ACT.fullmatch(act):
        raise ValueError(f"{act!r} names no act. Use words like redemption.disputed.let_go")
    return Entry.objects.create(
        act=act,
        outcome=outcome,
        who_kind=who.kind,
        who_id=who.id,
        who=who.name,
        installation=where.installation,
        store_id=where.store_id,
        store=where.store,
        till_id=where.till_id,
        till=where.till,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        before=masked(before or {}),
        after=masked(after or {}),
        reason=mask_text(reason),
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )
