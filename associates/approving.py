"""An undo that takes a manager: their own PIN, in a dialog at the till of whoever asks for it."""

import uuid
from enum import StrEnum

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from access import approvals, pins
from access.at_till import short
from access.middleware import PanelRequest
from associates.answers import by, screen
from associates.views import find, read_withdrawal, show_coupon
from members.engine import engine
from redemptions import actions
from redemptions.errors import CannotUndo, NotWithdrawn
from redemptions.life import is_withdrawn
from redemptions.models import PendingRedemption
from redemptions.states import UNDER_WAY, State
from redemptions.withdrawal import NOT_SAID, Withdrawal
from stores.models import Associate


class Why(StrEnum):
    """What a manager is asked for. It is what they approve, and nothing else."""

    SOLD = "undo.sold"
    STILL_ON_SALE = "undo.still_on_sale"
    OF_ANOTHER = "undo.of_another"


# Of a delayed code: its points have not gone, so none come back.
WORDS_DELAYED = {
    Why.SOLD: "The till said that a sale with this code was completed. If it was, and the code is "
    "ended, the points may never go, and the shop pays for it.",
    Why.STILL_ON_SALE: "The code is still on the sale, and the till does not say that it is off. "
    "If it is ended and the sale keeps it, the points may never go, and the shop pays for it.",
}
TOO_LATE = "That approval is over. Ask once more."
WORDS = {
    Why.SOLD: "The till said that a sale with this code was completed. If it was, and the points "
    "go back, the shop pays for it.",
    Why.STILL_ON_SALE: "The code is still on the sale, and the till does not say that it is off. "
    "If the points go back and the sale keeps the code, the shop pays for it.",
    Why.OF_ANOTHER: "{who} redeemed this, and undoing it takes a manager here.",
}


def why_manager(request: PanelRequest, redemption: PendingRedemption) -> Why | None:
    """Why this associate can't undo it alone, if so: the graver reason, which holds the other."""
    if redemption.state == State.ISSUED and redemption.claimed_used_at is not None:
        return Why.SOLD
    if redemption.state == State.ISSUED and not is_withdrawn(redemption):
        return Why.STILL_ON_SALE
    return Why.OF_ANOTHER if is_of_another(request, redemption) else None


def is_of_another(request: PanelRequest, redemption: PendingRedemption) -> bool:
    """Whether a manager is asked because somebody else redeemed it."""
    policy = request.installation.undo_of_others_needs_manager
    may_end = redemption.state in (State.ISSUED, *UNDER_WAY)
    return policy and may_end and redemption.associate_id not in {None, request.associate.id}


def words_of(why: Why, redemption: PendingRedemption) -> str:
    words = WORDS | (WORDS_DELAYED if redemption.delayed else {})
    return words[why].format(who=redemption.associate)


@screen
@require_POST
def undo(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """Give the points back; where that takes a manager, say so and offer to ask one."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    if is_of_another(request, redemption):
        refused = words_of(Why.OF_ANOTHER, redemption)
        approvals.note_refusal(request.bearer, Why.OF_ANOTHER, redemption, "takes a manager")
        return show_coupon(request, redemption, undo_refused=refused, ask_manager=True)
    return undone(request, redemption, withdrawal=read_withdrawal(request))


def undone(
    request: PanelRequest,
    redemption: PendingRedemption,
    *,
    withdrawal: Withdrawal = NOT_SAID,
    though_claimed: bool = False,
    manager: Associate | None = None,
) -> HttpResponse:
    asked = actions.Asked(associate=request.associate, by=by(request), approved_by=manager)
    try:
        actions.undo(
            engine=engine(),
            redemption=redemption,
            withdrawal=withdrawal,
            though_claimed=though_claimed,
            asked=asked,
        )
    except NotWithdrawn as error:
        return show_coupon(request, redemption, undo_refused=str(error), ask_manager=True)
    except CannotUndo as error:
        if redemption.state == State.REFUSED:
            raise
        return show_coupon(request, redemption, undo_refused=str(error))
    return show_coupon(request, redemption)


@screen
@require_GET
def ask_manager(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """The dialog for a manager. Where none is needed any more it says so."""
    redemption = find(request, redemption_id, request.GET.get("member", ""))
    return dialog(request, redemption)


def dialog(
    request: PanelRequest,
    redemption: PendingRedemption,
    *,
    wrong: str = "",
    choose: bool = False,
    status: int = 200,
) -> HttpResponse:
    why = why_manager(request, redemption)
    managers = list(approvals.managers_of(request.bearer))
    context = {
        "redemption": redemption,
        "words": words_of(why, redemption) if why else "No manager is needed any more: press Undo.",
        "managers": list(zip(managers, short(managers), strict=True)) if why else [],
        "needed": why is not None,
        "chosen": request.POST.get("manager", ""),
        "wrong": wrong,
        "choose": choose,
        "digits": settings.PIN_DIGITS,
    }
    return render(request, "associates/ask_manager.html", context, status=status)


@screen
@require_POST
def approve(request: PanelRequest, redemption_id: uuid.UUID) -> HttpResponse:
    """The manager's PIN, and what it is for, in one step."""
    redemption = find(request, redemption_id, request.POST.get("member", ""))
    why = why_manager(request, redemption)
    if why is None:
        return undone(request, redemption)
    new, again = request.POST.get("new_pin", ""), request.POST.get("new_pin_again", "")
    if new != again:
        return choose_pin(request, redemption, "The two new PINs are not the same.")
    given = approvals.Given(request.POST.get("manager", ""), request.POST.get("pin", ""), new)
    try:
        approvals.grant(request.bearer, why, redemption, given)
    except pins.NewPinNeeded:
        return choose_pin(request, redemption)
    except pins.WeakPin as error:
        return choose_pin(request, redemption, str(error))
    except pins.PinRefused as error:
        status = 429 if error.wait else 422
        return dialog(request, redemption, wrong=str(error), status=status)
    return approved(request, redemption, why)


def choose_pin(
    request: PanelRequest, redemption: PendingRedemption, wrong: str = ""
) -> HttpResponse:
    """It was a start PIN: once more, with one of the manager's own."""
    return dialog(request, redemption, wrong=wrong, choose=True, status=422)


def approved(request: PanelRequest, redemption: PendingRedemption, why: Why) -> HttpResponse:
    agreed = approvals.use(request.bearer, why, redemption)
    if agreed is None:  # it took longer than a minute, or was used in the same moment
        return dialog(request, redemption, wrong=TOO_LATE, status=409)
    return undone(
        request,
        redemption,
        withdrawal=Withdrawal(said=why is not Why.OF_ANOTHER),
        though_claimed=why is Why.SOLD,
        manager=agreed,
    )
