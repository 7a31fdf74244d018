"""The panel where points go with the order: what it promises, and which code another one ends."""

import re

import pytest
from django.http import HttpResponse

from members.models import Member
from redemptions.life import note_applied
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from sandbox.control import Sandbox
from stores.models import Installation, Till
from tests.associates.panel import (
    FIVE_OFF,
    POINTS_FOR_DOLLARS,
    Panel,
    buttons,
    code_of,
    hidden,
    text_of,
    words,
)

pytestmark = pytest.mark.django_db

GIVES_BACK = re.compile(r"points? (go|goes|come|comes|is|are) back|gives? the points? back")


@pytest.fixture(autouse=True)
def _delayed(installation: Installation) -> None:
    installation.delayed_deduction = True
    installation.save()


@pytest.fixture
def elsewhere() -> Installation:
    """Another POS of the same merchant."""
    return Installation.objects.create(name="Kiosk", delayed_deduction=True)


def plain(answer: HttpResponse) -> str:
    """What it says, without its tags."""
    return " ".join(re.sub("<[^>]+>", " ", text_of(answer)).split()).replace(" ;", ";")


def ask(panel: Panel, member: Member, offer: str = "Points for dollars"):
    """The dialog of an offer, as a look-up shows it."""
    button = buttons(panel.look_up("mara@example.com"))[offer]
    return panel.post(f"members/{member.id}/ask", button)


def test_the_screen_tells_what_can_be_spent(panel: Panel, redeemed: PendingRedemption) -> None:
    shown = text_of(panel.look_up("mara@example.com"))
    assert '<span class="number">640</span>' in shown
    assert "500 points of them wait for a sale with a code that was made; 140 can be spent" in shown
    assert "$5 off" in shown


def test_what_the_open_code_would_free_counts_for_another_delayed_one_alone(
    panel: Panel, mara: Member, redeemed: PendingRedemption, sandbox: Sandbox
) -> None:
    offers = panel.look_up("mara@example.com")
    assert set(buttons(offers)) == {"$5 off", "Points for dollars"}
    assert "Tote bag voucher 160 points missing" in plain(offers)

    assert "500 points for $5.00, taken when the sale is complete; 140 will be left" in plain(
        ask(panel, mara, "$5 off")
    )
    any_number = ask(panel, mara)
    assert "1 to 640" in plain(any_number)
    fields = {name: hidden(any_number, name) for name in ("act", "ends", "another", "shown")}
    asked = panel.redeem(**fields, points="641")
    assert (asked.status_code, "There are only 640" in plain(asked)) == (422, True)
    assert "1 to 640" in plain(asked)
    assert code_of(panel.redeem(**fields, points="640"))
    assert sandbox.balance("mara@example.com") == 640


HINT = "Ends the open code"


def test_an_offer_says_beforehand_that_it_ends_the_open_code(
    panel: Panel, sandbox: Sandbox, mara: Member
) -> None:
    sandbox.adjust("mara@example.com", 1000)
    assert HINT not in plain(panel.look_up("mara@example.com"))
    panel.redeem(panel.act(mara, FIVE_OFF))
    offers = plain(panel.look_up("mara@example.com"))
    tote_bag = offers.partition("Tote bag voucher")[2].partition("Redeem")[0]
    # A custom coupon's points go at once, and it ends nothing.
    assert HINT not in tote_bag and offers.count(HINT) == 3, offers
    PendingRedemption.objects.update(installation=Installation.objects.create(name="Kiosk"))
    assert HINT not in plain(panel.look_up("mara@example.com"))


def test_nothing_promises_points_that_never_went(
    panel: Panel, mara: Member, redeemed: PendingRedemption
) -> None:
    where, who = f"redemptions/{redeemed.id}", {"member": str(mara.id)}
    issued = text_of(panel.get(where, who))
    assert "500 points go when the sale is complete" in issued
    undone = text_of(panel.post(f"{where}/undo", who))
    assert "No points were taken" in undone
    assert not GIVES_BACK.search(issued + undone)


def test_the_dialog_says_which_code_it_ends(
    panel: Panel, mara: Member, redeemed: PendingRedemption
) -> None:
    dialog = ask(panel, mara)
    assert "This ends code" in text_of(dialog)
    assert redeemed.code in text_of(dialog)
    fields = {name: hidden(dialog, name) for name in ("act", "ends", "another")}

    answer = panel.redeem(**fields, points="37")

    redeemed.refresh_from_db()
    assert (redeemed.state, redeemed.reason) == (State.CANCELLED, Reason.REPLACED)
    assert code_of(answer) not in {"", redeemed.code}


