"""An act is one associate's, for one member, of one offer, and not for long."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from html import escape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from associates.tokens import (
    PAGE_SECONDS,
    PageTooOld,
    Shown,
    mint_act,
    read_act,
    read_new_member,
    read_shown,
    sign_new_member,
    sign_shown,
)
from members.enrol import NewMember
from members.models import Member
from offers.catalogue import Kind, Offer
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from sandbox.control import Sandbox
from stores.models import Associate, Installation, Store, Till
from tests.associates.panel import (
    BIRTHDAY_TREAT,
    FIVE_OFF,
    NEVER_SEEN,
    POINTS_FOR_DOLLARS,
    TEN_OFF,
    Panel,
    Value,
    buttons,
    code_of,
    hidden,
    text_of,
    words,
)
from tests.support.offers import five_off, list_offers

CREATE = "POST /redemptions"
OFFER = Offer(FIVE_OFF, "$5 off", "", Kind.FIXED, 500, 500, "USD", None)
ANY_POINTS = Offer(
    POINTS_FOR_DOLLARS, "Punkte für $", "", Kind.VARIABLE, 0, None, "USD", Decimal("0.75")
)


def button_of(member: Member) -> dict[str, Value]:
    """What the button of $5 off sends where the screen shows that member."""
    return {"shown": sign_shown(Shown(member.id, 640, (OFFER,))), "offer": str(FIVE_OFF)}


# The way it goes


def test_from_the_look_up_to_the_code(panel: Panel, sandbox: Sandbox, mara: Member) -> None:
    button = buttons(panel.look_up(mara.email))["$5 off"]
    dialog = panel.post(f"members/{mara.id}/ask", button)
    assert "Redeem $5 off?" in text_of(dialog)
    coupon = panel.redeem(hidden(dialog, "act"))
    [made] = sandbox.redemptions()
    assert code_of(coupon) == made["code"]
    assert sandbox.balance(mara.email) == 140


def test_the_redemption_says_who_made_it_and_where(
    panel: Panel, mara: Member, ana: Associate, till: Till
) -> None:
    panel.redeem(panel.act(mara, FIVE_OFF))
    made = PendingRedemption.objects.get()
    assert (made.associate, made.till, made.store) == (ana, till, till.store)
    assert (made.points, made.value_cents, made.currency) == (500, 500, "USD")


def test_sent_twice_it_is_done_once(panel: Panel, sandbox: Sandbox, mara: Member) -> None:
    act = panel.act(mara, FIVE_OFF)
    first, second = panel.redeem(act), panel.redeem(act)
    assert code_of(first) == code_of(second) != ""
    assert sandbox.call_counts()[CREATE] == 1


def test_every_dialog_has_an_act_of_its_own(panel: Panel, mara: Member) -> None:
    button = button_of(mara)
    dialogs = [panel.post(f"members/{mara.id}/ask", button) for _ in range(2)]
    assert hidden(dialogs[0], "act") != hidden(dialogs[1], "act")


# Offers that cannot be had

NOT_HERE = {
    "that does not exist": 1,
    "of number 0": 0,
    "of a negative number": -90121,
    "of a huge number": 10**18,
    "of a number beyond 64 bits": 2**64,
    "for the web shop only": 90180,
    "of a percentage": 90150,
    "of a free product": 90170,
    "without a code": 90160,
    "for others": BIRTHDAY_TREAT,
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("offer_id", NOT_HERE.values(), ids=NOT_HERE.keys())
@pytest.mark.parametrize("points", [{}, {"points": "100"}], ids=["no points", "points"])
def test_no_offer(
    panel: Panel, sandbox: Sandbox, mara: Member, offer_id: int, points: dict[str, str]
) -> None:
    answer = panel.redeem(panel.act(mara, offer_id), **points)
    assert answer.status_code == 422
    assert "can't be had in the store" in words(answer)
    assert CREATE not in sandbox.call_counts()
    assert not PendingRedemption.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
def test_a_shared_list_does_not_open_an_offer_for_others(
    panel: Panel, mara: Member, installation: Installation
) -> None:
    installation.offer_policy = Installation.OfferPolicy.SHARED
    installation.save()
    answer = panel.redeem(panel.act(mara, BIRTHDAY_TREAT))
    assert answer.status_code == 422
    assert "does not qualify" in words(answer)
    refused = PendingRedemption.objects.get()
    assert (refused.state, refused.reason) == (State.REFUSED, Reason.ENGINE_SAID_NO)


def test_who_it_is_for_can_have_it(panel: Panel, sandbox: Sandbox) -> None:
    bert = Member.objects.seen("bert@example.com")
    assert code_of(panel.redeem(panel.act(bert, BIRTHDAY_TREAT))).startswith("BIRTHDAY-")
    assert sandbox.balance(bert.email) == 300


TOO_MUCH: dict[str, tuple[int, dict[str, str], str]] = {
    "a dear offer": (TEN_OFF, {}, "310 more points than the 640"),
    "one point too many": (POINTS_FOR_DOLLARS, {"points": "641"}, "There are only 640 points."),
    "a million": (POINTS_FOR_DOLLARS, {"points": "1000000"}, "There are only 640 points."),
    "15 digits": (POINTS_FOR_DOLLARS, {"points": "9" * 15}, "There are only 640 points."),
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(("offer_id", "points", "said"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_more_than_there_is_cannot_be_spent(
    panel: Panel, mara: Member, offer_id: int, points: dict[str, str], said: str
) -> None:
    answer = panel.redeem(panel.act(mara, offer_id), **points)
    assert answer.status_code == 422
    assert said in words(answer)
    assert not PendingRedemption.objects.exists()


# People for whom nothing can be redeemed -> what the associate is told.
NOBODY = {
    "who left the programme": ("otto@example.com", FIVE_OFF, 422, "left the loyalty programme"),
    "whose balance is below zero": ("nell@example.com", FIVE_OFF, 422, "more points"),
    "whom the engine does not know": ("ida@example.com", FIVE_OFF, 422, "said no"),
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(
    ("email", "offer_id", "status", "said"), NOBODY.values(), ids=NOBODY.keys()
)
def test_nobody(panel: Panel, email: str, offer_id: int, status: int, said: str) -> None:
    answer = panel.redeem(panel.act(Member.objects.seen(email), offer_id))
    assert answer.status_code == status
    assert said in words(answer)
    assert not PendingRedemption.objects.exists()


@pytest.mark.usefixtures("nothing_moves")
def test_a_member_whom_we_never_saw_is_not_known(panel: Panel) -> None:
    for answer in (
        panel.redeem(panel.act(NEVER_SEEN, FIVE_OFF)),
        panel.get(f"members/{NEVER_SEEN}"),
    ):
        assert answer.status_code == 404
        assert "not known here" in words(answer)


# What the dialog said, and is not so


def dialog_of(panel: Panel, member: Member, name: str) -> Any:
    return panel.post(f"members/{member.id}/ask", buttons(panel.look_up(member.email))[name])


def fields_of(dialog: Any) -> dict[str, Value]:
    return {name: hidden(dialog, name) for name in ("act", "shown")}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("price", [600, 400], ids=["dearer", "cheaper"])
def test_at_another_price_than_was_shown_it_is_asked_again(
    panel: Panel, mara: Member, sandbox: Sandbox, price: int
) -> None:
    dialog = dialog_of(panel, mara, "$5 off")
    list_offers(sandbox, five_off(price))
    answer = panel.post("redeem", fields_of(dialog))
    assert answer.status_code == 409
    assert words(answer) == f"The price has changed: it is {price} points now. Nothing was spent."
    assert f">{price}</span> points for $5.00; {640 - price} will be left." in text_of(answer)
    assert not PendingRedemption.objects.exists()


def test_asked_again_at_the_new_price_it_is_had_for_that(
    panel: Panel, mara: Member, sandbox: Sandbox
) -> None:
    dialog = dialog_of(panel, mara, "$5 off")
    list_offers(sandbox, five_off(600))
    again = panel.post("redeem", fields_of(dialog))
    coupon = panel.post("redeem", fields_of(again))
    assert code_of(coupon)
    assert PendingRedemption.objects.get().points == 600


@pytest.mark.usefixtures("nothing_moves")
def test_a_new_price_beyond_the_members_points_is_told(
    panel: Panel, mara: Member, sandbox: Sandbox
) -> None:
    dialog = dialog_of(panel, mara, "$5 off")
    list_offers(sandbox, five_off(700))
    answer = panel.post("redeem", fields_of(dialog))
    assert answer.status_code == 422
    assert words(answer) == "$5 off costs 700 points now; there are 640."


def test_what_was_done_at_the_old_price_stays_done(
    panel: Panel, mara: Member, sandbox: Sandbox
) -> None:
    fields = fields_of(dialog_of(panel, mara, "$5 off"))
    code = code_of(panel.post("redeem", fields))
    list_offers(sandbox, five_off(600))
    assert code_of(panel.post("redeem", fields)) == code


MISTYPED = {
    "letters": ("ten", "Type how many points to spend: a whole number, 1 or more."),
    "zero": ("0", "Type how many points to spend: a whole number, 1 or more."),
    "a fraction": ("1.5", "Type how many points to spend: a whole number, 1 or more."),
    "nothing": ("", "Type how many points to spend: a whole number, 1 or more."),
    "markup": ('"><b>', "Type how many points to spend: a whole number, 1 or more."),
    "too many": ("641", "There are only 640 points."),
}


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize(("typed", "said"), MISTYPED.values(), ids=MISTYPED.keys())
def test_a_mistyped_number_of_points_stays_in_the_dialog(
    panel: Panel, mara: Member, typed: str, said: str
) -> None:
    fields = fields_of(dialog_of(panel, mara, "Points for dollars"))
    answer = panel.post("redeem", {**fields, "points": typed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert page.startswith("<dialog")
    assert f'value="{escape(typed)}" aria-invalid="true"' in page
    assert f'id="points-worth" class="worth" role="status">{said}<' in page
    assert hidden(answer, "act") == fields["act"]


def test_typed_anew_it_is_the_same_act(panel: Panel, mara: Member, sandbox: Sandbox) -> None:
    fields = fields_of(dialog_of(panel, mara, "Points for dollars"))
    again = panel.post("redeem", {**fields, "points": "1.5"})
    assert code_of(panel.post("redeem", {**fields_of(again), "points": "15"}))
    assert sandbox.balance(mara.email) == 625


def test_the_dialog_says_how_many_points_there_are_by_now(
    panel: Panel, bea: Member, sandbox: Sandbox
) -> None:
    fields = fields_of(dialog_of(panel, bea, "Points for dollars"))
    sandbox.adjust(bea.email, -10)
    answer = panel.post("redeem", {**fields, "points": "505"})
    assert "There are only 500 points." in text_of(answer)
    assert "1 to 500<" in text_of(answer)


def test_without_any_points_left_another_number_is_not_asked_for(
    panel: Panel, bea: Member, sandbox: Sandbox
) -> None:
    fields = fields_of(dialog_of(panel, bea, "Points for dollars"))
    sandbox.adjust(bea.email, -510)
    answer = panel.post("redeem", {**fields, "points": "5"})
    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#alert")
    assert words(answer) == "There are only 0 points."


@pytest.mark.usefixtures("nothing_moves")
def test_a_mistyped_number_asks_for_no_other_member(
    panel: Panel, mara: Member, bea: Member
) -> None:
    others = fields_of(dialog_of(panel, bea, "Points for dollars"))["shown"]
    answer = panel.redeem(panel.act(mara, POINTS_FOR_DOLLARS), shown=others, points="ten")
    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#alert")


# Acts of others


@pytest.mark.usefixtures("nothing_moves")
def test_an_act_of_another_associate_is_refused(
    panel: Panel, bens_panel: Panel, mara: Member
) -> None:
    answer = panel.redeem(bens_panel.act(mara, FIVE_OFF))
    assert answer.status_code == 409
    assert "too old" in words(answer)


def test_the_code_of_another_associates_act_is_not_shown_by_it(
    panel: Panel, bens_panel: Panel, mara: Member, sandbox: Sandbox
) -> None:
    act = bens_panel.act(mara, FIVE_OFF)
    code = code_of(bens_panel.redeem(act))
    answer = panel.redeem(act)
    assert answer.status_code == 409
    assert code not in text_of(answer)
    assert sandbox.call_counts()[CREATE] == 1


def test_an_act_is_not_used_again_for_other_points(
    panel: Panel, mara: Member, sandbox: Sandbox
) -> None:
    act = panel.act(mara, POINTS_FOR_DOLLARS)
    panel.redeem(act, points="100")
    answer = panel.redeem(act, points="200")
    assert answer.status_code == 409
    assert "another redemption" in words(answer)
    assert sandbox.balance(mara.email) == 540


@pytest.mark.usefixtures("nothing_moves")
def test_a_dialog_is_not_opened_for_another_member(panel: Panel, mara: Member, bea: Member) -> None:
    answer = panel.post(f"members/{bea.id}/ask", button_of(mara))
    assert answer.status_code == 409


# Redemptions of others


@pytest.fixture
def redemption(panel: Panel, mara: Member) -> PendingRedemption:
    """Mara's code for $5 off."""
    panel.redeem(panel.act(mara, FIVE_OFF))
    return PendingRedemption.objects.get()


