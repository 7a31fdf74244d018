"""An undo that takes a manager: their own PIN, and both people in the trail."""

import pytest
from argon2 import PasswordHasher
from django.db.models.functions import Now

from access import pin_sessions, pins
from access.models import Approval, Bearer
from audit.models import Entry
from redemptions.models import PendingRedemption
from redemptions.states import State
from sandbox.control import Sandbox
from stores.models import Associate, Installation, Till
from tests.access.at_till import PIN, give_pin, pair
from tests.associates.panel import Panel, text_of, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(pins, "HASHER", quick)


@pytest.fixture
def mel(installation: Installation) -> Associate:
    mel = Associate.objects.create(
        installation=installation, code="mel", name="Mel Sato", role=Associate.Role.MANAGER
    )
    give_pin(mel)
    return mel


@pytest.fixture
def applied(redeemed: PendingRedemption) -> PendingRedemption:
    """The POS put the code on the sale, and did not say that it took it off."""
    PendingRedemption.objects.update(applied_at=Now())
    return redeemed


def ask(panel: Panel, redemption: PendingRedemption):
    member = {"member": str(redemption.member_id)}
    return panel.get(f"redemptions/{redemption.id}/ask-manager", member)


def undo(panel: Panel, redemption: PendingRedemption):
    return panel.post(f"redemptions/{redemption.id}/undo", {"member": str(redemption.member_id)})


def approve(
    panel: Panel, redemption: PendingRedemption, manager: Associate, pin: str = PIN, **more
):
    fields = {"member": str(redemption.member_id), "manager": str(manager.pk), "pin": pin, **more}
    return panel.post(f"redemptions/{redemption.id}/approve", fields)


def state() -> str:
    return PendingRedemption.objects.get().state


def test_a_code_that_is_still_on_the_sale_takes_a_manager(panel, applied, sandbox: Sandbox, mel):
    refused = undo(panel, applied)
    assert refused.status_code == 409
    assert "Ask a manager" in text_of(refused) and "still on the sale" in words(refused)
    dialog = ask(panel, applied)
    assert "Mel S." in text_of(dialog) and "the shop pays for it" in text_of(dialog)

    answer = approve(panel, applied, mel)

    assert answer.status_code == 200
    assert (state(), sandbox.balance("mara@example.com")) == (State.REVERSED, 640)
    entry = Entry.objects.get(act="redemption.undone")
    assert (entry.who, entry.after["approved_by"]) == ("Ana Pardo", f"Mel Sato ({mel.pk})")
    assert Entry.objects.get(act="approval.granted").who == "Mel Sato"
    assert Approval.objects.exclude(used_at=None).count() == 1


def test_a_wrong_pin_leaves_it_and_asks_again(panel, applied, mel):
    answer = approve(panel, applied, mel, "918273")

    assert answer.status_code == 422
    assert text_of(answer).strip().startswith("<dialog")
    assert pins.WRONG in text_of(answer) and "918273" not in text_of(answer)
    assert state() == State.ISSUED and not Approval.objects.exists()


def test_after_five_wrong_ones_it_says_how_long_to_wait(panel, applied, mel):
    for _ in range(5):
        approve(panel, applied, mel, "918273")

    answer = approve(panel, applied, mel)

    assert answer.status_code == 429 and "Too many wrong PINs. Wait" in text_of(answer)
    assert state() == State.ISSUED


def test_nobody_approves_for_themselves(panel, applied, ana):
    Associate.objects.filter(pk=ana.pk).update(role=Associate.Role.MANAGER)
    give_pin(ana)

    answer = approve(panel, applied, ana)

    assert answer.status_code == 422
    assert "Nobody approves what they ask for themselves" in text_of(answer)
    assert state() == State.ISSUED
    assert "No manager but you has a PIN" in text_of(ask(panel, applied))


def test_where_people_sign_in_by_pin_no_till_says_that_it_took_the_code_off(
    panel, applied, mel, till, ana
):
    """Nor is an approval brought along by undo alone."""
    paired, _ = pair(till)
    Bearer.objects.update(pin_session=pin_sessions.start(paired, ana))
    fields = {"member": str(applied.member_id), "manager": str(mel.pk), "pin": PIN}

    answer = panel.post(f"redemptions/{applied.id}/undo", {**fields, "withdrawn": "1"})

    assert answer.status_code == 409 and state() == State.ISSUED


def test_what_is_on_another_tills_sale_this_till_does_not_take_off(panel, applied, till, mel):
    PendingRedemption.objects.update(
        ticket="T-2", till=Till.objects.create(store=till.store, code="2", name="Till 2")
    )
    took_off = {"member": str(applied.member_id), "withdrawn": "1", "sale": "T-1"}

    refused = panel.post(f"redemptions/{applied.id}/undo", took_off)

    assert (refused.status_code, state()) == (409, State.ISSUED)
    assert "is on another sale (T-2). It was made at Till 2: undo it there" in words(refused)
    assert "Ask a manager" in text_of(refused)
    assert approve(panel, applied, mel).status_code == 200
    assert state() == State.REVERSED