def test_one_made_meanwhile_is_asked_about(panel: Panel, mara: Member) -> None:
    dialog = ask(panel, mara)
    panel.redeem(panel.act(mara, FIVE_OFF))
    shown = {name: hidden(dialog, name) for name in ("act", "shown")}

    asked = panel.redeem(**shown, points="37")

    assert (asked.status_code, "This ends code" in text_of(asked)) == (409, True)
    assert PendingRedemption.objects.count() == 1


def test_one_on_a_sale_is_ended_when_the_till_took_it_off(
    panel: Panel, mara: Member, redeemed: PendingRedemption
) -> None:
    note_applied(redeemed)
    dialog = ask(panel, mara)
    assert 'data-on-sale="1"' in text_of(dialog)
    fields = {name: hidden(dialog, name) for name in ("act", "ends", "another")}

    refused = panel.redeem(**fields, points="37")
    assert refused.status_code == 409
    assert "still on a sale. Take it off there first" in words(refused)

    assert code_of(panel.redeem(**fields, points="37", withdrawn="1"))


def test_this_till_does_not_end_what_is_on_another_tills_sale(
    panel: Panel, mara: Member, redeemed: PendingRedemption, till: Till
) -> None:
    note_applied(redeemed)
    PendingRedemption.objects.update(ticket="T-1")
    button = buttons(panel.look_up("mara@example.com"))["Points for dollars"]
    there = panel.post(f"members/{mara.id}/ask", button | {"sale": "T-1"})
    fields = {name: hidden(there, name) for name in ("act", "ends", "another")}

    here = panel.post(f"members/{mara.id}/ask", button | {"sale": "T-2"})
    assert "is on another sale (T-1). Undo it there, or ask a manager" in plain(here)
    assert "Show that code" in plain(here)
    assert not re.search('type="submit"|data-ends', text_of(here))

    refused = panel.redeem(**fields, points="37", withdrawn="1", sale="T-2")
    assert (refused.status_code, "is on another sale" in words(refused)) == (409, True)
    redeemed.refresh_from_db()
    assert redeemed.state == State.ISSUED

    assert code_of(panel.redeem(**fields, points="37", withdrawn="1", sale="T-1"))


def test_a_code_without_a_ticket_is_its_tills(
    panel: Panel, mara: Member, redeemed: PendingRedemption, till: Till
) -> None:
    note_applied(redeemed)
    other = Till.objects.create(store=till.store, code="2", name="Till 2")
    dialog = ask(panel, mara)
    fields = {name: hidden(dialog, name) for name in ("act", "ends", "another")}
    PendingRedemption.objects.update(till=other)
    refused = panel.redeem(**fields, points="37", withdrawn="1")
    assert (refused.status_code, "made at Till 2: undo it there" in words(refused)) == (409, True)


def test_another_installations_code_is_neither_ended_nor_shown(
    panel: Panel, mara: Member, redeemed: PendingRedemption, elsewhere: Installation
) -> None:
    PendingRedemption.objects.update(installation=elsewhere)
    assert set(buttons(panel.look_up("mara@example.com"))) == {"Points for dollars"}
    assert "Made at another point of sale" in text_of(panel.look_up("mara@example.com"))

    dialog = ask(panel, mara)
    assert "made at another point of sale: undo it there, or ask a manager" in plain(dialog)
    assert not re.search('type="submit"|data-ends|Show that code', text_of(dialog))

    act = panel.act(mara, POINTS_FOR_DOLLARS)
    refused = panel.redeem(act, points="37", another="1", ends=str(redeemed.id), withdrawn="1")
    assert (refused.status_code, "another point of sale" in words(refused)) == (409, True)
    redeemed.refresh_from_db()
    assert redeemed.state == State.ISSUED


@pytest.mark.parametrize("ends", ["nothing", "0b5f7b6e"])
def test_an_id_that_is_none_is_refused(panel: Panel, mara: Member, ends: str) -> None:
    assert panel.redeem(panel.act(mara, POINTS_FOR_DOLLARS), ends=ends).status_code == 400


def test_elsewhere_the_dialog_ends_nothing(
    panel: Panel,
    mara: Member,
    redeemed: PendingRedemption,
    installation: Installation,
    sandbox: Sandbox,
) -> None:
    installation.delayed_deduction = False
    installation.save()
    assert "This ends code" not in text_of(ask(panel, mara))