@pytest.fixture
def elsewhere(redemption: PendingRedemption) -> Panel:
    """A till of another installation of the same merchant."""
    other = Installation.objects.create(id="other", name="Other shop")
    store = Store.objects.create(installation=other, code="1", name="Other store")
    till = Till.objects.create(store=store, code="1", name="Other till")
    return Panel(till, Associate.objects.create(installation=other, code="eve", name="Eve"))


def attempts(panel: Panel, redemption_id: object, member_id: object) -> dict[str, Any]:
    whose = {"member": str(member_id)}
    return {
        "show": panel.get(f"redemptions/{redemption_id}", whose),
        "check": panel.post(f"redemptions/{redemption_id}/check", whose),
        "undo": panel.post(f"redemptions/{redemption_id}/undo", whose),
    }


def all_unknown(answers: dict[str, Any]) -> bool:
    return {answer.status_code for answer in answers.values()} == {404} and all(
        "no such redemption" in words(answer) for answer in answers.values()
    )


def test_another_members_redemption_is_not_there(
    panel: Panel, redemption: PendingRedemption, bea: Member, sandbox: Sandbox
) -> None:
    assert all_unknown(attempts(panel, redemption.id, bea.id))
    assert sandbox.balance("mara@example.com") == 140


def test_another_installations_redemption_is_not_there(
    elsewhere: Panel, redemption: PendingRedemption, mara: Member, sandbox: Sandbox
) -> None:
    assert all_unknown(attempts(elsewhere, redemption.id, mara.id))
    assert sandbox.balance(mara.email) == 140


