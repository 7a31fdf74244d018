"""Every state that the panel can show, and how a till comes into it.

One table for all that looks at states: the named tests, axe, the narrowest frame, the pictures of
the docs. A function brings a fresh till over a fresh sandbox into the state of its name, and the
state stays until somebody acts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.till import Till

Reach = Callable[[Till, Sandbox], object]

MARA, RUTH = "mara@example.com", "ruth@example.com"
RUTHS_NAME = "Ruth Okafor"
STRANGER = "never.seen@example.com"
NEW = "new.person@example.com"
TOTE_BAG, FIVE_OFF = 90140, 90121
CANCELLATION = "POST /redemptions/*/cancellation_completed"
HISTORY = {"with_history": "true"}


@dataclass(frozen=True)
class State:
    """`says` and `then` are for the docs: what stands there, and what to do next.

    `provokes` is what the browser complains of on the way (see the mark of that name). `delayed`:
    where points go with the order.
    """

    name: str
    says: str
    then: str
    reach: Reach
    provokes: tuple[int | str, ...] = ()
    delayed: bool = False

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()


STATES: dict[str, State] = {}


def state(
    says: str, then: str, *provokes: int | str, delayed: bool = False
) -> Callable[[Reach], Reach]:
    def add(reach: Reach) -> Reach:
        STATES[reach.__name__] = State(reach.__name__, says, then, reach, provokes, delayed)
        return reach

    return add


@state(
    "Nobody is looked up yet.",
    "Ask for an email or a phone number and type it, or press New member.",
)
def empty(_till: Till, _sandbox: Sandbox) -> None:
    """As it opens."""


@state(
    "The loyalty system has been asked for more than 150 ms. The member before is hidden and can't "
    "be acted on.",
    "Wait, or look up somebody else: the newer question replaces the older one.",
)
def loading(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()
    till.hold("**/lookup")
    till.ask(RUTH)
    expect(till.busy).to_have_text("Asking the loyalty system…")


@state(
    "Who it is, how many points there are, and what they can become.",
    "Press Redeem beside what the customer wants.",
)
def found(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()


@state(
    "Nobody has this email or this phone number in the loyalty programme.",
    "Check the spelling and look up again, or press Enrol this customer.",
    404,
)
def not_found(till: Till, _sandbox: Sandbox) -> None:
    till.ask(STRANGER)
    expect(till.not_found).to_be_visible()


@state(
    "The number has no area code. Nobody was asked.",
    "Add the area code and press Look up.",
    422,
)
def incomplete_number(till: Till, _sandbox: Sandbox) -> None:
    till.ask("555-0123")
    till.expect_alert("incomplete")


@state(
    "The member has left the programme: their points can be seen and not used.",
    "Tell them that they can join again online; then press Look up again.",
)
def opted_out(till: Till, _sandbox: Sandbox) -> None:
    till.look_up("otto@example.com", "Otto Stillman")


@state(
    "The programme knows this person by phone only, and points are redeemed by email.",
    "Ask for their email and press Enrol with an email.",
)
def no_email(till: Till, _sandbox: Sandbox) -> None:
    till.look_up("(404) 555-0112", "Phil Mailless")


@state(
    "There are too few points for any reward; the nearest ones are named.",
    "Tell the customer what is nearest, and go on with the sale.",
)
def too_few_points(till: Till, _sandbox: Sandbox) -> None:
    till.look_up("zed@example.com", "Zed Marlow")


@state(
    "The shop has no offers for a till at present.",
    "Go on with the sale, or press Look up again when offers have been set up.",
)
def nothing_to_redeem(till: Till, sandbox: Sandbox) -> None:
    sandbox.fault("GET /redemption_options", "list", times=None)
    till.look_up_mara()


@state(
    "The loyalty system has not answered for more than two seconds.",
    "Wait for it, or press Stop and look up again.",
)
def engine_slow(till: Till, _sandbox: Sandbox) -> None:
    till.hold("**/lookup")
    till.ask(MARA)
    expect(till.busy).to_contain_text("slow just now")


@state(
    "The loyalty system can't be reached. Nothing was changed.",
    "Press Try again, or go on with the sale.",
    503,
)
def engine_down(till: Till, sandbox: Sandbox) -> None:
    sandbox.fault("*", "drop_before", times=None)
    till.ask(STRANGER)
    till.expect_alert("can't be reached")


@state(
    "The loyalty system is busy and says how long to leave it alone.",
    "Wait so long; then Try again can be pressed.",
    429,
)
def throttled(till: Till, sandbox: Sandbox) -> None:
    sandbox.fault("GET /customers", "throttle", retry_after=2)
    till.ask(MARA)
    till.expect_alert("is busy")


@state(
    "What is about to happen: whose points, how many, for what, and how many stay.",
    "Press Redeem, or Cancel.",
)
def question(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()
    till.choose("Points for dollars")
    till.points_field.fill("250")


@state(
    "The points have become a code, to be scanned, copied or read out.",
    "Put the code on the sale. Press Undo if it is not wanted after all.",
)
def code_shown(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()
    till.redeemed("$5 off")
    till.expect_points("140")


@state(
    "There is a code for this very offer already.",
    "Press Show that code; Redeem another only if the customer wants two.",
)
def code_open_already(till: Till, _sandbox: Sandbox) -> None:
    till.look_up(RUTH, RUTHS_NAME)
    till.redeemed("$5 off")
    till.expect_points("24,500")
    till.choose("$5 off")


@state(
    "A code whose points go when the sale is complete. Until then they are set aside.",
    "Put the code on the sale. Press Undo if it is not wanted after all: no points have gone.",
    delayed=True,
)
def delayed_code_shown(till: Till, _sandbox: Sandbox) -> None:
    till.look_up_mara()
    till.redeemed("$5 off")
    expect(till.member).to_contain_text("140 can be spent")


@state(
    "Another such code would end the one that is open, and count on its points.",
    "Press Show that code, or End it and redeem if the customer wants the other one instead.",
    delayed=True,
)
def delayed_code_open_already(till: Till, sandbox: Sandbox) -> None:
    delayed_code_shown(till, sandbox)
    till.choose("$5 off")


@state(
    "The code was ended; no points had gone for it.",
    "Redeem something else, or press Next customer.",
    delayed=True,
)
def code_ended(till: Till, sandbox: Sandbox) -> None:
    delayed_code_shown(till, sandbox)
    till.undo()
    expect(till.coupon).to_contain_text("No points were taken")
    expect(till.member).not_to_contain_text("can be spent")


@state(
    "There are no codes left for this reward. No points were taken.",
    "Offer something else, and tell the manager that new codes must be loaded.",
    422,
)
def pool_empty(till: Till, sandbox: Sandbox) -> None:
    for _ in range(5):
        sandbox.redeem_online(RUTH, TOTE_BAG)
    till.look_up_mara()
    till.redeem("Tote bag voucher")
    till.expect_alert("no codes left")


@state(
    "The answer was lost, and it is being found out whether the points became a code.",
    "Do not redeem again: wait, look up somebody else meanwhile, or press Undo.",
)
def reply_lost(till: Till, sandbox: Sandbox) -> None:
    sandbox.fault("POST /redemptions", "drop_after")
    sandbox.fault("GET /customers", "status", match=HISTORY, times=None)
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_waiting()
    till.expect_points("140")


@state(
    "It can't be told by itself what came of a redemption.",
    "Go on with the sale without it, and ask a manager.",
)
def disputed(till: Till, sandbox: Sandbox) -> None:
    till.look_up(RUTH, RUTHS_NAME)
    # The history can't be read before the second one is in it.
    sandbox.fault("GET /customers", "status", match=HISTORY, times=None)
    sandbox.fault("POST /redemptions", "drop_after")
    till.redeem("$5 off")
    till.expect_waiting()
    sandbox.redeem_online(RUTH, FIVE_OFF)
    sandbox.clear_faults()
    expect(till.coupon).to_contain_text("Ask a manager")
    till.expect_points("24,000")


@state(
    "The points are back and the code no longer counts.",
    "Redeem something else, or press Next customer.",
)
def undone(till: Till, sandbox: Sandbox) -> None:
    code_shown(till, sandbox)
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.expect_points("640")


@state(
    "Undo was asked for; the loyalty system has not confirmed it yet.",
    "Do not take the code. The points come back by themselves: go on with the sale.",
)
def undo_under_way(till: Till, sandbox: Sandbox) -> None:
    code_shown(till, sandbox)
    sandbox.fault(CANCELLATION, "drop_before", times=None)
    till.undo()
    expect(till.coupon).to_contain_text("Undo is under way")


@state(
    "The loyalty system refused to give the points back.",
    "Do not take the code, and ask a manager.",
    409,
)
def undo_refused(till: Till, sandbox: Sandbox) -> None:
    code_shown(till, sandbox)
    sandbox.fault(CANCELLATION, "status", status=422, body={"error": "Not any more"})
    till.undo()
    till.expect_alert("manager")
    expect(till.pending).to_have_count(0)  # the list is drawn anew


@state(
    "What each change of the points was: when, by which sale, code or campaign, and what is known "
    "of it.",
    "Read it to the customer, and press Close; Sale opens the sale itself.",
)
def points_history(till: Till, sandbox: Sandbox) -> None:
    till.sell(RUTH)
    sandbox.redeem_online(RUTH, TOTE_BAG)
    till.look_up(RUTH, RUTHS_NAME)
    till.redeemed("$5 off")
    till.undo()
    expect(till.coupon).to_contain_text("are back")
    till.history_button.click()
    expect(till.changes).to_be_visible()


@state(
    "The loyalty system's list can't be had: only what the shop itself knows is shown.",
    "Press Try again, or go on with the sale.",
)
def points_history_away(till: Till, sandbox: Sandbox) -> None:
    till.look_up(RUTH, RUTHS_NAME)
    till.redeemed("$5 off")
    till.expect_points("24,500")
    sandbox.fault("GET /customers", "status", match=HISTORY, times=None)
    till.history_button.click()
    expect(till.dialog).to_contain_text("can't be reached")


@state(
    "A member whose points have never moved.",
    "Say that the first ones come with a purchase, and press Close.",
)
def points_history_empty(till: Till, _sandbox: Sandbox) -> None:
    till.look_up("zed@example.com", "Zed Marlow")
    till.history_button.click()
    expect(till.dialog).to_contain_text("No points have moved yet.")


@state(
    "One sale, by the number on its receipt: whose it is, what it earned, and its refunds.",
    "Read it to the customer; for what a refund would do open Refund preview.",
)
def sale_shown(till: Till, _sandbox: Sandbox) -> None:
    till.open_sale(till.sell(MARA))
    expect(till.dialog).to_contain_text("84 points")


@state(
    "What a refund would do to the points. Nothing has happened yet.",
    "Tell the customer, then refund at the point of sale, or press Close.",
)
def refund_preview(till: Till, sandbox: Sandbox) -> None:
    sale_shown(till, sandbox)
    till.dialog.get_by_text("Refund preview", exact=True).click()
    till.dialog.get_by_label("Scarf").select_option("1")
    till.dialog.get_by_role("button", name="What would it do?").click()
    expect(till.dialog).to_contain_text("A refund of $21.00")


@state(
    "Nothing was reported under this number.",
    "Compare it with the receipt and press Find again, or Cancel.",
    404,
)
def no_such_sale(till: Till, _sandbox: Sandbox) -> None:
    till.find_sale("209001")
    expect(till.dialog).to_contain_text("No sale of this number")


@state(
    "A sale that named nobody, and whose it would be.",
    "Compare the receipt, then press Add to this member.",
)
def sale_to_add(till: Till, _sandbox: Sandbox) -> None:
    number = till.sell("")
    till.look_up_mara()
    till.add_sale_button.click()
    till.sale_number.fill(number)
    till.find_button.click()
    expect(till.add_button).to_be_visible()


@state(
    "The sale is this member's now, and the loyalty system is being told.",
    "Go on with the next customer: the points come by themselves.",
)
def sale_added(till: Till, sandbox: Sandbox) -> None:
    sale_to_add(till, sandbox)
    till.add_button.click()
    expect(till.dialog).to_contain_text("Sale 109001 is added")


@state(
    "The form for a new member. A field that is left is checked at once.",
    "Fill it in and press Enrol: an email is enough.",
)
def enrolment_form(till: Till, _sandbox: Sandbox) -> None:
    till.query.fill(NEW)
    till.start_enrolment()
    till.phone.fill("555-0188")
    till.phone.press("Tab")
    expect(till.enrolment).to_contain_text("incomplete")


@state(
    "The new member was sent to the loyalty system, which needs some seconds.",
    "Wait, or go on with the sale: the enrolment is kept.",
)
def enrolling(till: Till, sandbox: Sandbox) -> None:
    sandbox.switch(new_customer_delay_seconds=600)
    till.start_enrolment()
    till.email.fill(NEW)
    till.first_name.fill("Nova")
    till.enrol_button.click()
    expect(till.enrolment).to_contain_text("Enrolling Nova")


@state(
    "The loyalty system can't be reached, and the new member is kept.",
    "Go on with the sale: they become a member by themselves when it answers.",
)
def enrolment_kept(till: Till, sandbox: Sandbox) -> None:
    sandbox.fault("*", "drop_before", times=None)
    till.start_enrolment()
    # Nobody else's in these tests, or the panel would know figures of it.
    till.email.fill("to.be.kept@example.com")
    till.first_name.fill("Nova")
    till.enrol_button.click()
    expect(till.enrolment).to_contain_text("The enrolment is kept")


@state(
    "The till was locked, or the shift is over: nothing of a customer stays in sight.",
    "Press Reload.",
    401,
)
def session_over(till: Till, _sandbox: Sandbox) -> None:
    till.page.route("**/lookup", lambda route: route.fulfill(status=401), times=2)
    till.ask(MARA)
    till.expect_alert("session is over")
