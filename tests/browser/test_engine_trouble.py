"""The engine is away, slow, busy, or does not want us."""

import uuid

import pytest
from playwright.sync_api import expect

from sandbox.control import Sandbox
from tests.browser.held import Held
from tests.browser.till import Till
from tests.support.servers import Database
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"


@pytest.fixture
def stranger(sandbox: Sandbox) -> str:
    """The email of a member of whom this panel never heard: it has no last known figures."""
    email = f"stranger.{uuid.uuid4().hex[:12]}@example.com"
    sandbox.add_member(email=email, first_name="Stella", last_name="Stranger", points=700)
    return email


def test_engine_down_shows_the_last_known_figures_and_redeems_nothing(
    till: Till, sandbox: Sandbox, stranger: str, database: Database
):
    database.execute("DELETE FROM members_lastknown")
    till.look_up(stranger, "Stella Stranger")
    # Those of whom an earlier test looked up may be written in between.
    about = till.member.get_attribute("data-about").replace("-", "")
    written = "SELECT 1 FROM members_lastknown WHERE member_id = ?"
    until(lambda: database.execute(written, about), "figures written")
    sandbox.adjust(stranger, -100)
    sandbox.fault("*", "drop_before", times=None)
    till.ask(stranger)
    till.expect_alert("The loyalty system can't be reached. These are the last known figures")
    till.expect_points("700")
    expect(till.offer_buttons).to_have_count(0)

    sandbox.clear_faults()
    till.look_up(stranger, "Stella Stranger")
    till.expect_points("600")
    till.expect_no_alert()


@pytest.mark.provokes(503)
def test_an_open_code_stays_on_the_screen_while_the_engine_is_down(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    code = till.redeemed("$5 off")
    till.expect_points("140")
    sandbox.fault("*", "drop_before", times=None)
    till.redeem("Points for dollars", points="100")
    till.expect_alert("The loyalty system can't be reached. Nothing was changed. Try again.")
    expect(till.code).to_have_text(code)

    sandbox.clear_faults()
    till.redeem("Points for dollars", points="100")
    expect(till.code).not_to_have_text(code)
    till.expect_points("40")
    assert len(sandbox.redemptions()) == 2


@pytest.mark.provokes(503)
def test_undo_while_the_engine_is_down_is_kept_and_done_when_it_is_back(
    till: Till, sandbox: Sandbox
):
    till.look_up_mara()
    till.redeemed("$5 off")
    till.expect_points("140")
    sandbox.fault("*", "drop_before", times=None)
    till.undo()
    expect(till.coupon).to_contain_text("Undo is under way")
    expect(till.member).to_contain_text("The points shown may be old")
    till.expect_points("140")
    sandbox.clear_faults()
    expect(till.coupon).to_contain_text("500 points are back.")
    till.expect_points("640")


@pytest.mark.provokes(503, "no connection")
def test_a_code_that_was_made_is_never_said_to_have_changed_nothing(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    held = Held(till.page, "**/panel/demo/members/*")
    till.redeemed("$5 off")
    held.wait()
    sandbox.fault("*", "drop_before", times=None)
    held.let_go()
    expect(till.member).to_contain_text("The points shown may be old")
    expect(till.main.get_by_text("Nothing was changed")).to_have_count(0)
    till.expect_no_alert()

    # It goes on asking, also where the network fails once.
    with till.page.expect_event("requestfailed"):
        till.page.route("**/panel/demo/members/*", lambda route: route.abort(), times=1)
    till.expect_alert("No answer.")
    sandbox.clear_faults()
    till.try_again_button.click()
    till.expect_points("140")
    expect(till.member).not_to_contain_text("may be old")


def test_offers_that_cannot_be_read_leave_the_rest_of_the_screen(till: Till, sandbox: Sandbox):
    sandbox.fault("GET /redemption_options", "status", times=None)
    till.look_up_mara()
    till.expect_points("640")
    expect(till.offers).to_contain_text("The offers could not be read. Look the member up again.")


def test_while_the_engine_is_slow_the_dialog_says_that_it_redeems(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "slow", seconds=60)
    till.look_up_mara()
    till.redeem("$5 off")
    expect(till.dialog.get_by_text("Redeeming…")).to_be_visible()
    sandbox.clear_faults()
    till.shown_code()


@pytest.mark.provokes(503)
def test_an_engine_that_does_not_answer_in_time_is_called_unreachable(
    till: Till, sandbox: Sandbox, stranger: str
):
    sandbox.fault("GET /customers", "slow", seconds=3)
    till.ask(stranger)
    till.expect_alert("The loyalty system can't be reached.")


@pytest.mark.provokes(429)
def test_a_busy_engine_is_called_busy(till: Till, sandbox: Sandbox):
    sandbox.fault("GET /customers", "throttle")
    till.ask(MARA)
    till.expect_alert("The loyalty system is busy. Wait a moment, then try again.")
    till.look_up_mara()


@pytest.mark.provokes(429)
def test_a_busy_engine_takes_no_points(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "throttle")
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_alert("The loyalty system is busy. No points were taken.")
    expect(till.dialog).to_have_count(0)
    assert sandbox.balance(MARA) == 640
    till.redeemed("$5 off")
    till.expect_points("140")


@pytest.mark.provokes(503)
def test_refused_keys_are_for_the_manager(till: Till, sandbox: Sandbox):
    sandbox.fault("GET /customers", "status", status=401)
    till.ask(MARA)
    till.expect_alert("The loyalty system does not accept this shop's keys. Tell your manager")


@pytest.mark.provokes(503)
def test_keys_refused_while_redeeming_take_no_points(till: Till, sandbox: Sandbox):
    sandbox.fault("POST /redemptions", "status", status=401)
    till.look_up_mara()
    till.redeem("$5 off")
    till.expect_alert("No points were taken. Tell your manager")
    assert sandbox.balance(MARA) == 640


@pytest.mark.provokes(422)
def test_the_engines_own_reason_is_shown(till: Till, sandbox: Sandbox):
    till.look_up_mara()
    body = {"error": "Customer is not opted in"}
    sandbox.fault("POST /redemptions", "status", status=422, body=body)
    till.redeem("$5 off")
    till.expect_alert("The loyalty system said no: Customer is not opted in. No points were taken.")


@pytest.mark.provokes(503)
@pytest.mark.parametrize("kind", ["html", "empty", "null", "list", "error_inside"])
def test_an_answer_that_is_no_customer_is_not_shown_as_one(
    till: Till, sandbox: Sandbox, stranger: str, kind: str
):
    sandbox.fault("GET /customers", kind, times=None)
    till.ask(stranger)
    till.expect_alert("The loyalty system")
    expect(till.member).to_have_count(0)


@pytest.mark.provokes(503)
def test_after_a_long_outage_the_panel_works_again_by_itself(
    till: Till, sandbox: Sandbox, stranger: str
):
    sandbox.fault("*", "drop_before", times=None)
    for _ in range(6):
        assert not is_found(till, stranger)
    till.expect_alert("The loyalty system can't be reached.")
    sandbox.clear_faults()
    until(lambda: is_found(till, stranger), "the breaker lets one through")
    till.expect_points("700")


def is_found(till: Till, email: str) -> bool:
    with till.page.expect_response("**/lookup") as answer:
        till.ask(email)
    return answer.value.ok


@pytest.mark.provokes(422)
def test_a_look_up_that_fails_leaves_nobody_else_on_the_screen(till: Till):
    till.look_up_mara()
    till.ask("555-0123")
    till.expect_alert("incomplete")
    expect(till.member).to_have_count(0)
    expect(till.offers).to_have_count(0)