def test_a_redemption_that_never_was_is_not_there(panel: Panel, mara: Member) -> None:
    assert all_unknown(attempts(panel, uuid.uuid4(), mara.id))


def test_a_redemption_is_seen_and_undone_by_a_colleague(
    bens_panel: Panel, redemption: PendingRedemption, mara: Member, sandbox: Sandbox
) -> None:
    shown, checked, undone = attempts(bens_panel, redemption.id, mara.id).values()
    assert code_of(shown) == code_of(checked) == redemption.code
    assert "500 points are back" in text_of(undone)
    assert sandbox.balance(mara.email) == 640


def test_undone_twice_the_points_are_back_once(
    panel: Panel, redemption: PendingRedemption, mara: Member, sandbox: Sandbox
) -> None:
    for _ in range(2):
        answer = panel.post(f"redemptions/{redemption.id}/undo", {"member": str(mara.id)})
        assert "500 points are back" in text_of(answer)
    assert sandbox.balance(mara.email) == 640


CANNOT_UNDO = {
    State.USED: "used in a sale",
    State.DISPUTED: "manager",
    State.NOT_MADE: "nothing to undo",
}


@pytest.mark.parametrize(("state", "said"), CANNOT_UNDO.items())
def test_what_cannot_be_undone_is_told(
    panel: Panel,
    redemption: PendingRedemption,
    mara: Member,
    sandbox: Sandbox,
    state: State,
    said: str,
) -> None:
    PendingRedemption.objects.update(state=state, sold_at=timezone.now())
    answer = panel.post(f"redemptions/{redemption.id}/undo", {"member": str(mara.id)})
    assert answer.status_code == 409
    assert said in words(answer)
    assert sandbox.balance(mara.email) == 140


