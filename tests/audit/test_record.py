"""Every act leaves an entry: who, where, what to what, from what to what."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from audit.models import Entry
from audit.record import Where, Who, record
from stores.models import Associate, Till

pytestmark = pytest.mark.django_db

WORKER = Who.machine("worker")


@pytest.mark.database
def test_an_entry_says_all_of_it(till: Till, ana: Associate) -> None:
    with structlog.contextvars.bound_contextvars(request_id="req-1234"):
        record(
            act="till.changed",
            who=Who.associate(ana),
            where=Where.at(till=till),
            subject=till,
            before={"name": "Till 1", "is_active": True},
            after={"name": "Door", "is_active": False},
            reason="It moved",
        )
    entry = Entry.objects.get()
    assert (entry.act, entry.outcome, entry.reason) == ("till.changed", "done", "It moved")
    assert (entry.who_kind, entry.who_id, entry.who) == ("associate", str(ana.pk), "Ana Pardo")
    assert (entry.installation, entry.store_id, entry.store) == ("shop", till.store_id, "Boston")
    assert (entry.till_id, entry.till) == (till.pk, "Till 1, Boston")
    assert (entry.subject_type, entry.subject_id) == ("stores.till", str(till.pk))
    assert entry.before == {"name": "Till 1", "is_active": True}
    assert entry.after == {"name": "Door", "is_active": False}
    assert entry.request_id == "req-1234"
    assert abs(entry.at - timezone.now()) < timedelta(minutes=1)
    assert str(entry) == "till.changed by Ana Pardo"


def test_nowhere_and_outside_of_a_request_is_an_entry_too(till: Till) -> None:
    record(act="till.changed", who=WORKER, subject=till, outcome=Entry.Outcome.REFUSED)
    entry = Entry.objects.get()
    assert (entry.who_kind, entry.who, entry.outcome) == ("machine", "worker", "refused")
    assert (entry.installation, entry.store_id, entry.till_id) == ("", None, None)
    assert (entry.before, entry.after, entry.request_id) == ({}, {}, "")


def test_where_is_as_narrow_as_what_is_known(till: Till) -> None:
    store, shop = till.store, till.store.installation
    assert Where.at(till=till) == Where.at(till=till, store=store, installation=shop)
    assert Where.at(store=store) == Where("shop", store.pk, "Boston")
    assert Where.at(installation=shop) == Where("shop")
    assert Where.at() == Where()


def test_a_manager_is_named_as_they_log_in(till: Till) -> None:
    boss = User.objects.create(username="boss")
    record(act="till.changed", who=Who.user(boss), subject=till)
    entry = Entry.objects.get()
    assert (entry.who_kind, entry.who_id, entry.who) == ("user", str(boss.pk), "boss")


@pytest.mark.parametrize(
    "act", ["", "till", "Till.changed", "till changed", "till.", ".x", "a.b\n"]
)
def test_an_act_that_is_no_such_word_is_refused(till: Till, act: str) -> None:
    with pytest.raises(ValueError, match="names no act"):
        record(act=act, who=WORKER, subject=till)
    assert Entry.objects.count() == 0


@pytest.mark.database
def test_what_is_rolled_back_leaves_no_entry(till: Till) -> None:
    with transaction.atomic():
        record(act="till.changed", who=WORKER, subject=till)
        transaction.set_rollback(True)
    assert Entry.objects.count() == 0


@pytest.mark.database
def test_who_and_what_may_be_deleted_without_a_trace_lost(till: Till) -> None:
    boss = User.objects.create(username="boss")
    record(act="till.deleted", who=Who.user(boss), where=Where.at(till=till), subject=till)
    boss.delete()
    till.delete()
    entry = Entry.objects.get()
    assert (entry.who, entry.till, bool(entry.till_id)) == ("boss", "Till 1, Boston", True)


# Values: as they are given -> as they are kept.
VALUES: dict[str, tuple[Any, Any]] = {
    "lease_minutes": (15, 15),
    "is_active": (False, False),
    "nothing": (None, None),
    "state": ("issued", "issued"),
    "amount": (Decimal("1.50"), "1.50"),
    "at": (timezone.now().replace(microsecond=0, year=2026, month=1, day=2), None),
    "origins": (["https://a.example"], ["https://a.example"]),
    "email": ("mara@example.com", "m•••@example.com"),
    "words": (
        "Told mara@example.com, ida+2@example.com (call +1 212 555 0142) today",
        "Told m•••@example.com, i•••@example.com (call •••) today",
    ),
    "people": (
        ["mara@example.com", {"phone": "+12125550142"}],
        ["m•••@example.com", {"phone": "•••"}],
    ),
    "phone": ("212 555 0142", "•••"),
    "first_name": ("Mara", "•••"),
    "birthday": ("01-02", "•••"),
    "launch_secret": ("s3cret", "•••"),
    "api_key": ("lp_abc", "•••"),
    "token_sha256": ("0" * 64, "•••"),
    "pin": ("1234", "•••"),
    "password": ("", ""),
    "code": ("LP-1234", "LP-1234"),
    "offer_name": ("$5 off", "$5 off"),
    "number": ("20261122001234", "20261122001234"),
}


@pytest.mark.database
@pytest.mark.parametrize("name", VALUES)
def test_secrets_and_personal_data_are_masked(till: Till, name: str) -> None:
    given, kept = VALUES[name]
    kept = kept or (given.isoformat().replace("+00:00", "Z") if name == "at" else kept)
    record(act="till.changed", who=WORKER, subject=till, before={name: given}, after={name: given})
    entry = Entry.objects.get()
    assert entry.before == entry.after == {name: kept}


def test_a_reason_tells_nobodys_email(till: Till) -> None:
    record(act="till.changed", who=WORKER, subject=till, reason="mara@example.com asked")
    assert Entry.objects.get().reason == "m•••@example.com asked"


def test_a_long_text_is_masked_at_once(till: Till) -> None:
    started = timezone.now()
    record(act="till.changed", who=WORKER, subject=till, reason="a" * 100_000 + "@")
    assert timezone.now() - started < timedelta(seconds=5)


# What the database refuses: the fields -> the constraint.
CONSTRAINTS: dict[str, tuple[dict[str, str], str]] = {
    "another outcome": ({"outcome": "maybe"}, "an_act_is_done_or_refused"),
    "nobody": ({"who": ""}, "an_act_is_somebodys"),
    "another kind of somebody": ({"who_kind": "ghost"}, "an_act_is_somebodys"),
    "no act": ({"act": ""}, "an_entry_names_its_act"),
}
GOOD = {"act": "till.changed", "outcome": "done", "who_kind": "machine", "who": "worker"}


@pytest.mark.database
@pytest.mark.parametrize(("fields", "name"), CONSTRAINTS.values(), ids=CONSTRAINTS.keys())
def test_the_database_keeps_no_entry_that_says_nothing(fields: dict[str, str], name: str) -> None:
    Entry.objects.create(**GOOD)
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Entry.objects.create(**{**GOOD, **fields})
    assert Entry.objects.count() == 1


def test_an_entry_that_cannot_be_written_stops_the_act(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_fields: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(Entry.objects, "create", fail)

    @transaction.atomic
    def rename() -> None:
        Till.objects.update(name="Door")
        record(act="till.changed", who=WORKER, subject=till)

    with pytest.raises(DatabaseError):
        rename()
    assert Till.objects.get().name == "Till 1"
