"""A sale that named nobody is added to the member on the screen, once, and by whom is written."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from access.look_ups import Meter
from associates import attaching
from audit.models import Entry
from members.models import Member
from sales.models import Sale
from sales.record import Recorded
from sandbox.control import Sandbox
from stores.models import Installation
from tests.associates.panel import NEVER_SEEN, Panel, text_of, words
from tests.sales.conftest import deliveries, sell

__all__ = ["deliveries", "sell"]


@pytest.fixture
def nobodys(sell: Callable[..., Recorded]) -> Sale:
    """Sale 109001 for $42, made just now."""
    return sell("109001", email="", completed_at=timezone.now()).sale


def page_of(panel: Panel, path: str, **fields: str) -> str:
    return " ".join(text_of(panel.post(path, fields)).split())


def add(panel: Panel, sale: Sale, member: Member, status: int = 200) -> str:
    answer = panel.post(f"sale/{sale.pk}/add", {"member": str(member.pk)})
    assert answer.status_code == status, words(answer)
    return " ".join(text_of(answer).split())


@pytest.mark.database
def test_it_is_looked_at_added_told_once_and_written_down(
    panel: Panel,
    nobodys: Sale,
    mara: Member,
    sandbox: Sandbox,
    deliveries: Callable[[], list[str]],
) -> None:
    shown = page_of(panel, "sale", number="109001", member=str(mara.pk))
    assert ">Add to this member</button>" in shown
    assert "It is noted that you did it, Ana Pardo" in shown
    for _ in range(2):
        assert "Sale 109001 is added" in add(panel, nobodys, mara)
    deliveries()
    assert sandbox.balance(mara.email) == 682
    entry = Entry.objects.get(act="sale.attached")
    assert (entry.who, entry.subject_id) == ("Ana Pardo", str(nobodys.pk))


def test_without_a_member_it_says_how_to_add_it(panel: Panel, nobodys: Sale) -> None:
    shown = page_of(panel, "sale", number="109001")
    assert "To add it to a member, look them up and press Add a sale." in shown
    assert "Add to this member" not in shown


def test_of_a_sale_that_has_a_member_it_says_so(
    panel: Panel, sell: Callable[..., Recorded], mara: Member, bea: Member
) -> None:
    sell("109001")
    mine = page_of(panel, "sale", number="109001", member=str(mara.pk))
    assert "This sale is this member's already. It can't be added." in mine
    others = page_of(panel, "sale", number="109001", member=str(bea.pk))
    assert "This sale has a member. It can't be added." in others
    assert "Add to this member" not in mine + others


def test_what_the_shop_does_not_allow_is_refused_in_words(
    panel: Panel, nobodys: Sale, mara: Member
) -> None:
    Installation.objects.update(attach_within_days=0)
    page = add(panel, nobodys, mara, status=409)
    assert "Sale 109001 was not added" in page
    assert "Sales are not attached at tills here." in page
    assert Sale.objects.get().member is None


def test_one_that_another_till_added_meanwhile_is_refused(
    panel: Panel, nobodys: Sale, mara: Member, bea: Member
) -> None:
    add(panel, nobodys, bea)
    assert "was not added" in add(panel, nobodys, mara, status=409)
    assert Sale.objects.get().member == bea


def test_sales_that_named_the_members_email_before_are_offered(
    panel: Panel, nobodys: Sale, sell: Callable[..., Recorded], deliveries, sandbox: Sandbox
) -> None:
    sell("109002", email="nova@example.com", completed_at=timezone.now())
    deliveries()
    sandbox.add_member(email="nova@example.com", first_name="Nova", points=0)
    nova = Member.objects.seen("nova@example.com")
    answer = panel.get("sale/find", {"member": str(nova.pk)})
    page = " ".join(text_of(answer).split())
    assert 'aria-label="Open sale 109002"' in page
    assert "Open sale 109001" not in page
    add(panel, Sale.objects.get(pos_id="109002"), nova)
    deliveries()
    assert sandbox.balance("nova@example.com") == 42


def test_it_is_counted_as_a_look_up(
    panel: Panel, nobodys: Sale, mara: Member, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may ask the engine whose phone it is, and tells of any sale whether it is to be had."""
    settings.LOOK_UPS_OF_A_TILL = 0
    monkeypatch.setattr(attaching, "meter", Meter())
    assert "More customers were looked up here" in add(panel, nobodys, mara, status=429)
    assert Sale.objects.get().member is None


WRONG = {"nobody": str(NEVER_SEEN), "none": ""}


@pytest.mark.parametrize("member", WRONG.values(), ids=WRONG)
def test_without_a_known_member_nothing_is_added(panel: Panel, nobodys: Sale, member: str) -> None:
    answer = panel.post(f"sale/{nobodys.pk}/add", {"member": member})
    assert answer.status_code == 404
    assert Sale.objects.get().member is None


def test_what_is_no_id_is_refused(panel: Panel, nobodys: Sale) -> None:
    answer = panel.post(f"sale/{nobodys.pk}/add", {"member": "x"})
    assert answer.status_code == 400


def test_another_installations_sale_is_none_of_ours(
    panel: Panel, nobodys: Sale, mara: Member
) -> None:
    Sale.objects.update(installation=Installation.objects.create(id="other", name="Another"))
    add(panel, nobodys, mara, status=404)
