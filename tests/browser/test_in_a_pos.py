"""Inside a POS of another site: launch, the sale beside the panel, and what the till does of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, ViewportSize, expect

from sandbox.control import Sandbox
from tests.browser.held import WORKED_IN_MS
from tests.browser.pos import Installed, Pos, Site
from tests.browser.test_session import expire_bearers
from tests.support.servers import Database, Panel
from tests.support.waiting import until

pytestmark = pytest.mark.browser

MARA = "mara@example.com"
GOOD_BEARERS = """
    SELECT 1 FROM access_bearer
    WHERE installation_id = ? AND revoked_at IS NULL AND expires_at > CURRENT_TIMESTAMP
"""
SALE = {"saleId": "T-100", "rev": 1, "totalCents": 4200, "currency": "USD"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def installed(_panel: Panel, site: Site) -> Installed:
    """Whose tills are launched by the POS alone."""
    made = Installed(_panel, site)
    _panel.database.execute(
        "UPDATE stores_installation SET pairing = ? WHERE id = ?", False, made.id
    )
    return made


@pytest.fixture
def viewport() -> ViewportSize:
    return ViewportSize(width=420, height=800)


@pytest.fixture
def pos(context: BrowserContext, panel: Panel, installed: Installed) -> Pos:
    """In a page of its own: what is exposed to one stays with it. The context closes it."""
    return Pos(context.new_page(), panel, installed)


@pytest.fixture
def opened(pos: Pos) -> Pos:
    pos.open()
    expect(pos.frame.get_by_text("Ana Pardo · 7, boston")).to_be_visible()
    return pos


@pytest.fixture
def with_mara(opened: Pos) -> Pos:
    """On the sale T-100, with Mara attached and shown."""
    opened.tell("cart.changed", **SALE, coupons=[])
    opened.tell("customer.attached", email=MARA)
    expect(opened.panel.member.get_by_role("heading", name="Mara Quill")).to_be_visible()
    return opened


def expect_nobody(pos: Pos, code: str = "LP-") -> None:
    """Of Mara, nothing: not in what is said to readers of the screen either."""
    page = pos.frame.locator("html").evaluate("html => html.outerHTML")
    assert "Mara" not in page and MARA not in page and code not in page


def row(database: Database, code: str) -> dict[str, object]:
    columns = ["state", "ticket", "applied_at", "gone_at", "claimed_used_at", "frozen_until"]
    [values] = database.execute(
        f"SELECT {', '.join(columns)} FROM redemptions_pendingredemption WHERE code = ?",
        code,
    )
    return dict(zip(columns, values, strict=True))


def test_a_signed_token_launches_it_and_no_cookie_is_seen(opened: Pos, context: BrowserContext):
    assert opened.minted == 1
    assert context.cookies() == []


def test_a_customer_on_the_sale_is_shown_without_typing(with_mara: Pos):
    with_mara.panel.expect_points("640")
    # The focus stays where the scanner's keys go.
    assert with_mara.page.evaluate("document.activeElement.tagName") == "BODY"


def test_somebody_elses_points_are_not_spent_on_a_sale_without_a_word(with_mara: Pos):
    panel, warning = with_mara.panel, "Mara Quill is on the sale. These are somebody else's points."
    expect(panel.choose("$5 off")).not_to_contain_text(warning)
    panel.cancel_button.click()
    panel.look_up("bea@example.com", "Bea Bronson")
    expect(panel.choose("$5 off")).to_contain_text(warning)
    panel.cancel_button.click()
    with_mara.tell("customer.attached", email="bea@example.com")
    with_mara.tell("scan", text="pia@example.com")
    expect(panel.member.get_by_role("heading", name="Pia Lindqvist")).to_be_visible()
    panel.look_up("bea@example.com", "Bea Bronson")
    expect(panel.choose("$5 off")).not_to_contain_text("is on the sale")


def test_a_code_that_is_worth_more_than_the_sale_is_told_of_before_points_go(with_mara: Pos):
    panel, lost = with_mara.panel, "More than is left to pay ($4.00): the rest would be lost."
    expect(panel.choose("$5 off")).not_to_contain_text("lost")
    panel.cancel_button.click()
    with_mara.tell("cart.changed", **SALE | {"rev": 2, "totalCents": 400}, coupons=[])
    expect(panel.choose("$5 off")).to_contain_text(lost)
    panel.cancel_button.click()
    dialog = panel.choose("Points for dollars")
    expect(dialog).not_to_contain_text("lost")
    panel.points_field.fill("400")
    expect(dialog).not_to_contain_text("lost")
    panel.points_field.fill("401")
    expect(dialog).to_contain_text(f"Worth $4.01. {lost}")
    panel.cancel_button.click()
    # It changes while the dialog asks.
    expect(panel.choose("$5 off")).to_contain_text(lost)
    with_mara.tell("cart.changed", **SALE | {"rev": 3, "totalCents": 500}, coupons=[])
    expect(panel.dialog).not_to_contain_text("lost")
    with_mara.tell("cart.changed", **SALE | {"rev": 4, "totalCents": 400}, coupons=[])
    expect(panel.dialog).to_contain_text(lost)


def test_before_anything_is_rung_up_nobody_can_tell_what_would_be_lost(with_mara: Pos):
    panel = with_mara.panel
    with_mara.tell("cart.changed", **SALE | {"saleId": "T-200", "totalCents": 0}, coupons=[])
    code = panel.redeemed("$5 off")
    expect(panel.coupon).to_contain_text("It is on the sale.")
    with_mara.tell(
        "cart.changed", **SALE | {"saleId": "T-200", "rev": 2, "totalCents": 0}, coupons=[code]
    )
    expect(panel.choose("Points for dollars")).not_to_contain_text("lost")
    panel.points_field.fill("100")
    expect(panel.dialog).to_contain_text("Worth $1.00")
    expect(panel.dialog).not_to_contain_text("lost")


@pytest.mark.provokes("no connection")
def test_what_was_warned_of_is_said_again_after_a_try_that_failed(
    with_mara: Pos, context: BrowserContext
):
    panel, warning = with_mara.panel, "Mara Quill is on the sale. These are somebody else's points."
    panel.look_up("bea@example.com", "Bea Bronson")
    panel.choose("$5 off")
    context.route("**/redeem", lambda route: route.abort(), times=1)
    panel.redeem_button.click()
    expect(panel.dialog).to_contain_text("No answer.")
    expect(panel.dialog).to_contain_text(warning)
    panel.redeem_button.click()
    panel.shown_code()


def test_a_parked_sale_comes_back_with_its_code(with_mara: Pos):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with_mara.tell("cart.changed", **SALE | {"rev": 2}, coupons=[code])
    with_mara.tell("sale.parked", saleId="T-100")
    expect_nobody(with_mara)
    with_mara.tell("sale.resumed", saleId="T-100")
    with_mara.tell("cart.changed", **SALE | {"rev": 3}, coupons=[code])
    with_mara.tell("customer.attached", email=MARA)
    assert with_mara.panel.shown_code() == code
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")

    with_mara.tell("sale.parked", saleId="T-100")
    with_mara.tell("sale.resumed", saleId="T-100")
    with_mara.tell("customer.attached", email=MARA)
    expect(with_mara.panel.pending).to_be_visible()
    expect(with_mara.panel.coupon).to_have_count(0)
    # The case is the till's own.
    with_mara.tell("cart.changed", **SALE | {"rev": 4}, coupons=[code.lower()])
    assert with_mara.panel.shown_code() == code
    assert len(with_mara.told("discount.apply")) == 1


def test_a_code_goes_on_the_sale_by_itself(with_mara: Pos, database: Database):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    [applied] = with_mara.told("discount.apply")
    assert applied | {"redemptionId": ""} == {
        "code": code,
        "redemptionId": "",
        "valueCents": 500,
        "currency": "USD",
        "label": "$5 off",
    }
    known = row(database, code)
    assert known["ticket"] == "T-100" and known["applied_at"] is not None


def test_where_the_till_refuses_one_sees_why_and_undoes_it(with_mara: Pos, sandbox: Sandbox):
    with_mara.refuse("discount.apply", "One coupon a sale.")
    with_mara.panel.redeem("$5 off")
    expect(with_mara.panel.coupon).to_contain_text(
        "The till did not take the code: One coupon a sale."
    )
    with_mara.panel.undo()
    expect(with_mara.panel.coupon).to_contain_text("The code no longer counts.")
    assert sandbox.balance(MARA) == 640


def test_an_undo_takes_the_code_off_the_sale_first(with_mara: Pos, sandbox: Sandbox):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with_mara.panel.undo()
    expect(with_mara.panel.coupon).to_contain_text("The code no longer counts.")
    [removed] = with_mara.told("discount.remove")
    assert removed["code"] == code
    assert sandbox.balance(MARA) == 640


@pytest.mark.provokes(409)
def test_a_code_that_the_till_keeps_is_not_undone(with_mara: Pos, sandbox: Sandbox):
    with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with_mara.refuse("discount.remove", "Payment has begun.")
    with_mara.panel.undo()
    expect(with_mara.panel.coupon).to_contain_text("The code is still on the sale.")
    assert sandbox.balance(MARA) == 140


@pytest.mark.provokes(409)
def test_a_code_that_came_to_another_sale_is_not_undone_here(
    with_mara: Pos, sandbox: Sandbox, database: Database
):
    """This till answers that it took the code off, for there is none on its sale."""
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    moved = "UPDATE redemptions_pendingredemption SET ticket = ? WHERE code = ?"
    database.execute(moved, "T-900", code)
    with_mara.panel.undo()
    expect(with_mara.panel.coupon.get_by_role("alert")).to_have_text(
        f"The code {code} is on another sale (T-900). Undo it there, or ask a manager."
    )
    expect(with_mara.panel.coupon.get_by_role("button", name="Ask a manager")).to_be_visible()
    assert [removed["code"] for removed in with_mara.told("discount.remove")] == [code]
    assert (row(database, code)["state"], sandbox.balance(MARA)) == ("issued", 140)


def test_another_code_ends_the_one_whose_points_wait_for_the_sale(
    with_mara: Pos, installed: Installed, database: Database, sandbox: Sandbox
):
    policy = "UPDATE stores_installation SET delayed_deduction = ? WHERE id = ?"
    database.execute(policy, True, installed.id)
    older = with_mara.panel.redeemed("Points for dollars", points="200")
    expect(with_mara.panel.coupon).to_contain_text("200 points go when the sale is complete")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    expect(with_mara.panel.member).to_contain_text("440 can be spent")

    dialog = with_mara.panel.choose("$5 off")
    expect(dialog).to_contain_text(f"This ends code {older}")
    expect(dialog).to_contain_text("140 will be left")
    dialog.get_by_role("button", name="End it and redeem").click()

    expect(with_mara.panel.code).not_to_have_text(older)
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    assert [removed["code"] for removed in with_mara.told("discount.remove")] == [older]
    assert sandbox.balance(MARA) == 640
    database.execute(policy, False, installed.id)


def test_taken_off_at_the_till_it_can_be_kept(with_mara: Pos, database: Database):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    expect(with_mara.panel.coupon).to_contain_text("Undo takes the code off the sale")
    with_mara.tell("discount.removed", code=code)
    expect(with_mara.panel.coupon).to_contain_text("Undo gives the points back.")
    expect(with_mara.panel.coupon).not_to_contain_text("Take the code off")
    with_mara.panel.coupon.get_by_role("button", name="Keep the code").click()
    expect(with_mara.panel.coupon).not_to_contain_text("taken off the sale")
    assert row(database, code)["gone_at"] is None


def test_a_code_that_the_engine_ends_comes_off_the_sale_at_once(
    with_mara: Pos, sandbox: Sandbox, database: Database, installed: Installed, panel: Panel
):
    code = with_mara.panel.redeemed("$5 off")
    until(lambda: row(database, code)["applied_at"], "the code is on the sale")
    path, secret = installed.webhook
    sandbox.tell(f"{panel.url}{path}", secret)

    sandbox.cancel_coupon(sandbox.redemptions()[-1]["id"])

    until(lambda: with_mara.told("discount.remove"), "the till was asked to take it off", 10)
    assert [one["code"] for one in with_mara.told("discount.remove")] == [code]
    expect(with_mara.panel.coupon).to_contain_text("500 points are back")
    sandbox.tell()
    assert sandbox.balance(MARA) == 640


def test_a_lower_revision_of_the_sale_is_old_news(with_mara: Pos, database: Database):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with_mara.tell("cart.changed", **SALE | {"rev": 7}, coupons=[code])
    with_mara.tell("cart.changed", **SALE | {"rev": 6}, coupons=[])
    with_mara.tell("sale.parked", saleId="T-100")
    until(lambda: row(database, code)["frozen_until"] is not None, "what is told comes in order")
    assert row(database, code)["gone_at"] is None


@pytest.mark.parametrize(
    ("event", "column"), [("sale.completed", "claimed_used_at"), ("sale.parked", "frozen_until")]
)
def test_after_the_sale_nothing_of_its_customer_stays(
    with_mara: Pos, database: Database, event: str, column: str
):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with_mara.tell(event, saleId="T-100", coupons=[code])
    expect(with_mara.panel.member).to_have_count(0)
    expect(with_mara.panel.query).to_have_value("")
    expect_nobody(with_mara, code)
    until(lambda: row(database, code)[column] is not None, f"{event} was told")


def test_a_voided_sale_gives_the_points_back(with_mara: Pos, database: Database):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with_mara.tell("sale.voided", saleId="T-100")
    until(lambda: row(database, code)["state"] == "reversing", "its points go back")


@pytest.mark.provokes(401)
def test_a_renewal_is_not_noticed_and_nothing_is_done_twice(
    with_mara: Pos, database: Database, sandbox: Sandbox
):
    with_mara.panel.choose("$5 off")
    expire_bearers(database)
    with_mara.panel.redeem_button.click()
    with_mara.panel.shown_code()
    with_mara.panel.expect_no_alert()
    assert [made["points"] for made in sandbox.redemptions()] == [500]
    assert with_mara.minted == 2


def test_a_reload_comes_back_by_itself(opened: Pos):
    with opened.page.expect_response(lambda answer: answer.url.endswith("/launch")):
        opened.page.evaluate("document.getElementById('panel').src += ''")
    assert opened.minted == 2
    expect(opened.frame.get_by_text("Ana Pardo · 7, boston")).to_be_visible()


def test_a_locked_till_shows_and_does_nothing(with_mara: Pos, database: Database):
    with_mara.tell("till.locked")
    with_mara.panel.expect_alert("This till is locked.")
    expect(with_mara.panel.member).to_have_count(0)
    expect_nobody(with_mara)
    until(
        lambda: not database.execute(GOOD_BEARERS, with_mara.installed.id),
        "no bearer of this till is good any more",
    )
    with_mara.clerk = {"sub": "ben", "name": "Ben Okafor"}
    with_mara.tell("clerk.changed")
    expect(with_mara.frame.get_by_text("Ben Okafor · 7, boston")).to_be_visible()
    with_mara.panel.look_up_mara()


def test_another_clerk_finds_nothing_of_the_one_before(with_mara: Pos):
    with_mara.clerk = {"sub": "ben", "name": "<b>Ben</b> Okafor"}
    with_mara.tell("clerk.changed")
    expect(with_mara.frame.get_by_text("<b>Ben</b> Okafor · 7, boston")).to_be_visible()
    expect(with_mara.panel.member).to_have_count(0)


@pytest.mark.provokes(401)
def test_a_wrong_clock_is_told_in_seconds(pos: Pos):
    pos.clerk = {"iat": 4_000_000_000, "nbf": 4_000_000_000, "exp": 4_000_000_060}
    pos.open()
    expect(pos.panel.alert).to_contain_text(
        re.compile(r"The POS clock that signed this is \d+ s ahead.")
    )


@pytest.mark.provokes(403)
def test_without_a_host_it_says_so(pos: Pos):
    pos.page.add_init_script("window.silent = true")
    pos.open()
    expect(pos.frame.get_by_text("Not connected to the till.")).to_be_visible()
    pos.panel.expect_alert("This panel must be opened by the point of sale.")
    # It is found where it comes late.
    pos.page.evaluate("window.silent = false")
    expect(pos.frame.get_by_text("Ana Pardo · 7, boston")).to_be_visible()


def test_a_member_found_by_hand_goes_on_the_sale_by_one_tap(opened: Pos):
    opened.panel.look_up_mara()
    opened.panel.member.get_by_role("button", name="Put on the sale").click()
    until(lambda: opened.told("customer.attach"), "the till was told")
    [attached] = opened.told("customer.attach")
    assert attached["email"] == MARA and attached["name"] == "Mara Quill"
    expect(opened.panel.member.get_by_role("button", name="Put on the sale")).to_be_hidden()


FORGED = {
    "of another version": "port.postMessage({v: 2, id: 'x', type: 'customer.attached', payload: "
    "{email: 'mara@example.com'}})",
    "no object": "port.postMessage('customer.attached')",
    "an unknown type": "tell('customer.steal', {email: 'mara@example.com'})",
    "a method of ours": "tell('toString', {})",
}


@pytest.mark.parametrize("script", FORGED.values(), ids=FORGED.keys())
def test_what_is_no_message_of_the_bridge_changes_nothing(opened: Pos, script: str):
    opened.page.evaluate(script)
    opened.tell("scan", text="pia@example.com")
    expect(opened.panel.member.get_by_role("heading", name="Pia Lindqvist")).to_be_visible()


@pytest.mark.provokes(403)
def test_a_host_that_is_not_on_the_list_is_not_heard(pos: Pos):
    """A foreign page that manages to be the parent cannot answer a hello that it never sees."""
    pos.page.add_init_script("window.silent = true")
    pos.open()
    pos.page.evaluate(
        """() => {
            const { port2 } = new MessageChannel();
            const init = { ns: "loyalty-panel", type: "host.init", v: 1, capabilities: [] };
            const target = frames[0];
            for (const nonce of ["", "x", undefined]) target.postMessage({ ...init, nonce }, "*");
            target.postMessage({ ...init, nonce: "guess" }, "*", [port2]);
        }"""
    )
    expect(pos.frame.get_by_text("Not connected to the till.")).to_be_visible()


def test_a_foreign_site_cannot_frame_it(browser: Browser, pos: Pos):
    other = Site()
    other.html = f"<title>x</title><iframe src='{pos.address}'></iframe>"
    page = browser.new_page()
    with page.expect_console_message(lambda line: "frame-ancestors" in line.text):
        page.goto(other.origin)
    assert page.frame_locator("iframe").locator("#panel").count() == 0
    page.close()
    other.stop()


def test_nothing_is_left_in_storage_or_history(opened: Pos):
    before = opened.page.evaluate("history.length")
    opened.tell("customer.attached", email=MARA)
    opened.panel.redeemed("$5 off")
    frame = opened.page.frames[1]
    for store in ("localStorage.length", "sessionStorage.length", "document.cookie.length"):
        # Where it is refused altogether (third-party storage is blocked), there is nothing either.
        assert frame.evaluate(f"(() => {{ try {{ return {store} }} catch {{ return 0 }} }})()") == 0
    assert opened.page.evaluate("history.length") == before


# What comes late, twice, or never


SLOWLY = """(type) => {
    does[type] = () => new Promise((resolve, reject) => { answer = resolve; fail = reject; });
}"""


def slow(pos: Pos, kind: str) -> None:
    """The till answers that with `answer()` alone."""
    pos.page.evaluate("window.answer = null")
    pos.page.evaluate(SLOWLY, kind)


def test_what_was_on_the_sale_before_it_changed_is_of_that_sale(with_mara: Pos, database: Database):
    slow(with_mara, "discount.apply")
    code = with_mara.panel.redeemed("$5 off")
    with_mara.tell("cart.changed", **SALE | {"saleId": "T-200"}, coupons=[])
    with_mara.page.evaluate("answer({})")
    until(lambda: row(database, code)["applied_at"] is not None, "it is applied")
    assert row(database, code)["ticket"] == "T-100"


@pytest.mark.provokes(500)
def test_that_it_was_put_on_the_sale_is_told_until_it_is_heard(
    with_mara: Pos, database: Database, context: BrowserContext
):
    held: list[Route] = []
    context.route("**/applied", lambda route: held.append(route), times=1)  # noqa: PLW0108
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale. That is not noted here yet")
    expect(with_mara.panel.coupon.get_by_role("button", name="Put on the sale")).to_have_count(0)
    held[0].fulfill(status=500)
    # Taken off after that, it must not look put on after that.
    with_mara.tell("discount.removed", code=code)
    until(lambda: row(database, code)["gone_at"] is not None, "it was taken off")
    assert row(database, code)["applied_at"] is not None


@pytest.mark.provokes(409)
def test_what_was_ended_while_the_till_put_it_on_is_taken_off(with_mara: Pos, database: Database):
    slow(with_mara, "discount.apply")
    with_mara.refuse("discount.remove", "Payment has begun.")
    code = with_mara.panel.redeemed("$5 off")
    # At another till, or by itself.
    database.execute(
        "UPDATE redemptions_pendingredemption SET state = 'reversing' WHERE code = ?", code
    )
    with_mara.page.evaluate("answer({})")
    with_mara.panel.expect_alert("take it off the sale")
    assert with_mara.told("discount.remove")[0]["code"] == code


@pytest.mark.provokes(409)
def test_a_code_that_ended_meanwhile_is_nothing_to_the_next_customer(
    with_mara: Pos, database: Database, context: BrowserContext
):
    held: list[Route] = []
    context.route("**/applied", lambda route: held.append(route), times=1)  # noqa: PLW0108
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("That is not noted here yet")
    database.execute(
        "UPDATE redemptions_pendingredemption SET state = 'reversing' WHERE code = ?", code
    )
    with_mara.tell("sale.completed", **SALE)
    with_mara.tell("cart.changed", **SALE | {"saleId": "T-200"}, coupons=[])
    with with_mara.page.expect_response("**/applied"):
        held[0].continue_()
    with with_mara.page.expect_response("**/ticket"):
        with_mara.tell("sale.parked", saleId="T-200")
    assert with_mara.told("discount.remove") == []
    with_mara.panel.expect_no_alert()
    expect_nobody(with_mara, code)


@pytest.mark.provokes("no connection")
def test_what_is_heard_after_somebody_else_took_over_is_not_laid_at_their_door(
    with_mara: Pos, database: Database, context: BrowserContext
):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with context.expect_event("requestfailed"):
        context.route("**/ticket", lambda route: route.abort(), times=1)
        with_mara.tell("discount.removed", code=code)
    with_mara.clerk = {"sub": "ben", "name": "Ben Okafor"}
    with_mara.tell("clerk.changed")
    until(lambda: row(database, code)["gone_at"] is not None, "it was taken off")
    [[who]] = database.execute(
        "SELECT who FROM audit_entry WHERE act = 'redemption.removed' ORDER BY id DESC LIMIT 1"
    )
    assert who == "The till, heard late"


@pytest.mark.provokes(409)
def test_what_the_till_may_have_put_on_is_not_undone_before_it_is_off(
    with_mara: Pos, sandbox: Sandbox
):
    slow(with_mara, "discount.apply")
    with_mara.panel.redeemed("$5 off")
    refusal = {"ok": False, "error": {"code": "timeout", "message": "It took too long."}}
    with_mara.page.evaluate(
        """(refusal) => {
            const { id } = told.find(({ type }) => type === "discount.apply");
            port.postMessage({ v: 1, re: id, ...refusal });
        }""",
        refusal,
    )
    expect(with_mara.panel.coupon).to_contain_text("It took too long.")
    with_mara.refuse("discount.remove", "Payment has begun.")
    with_mara.panel.undo()
    expect(with_mara.panel.coupon).to_contain_text("The code is still on the sale.")
    assert sandbox.balance(MARA) == 140


def test_a_sale_that_ends_without_a_word_of_codes_takes_none_back(
    with_mara: Pos, database: Database
):
    code = with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")
    with_mara.tell("cart.changed", **SALE | {"rev": 2})
    with_mara.tell("sale.completed", saleId="T-100")
    until(lambda: row(database, code)["claimed_used_at"] is not None, "it counts as sold")
    assert row(database, code)["gone_at"] is None


def test_another_sales_end_leaves_this_one_as_it_is(with_mara: Pos):
    with_mara.tell("sale.voided", saleId="T-7")
    with_mara.tell("sale.completed", saleId="T-8", coupons=[])
    with_mara.panel.redeemed("$5 off")
    expect(with_mara.panel.coupon).to_contain_text("It is on the sale.")


def test_another_clerk_is_not_taken_for_the_one_before(with_mara: Pos, database: Database):
    """Whose token was on its way when they changed places."""
    early = with_mara.mint()
    slow(with_mara, "launch.request")
    with_mara.tell("clerk.changed")
    until(lambda: with_mara.page.evaluate("window.answer !== null"), "the till was asked")
    with_mara.clerk = {"sub": "ben", "name": "Ben Okafor"}
    with_mara.page.evaluate(
        """() => {
            window.first = answer;
            does["launch.request"] = async () => ({ token: await mint() });
        }"""
    )
    with_mara.tell("clerk.changed")
    expect(with_mara.frame.get_by_text("Ben Okafor · 7, boston")).to_be_visible()
    with_mara.page.evaluate("(token) => first({ token })", early)
    with_mara.page.wait_for_timeout(WORKED_IN_MS)
    with_mara.panel.look_up_mara()
    whose = "SELECT a.code FROM access_bearer b JOIN stores_associate a ON a.id = b.associate_id"
    newest = "WHERE b.installation_id = ? ORDER BY b.id DESC LIMIT 1"
    assert database.execute(f"{whose} {newest}", with_mara.installed.id) == [("ben",)]


@pytest.mark.provokes(401)
def test_a_look_up_that_waited_for_a_token_shows_nobody_after_the_till_was_locked(
    with_mara: Pos, database: Database
):
    slow(with_mara, "launch.request")
    expire_bearers(database)
    with_mara.tell("scan", text="pia@example.com")
    until(lambda: with_mara.page.evaluate("window.answer !== null"), "the till was asked")
    with_mara.tell("till.locked")
    with_mara.panel.expect_alert("This till is locked.")
    with_mara.page.evaluate("(token) => answer({ token })", with_mara.mint())
    with_mara.tell("customer.attached", email="pia@example.com")
    with_mara.page.wait_for_timeout(2 * WORKED_IN_MS)
    assert "Pia" not in with_mara.frame.locator("body").inner_text()
    assert not database.execute(GOOD_BEARERS, with_mara.installed.id)