# Pages that lay open too long

MINUTE = 60


@pytest.mark.usefixtures("nothing_moves")
def test_an_act_is_refused_after_a_quarter_of_an_hour(
    panel: Panel, mara: Member, sandbox: Sandbox, later: Callable[[float], None]
) -> None:
    act = panel.act(mara, FIVE_OFF)
    later(16 * MINUTE)
    answer = panel.redeem(act)
    assert answer.status_code == 409
    assert words(answer) == "This page is too old. Look the member up again."
    assert sandbox.call_counts() == {}
    assert not PendingRedemption.objects.exists()


def test_an_act_is_good_for_nearly_a_quarter_of_an_hour(
    panel: Panel, mara: Member, later: Callable[[float], None]
) -> None:
    act = panel.act(mara, FIVE_OFF)
    later(14 * MINUTE)
    assert code_of(panel.redeem(act))


def test_an_old_act_that_was_done_answers_with_what_it_did(
    panel: Panel, mara: Member, sandbox: Sandbox, later: Callable[[float], None]
) -> None:
    act = panel.act(mara, FIVE_OFF)
    code = code_of(panel.redeem(act))
    later(24 * 60 * MINUTE)
    answer = panel.redeem(act)
    assert (answer.status_code, code_of(answer)) == (200, code)
    assert sandbox.call_counts()[CREATE] == 1


