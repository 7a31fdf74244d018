"""What the database refuses of refunds, what a manager is told of, and what they can do."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from sales.models import Conflict, Refund, Remainder, Sale
from sales.watches import watch_conflicts, watch_refunds, watch_remainders
from stores.models import Installation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture
def sale(mara, sell) -> Sale:
    return sell().sale


@pytest.fixture
def refund(sale: Sale):
    """Writes one as it would stand; `facts` make it another."""

    def write(**facts: Any) -> Refund:
        usual = {
            "installation": sale.installation,
            "pos_id": "R-1",
            "refund_id": facts.get("pos_id", "R-1"),
            "total_cents": 100,
            "currency": "USD",
            "state": "waiting",
        }
        with transaction.atomic():
            return Refund.objects.create(**usual | facts)

    return write


GOOD: dict[str, dict[str, Any]] = {
    "waiting": {},
    "kept, with a reason": {"state": "kept", "reason": "blind"},
    "promised, with an order": {"state": "promised", "order_id": "S-1"},
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "kept without a reason": ({"state": "kept"}, "a_refund_that_is_kept_alone_has_a_reason"),
    "a reason, and not kept": ({"reason": "blind"}, "a_refund_that_is_kept_alone_has_a_reason"),
    "promised without an order": ({"state": "promised"}, "a_promised_refund_has_an_order"),
    "no id, and no void": (
        {"pos_id": "", "refund_id": "x"},
        "a_refund_has_the_id_of_its_pos_unless_it_is_a_void",
    ),
    "a void of nothing": (
        {"pos_id": "", "refund_id": "x", "is_void": True},
        "a_refund_has_the_id_of_its_pos_unless_it_is_a_void",
    ),
}


@pytest.mark.parametrize("facts", GOOD.values(), ids=GOOD)
def test_a_good_row_passes(refund, facts: dict[str, Any]) -> None:
    assert refund(**facts).pk


@pytest.mark.parametrize(("facts", "constraint"), BAD.values(), ids=BAD)
def test_a_bad_row_is_refused(refund, facts: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        refund(**facts)


def test_one_id_is_one_refund_and_a_sale_is_voided_once(refund, sale: Sale) -> None:
    refund()
    with pytest.raises(IntegrityError):
        refund(refund_id="another")
    other = Installation.objects.create(id="other", name="Other")
    with pytest.raises(IntegrityError):
        refund(installation=other)
    refund(installation=other, refund_id="other-R-1")
    void = {"pos_id": "", "is_void": True, "sale": sale}
    refund(refund_id="S-1~void", **void)
    with pytest.raises(IntegrityError):
        refund(refund_id="S-1~void2", **void)


def test_a_manager_is_told_of_refunds_that_take_back_nothing(refund) -> None:
    refund()
    assert list(watch_refunds()) == []  # its sale may still come
    kept = refund(pos_id="R-2", state="kept", reason="blind")
    [told] = watch_refunds()
    assert (told.kind, told.count, told.installation) == ("refund.kept", 1, "shop")
    Refund.objects.filter(pk=kept.pk).update(reason="no_match")
    assert list(watch_refunds()) == []
    Refund.objects.filter(pos_id="R-1").update(recorded_at="2026-01-01T00:00:00Z")
    assert next(watch_refunds()).count == 1


@pytest.fixture
def manager(client: Client) -> Client:
    user = User.objects.create(username="mel", is_staff=True)
    names = ["view_conflict", "view_remainder", "settle"]
    may = Permission.objects.filter(codename__in=names, content_type__app_label="sales")
    user.user_permissions.set(may)
    client.force_login(user)
    return client


@pytest.mark.parametrize("words", ["", "Called the shop"], ids=["silent", "with words"])
def test_what_was_seen_to_is_told_no_more(manager: Client, sale: Sale, words: str) -> None:
    told = {"installation": sale.installation, "total_cents": 1, "currency": "USD"}
    rows = {
        Conflict.objects.create(subject="sale", pos_id="S-1", content="x", **told): watch_conflicts,
        Remainder.objects.create(sale=sale, state="asks", cause="Not read."): watch_remainders,
    }
    for row, watch in rows.items():
        [condition] = watch()
        assert manager.get(condition.path).status_code == 200
        page = reverse(f"admin:sales_{row._meta.model_name}_changelist")
        chosen = {"action": "mark_seen", "_selected_action": [row.pk], "done": words}
        assert manager.post(page, chosen).status_code == 302
        assert bool(list(watch())) is not bool(words)
    seen = Entry.objects.filter(reason="Called the shop").values_list("act", flat=True)
    assert sorted(seen) == (["conflict.seen", "remainder.seen"] if words else [])