def test_undo_takes_no_ticket_that_is_none(panel, applied):
    fields = {"member": str(applied.member_id), "withdrawn": "1", "sale": "a b"}
    assert panel.post(f"redemptions/{applied.id}/undo", fields).status_code == 400


def test_kept_by_hand_what_is_on_the_sale_still_takes_a_manager(panel, applied):
    panel.post(f"redemptions/{applied.id}/keep", {"member": str(applied.member_id)})

    assert undo(panel, applied).status_code == 409 and state() == State.ISSUED


@pytest.mark.parametrize("event", ["discount.removed", "sale.voided"])
def test_where_people_sign_in_by_pin_no_event_takes_a_code_off(panel, applied, till, ana, event):
    PendingRedemption.objects.update(ticket="T-1")
    paired, _ = pair(till)
    Bearer.objects.update(pin_session=pin_sessions.start(paired, ana))

    panel.post("ticket", {"event": event, "sale": "T-1", "coupons": applied.code})

    assert undo(panel, applied).status_code == 409 and state() == State.ISSUED


def test_what_the_till_called_sold_takes_a_manager_though_it_is_off_the_sale(panel, applied, mel):
    PendingRedemption.objects.update(claimed_used_at=Now())
    fields = {"member": str(applied.member_id), "withdrawn": "1"}

    refused = panel.post(f"redemptions/{applied.id}/undo", fields)

    assert refused.status_code == 409 and state() == State.ISSUED
    assert "Ask a manager" in text_of(refused) and "was completed" in words(refused)
    assert "was completed" in text_of(ask(panel, applied))
    assert approve(panel, applied, mel).status_code == 200
    assert state() == State.REVERSED


def test_a_managers_start_pin_leads_to_one_of_their_own(panel, applied, mel):
    start = pins.issue_start_pin(mel)
    asked = approve(panel, applied, mel, start)
    assert asked.status_code == 422 and "That was a start PIN" in text_of(asked)
    assert start not in text_of(asked)
    for new, again, said in (
        ("839201", "839202", "not the same"),
        ("123456", "123456", "no pattern"),
    ):
        more = {"new_pin": new, "new_pin_again": again}
        assert said in text_of(approve(panel, applied, mel, start, **more))
    assert state() == State.ISSUED

    more = {"new_pin": "839201", "new_pin_again": "839201"}
    assert approve(panel, applied, mel, start, **more).status_code == 200
    assert state() == State.REVERSED


def test_it_takes_the_member_who_is_shown(panel, applied, mel, bea):
    for path in ("approve", "undo"):
        fields = {"member": str(bea.id), "manager": str(mel.pk), "pin": PIN}
        assert panel.post(f"redemptions/{applied.id}/{path}", fields).status_code == 404
    assert state() == State.ISSUED and not Approval.objects.exists()


def test_once_it_is_off_the_sale_no_manager_is_needed(panel, applied, mel):
    PendingRedemption.objects.update(withdrawn_at=Now())
    assert "No manager is needed any more" in text_of(ask(panel, applied))

    assert approve(panel, applied, mel).status_code == 200
    assert state() == State.REVERSED and not Approval.objects.exists()


# By an installation's choice, what others redeemed


@pytest.fixture
def strict(installation: Installation) -> None:
    Installation.objects.update(undo_of_others_needs_manager=True)


def test_without_that_choice_anybody_undoes(redeemed, bens_panel):
    assert undo(bens_panel, redeemed).status_code == 200
    assert state() == State.REVERSED


def test_with_it_ben_needs_a_manager_for_anas(strict, redeemed, bens_panel, mel):
    refused = undo(bens_panel, redeemed)
    assert refused.status_code == 409 and "Ana Pardo redeemed this" in text_of(refused)
    assert state() == State.ISSUED

    assert approve(bens_panel, redeemed, mel).status_code == 200
    assert state() == State.REVERSED
    assert PendingRedemption.objects.get().withdrawn_at is None


def test_with_it_ana_undoes_her_own(strict, redeemed, panel):
    assert undo(panel, redeemed).status_code == 200


def test_a_managers_yes_to_one_reason_is_none_to_the_other(strict, applied, bens_panel, mel):
    """It is on the sale, too: the graver reason is what is asked for."""
    assert "the shop pays for it" in text_of(ask(bens_panel, applied))

    assert approve(bens_panel, applied, mel).status_code == 200
    assert Approval.objects.get().kind == "undo.still_on_sale"