def test_an_old_act_in_which_nothing_was_taken_is_not_tried_again(
    panel: Panel, mara: Member, sandbox: Sandbox, later: Callable[[float], None]
) -> None:
    act = panel.act(mara, FIVE_OFF)
    sandbox.fault(CREATE, "throttle")
    assert panel.redeem(act).status_code == 429
    later(16 * MINUTE)
    assert panel.redeem(act).status_code == 409
    assert sandbox.balance(mara.email) == 640


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("offer", ["", "1", "x", str(TEN_OFF), f" {FIVE_OFF}"])
def test_a_dialog_is_not_opened_for_an_offer_that_the_screen_did_not_show(
    panel: Panel, mara: Member, offer: str
) -> None:
    answer = panel.post(f"members/{mara.id}/ask", button_of(mara) | {"offer": offer})
    assert answer.status_code == 409
    assert "too old" in words(answer)


@pytest.mark.usefixtures("nothing_moves")
def test_a_dialog_is_not_opened_from_an_old_page(
    panel: Panel, mara: Member, later: Callable[[float], None]
) -> None:
    button = button_of(mara)
    later(16 * MINUTE)
    answer = panel.post(f"members/{mara.id}/ask", button)
    assert answer.status_code == 409
    assert "too old" in words(answer)


# Tokens


NEW = NewMember("ida@example.com", None, "Ida", None, marketing_emails=True)
MEMBER_ID = uuid.uuid4()
SHOWN = Shown(MEMBER_ID, 640, (OFFER, ANY_POINTS))
TOKENS: dict[str, tuple[Callable[[], str], Callable[[str], Any]]] = {
    "act": (lambda: mint_act(7, MEMBER_ID, FIVE_OFF, 500), read_act),
    "shown": (lambda: sign_shown(SHOWN), read_shown),
    "new member": (lambda: sign_new_member(NEW), read_new_member),
}


def test_tokens_bring_back_what_they_were_given() -> None:
    act = read_act(TOKENS["act"][0]())
    assert (act.associate_id, act.member_id, act.offer_id) == (7, MEMBER_ID, FIVE_OFF)
    assert act.price == 500
    assert read_shown(TOKENS["shown"][0]()) == SHOWN
    assert read_new_member(TOKENS["new member"][0]()) == NEW


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_was_changed_is_worth_nothing(name: str) -> None:
    make, read = TOKENS[name]
    token = make()
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(PageTooOld):
            read(changed)


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_of_another_topic_is_worth_nothing(name: str) -> None:
    read = TOKENS[name][1]
    for other in TOKENS.keys() - {name}:
        with pytest.raises(PageTooOld):
            read(TOKENS[other][0]())


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_of_another_key_is_worth_nothing(name: str, settings) -> None:
    make, read = TOKENS[name]
    token = make()
    settings.SECRET_KEY = "another key of enough characters to be one"
    with pytest.raises(PageTooOld):
        read(token)


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_ages(name: str, later: Callable[[float], None], db: None) -> None:
    make, read = TOKENS[name]
    token = make()
    later(PAGE_SECONDS - 5)
    assert read(token)
    later(10)
    with pytest.raises(PageTooOld):
        read(token)


# Methods

POSTED = ["lookup", "ask", "redeem", "check", "undo", "new", "check-field", "enrol", "enrol-wait"]
GOT = ["session", "member", "coupon"]


def address(name: str, installation: str) -> str:
    ids = {"ask": "member_id", "member": "member_id"} | dict.fromkeys(
        ("check", "undo", "coupon"), "redemption_id"
    )
    extra = {ids[name]: NEVER_SEEN} if name in ids else {}
    return reverse(name, kwargs={"installation": installation, **extra})


@pytest.mark.usefixtures("nothing_moves")
@pytest.mark.parametrize("name", POSTED)
def test_what_is_posted_is_not_got(panel: Panel, name: str) -> None:
    answer = panel.client.get(address(name, "shop"), headers=panel.headers)
    assert answer.status_code == 405


@pytest.mark.parametrize("name", GOT)
def test_what_is_got_is_not_posted(panel: Panel, name: str) -> None:
    answer = panel.client.post(address(name, "shop"), headers=panel.headers)
    assert answer.status_code == 405
