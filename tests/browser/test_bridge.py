"""The script for POS pages, in a strict page of another site than the panel's."""

import gzip
import re

import pytest
from playwright.sync_api import Error, Page

from tests.browser.bridge import ELSEWHERE, FRAME, PANEL, SCRIPT, Stage

pytestmark = pytest.mark.browser

TAKES_ALL = """{
    "launch.request": async () => ({ token: "signed", more: "x" }),
    "discount.apply": (payload) => { taken.push(payload); },
    "discount.remove": async (payload) => { taken.push(payload); },
    "customer.attach": (payload) => { taken.push(payload); },
    "panel.resize": (payload) => { taken.push(payload); },
    "toast": (payload) => { taken.push(payload); },
    "focus.release": (payload) => { taken.push(payload); },
}"""
DISCOUNT = {
    "code": "LP-1",
    "redemptionId": "r1",
    "valueCents": 500,
    "currency": "USD",
    "label": "$5 off",
}
CART = {"saleId": "T-1", "totalCents": 4200, "currency": "USD", "coupons": ["LP-1"]}
MARA = {"email": "mara@example.com", "name": "Mara Quill"}
OK = {"ok": True, "payload": {}}


@pytest.fixture
def stage(page: Page) -> Stage:
    stage = Stage(page)
    stage.open()
    return stage


def refused(code: str, message: str) -> dict[str, object]:
    return {"ok": False, "error": {"code": code, "message": message}}


def test_it_is_small_enough_for_every_till() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), 9)) < 4_096


def test_a_hello_is_answered_once_with_what_the_pos_can_do(stage: Stage) -> None:
    stage.connected("{'discount.apply'() {}, 'launch.request'() {}, toast() {}}")
    [init] = stage.frame.evaluate("inits")
    assert init == {
        "ns": "loyalty-panel",
        "type": "host.init",
        "nonce": stage.frame.evaluate("nonce"),
        "v": 1,
        "capabilities": ["launch.request", "discount.apply"],
    }
    assert stage.page.evaluate("panel.connected")
    stage.hello()
    stage.wait_for_ignored(1)
    assert len(stage.frame.evaluate("inits")) == 1


def test_a_handler_gets_the_fields_it_knows_and_its_answer_goes_back(stage: Stage) -> None:
    stage.connected(TAKES_ALL)
    assert stage.ask("launch.request") == {"ok": True, "payload": {"token": "signed"}}
    assert stage.ask("discount.apply", {**DISCOUNT, "html": "<b>"}) == OK
    assert stage.ask("discount.remove", {"code": "LP-1", "redemptionId": "r1"}) == OK
    assert stage.ask("customer.attach", {**MARA, "phone": None}) == OK
    assert stage.taken == [DISCOUNT, {"code": "LP-1", "redemptionId": "r1"}, MARA]


def test_what_needs_no_answer_is_handed_over(stage: Stage) -> None:
    stage.connected(TAKES_ALL)
    stage.tell({"v": 1, "id": "1", "type": "panel.resize", "payload": {"height": 512.5}})
    stage.tell({"v": 1, "type": "toast", "payload": {"text": "Copied", "kind": "good"}})
    stage.tell({"v": 1, "id": "3", "type": "focus.release"})
    stage.page.wait_for_function("() => taken.length === 3")
    assert stage.taken == [{"height": 512.5}, {"text": "Copied", "kind": "good"}, {}]


@pytest.mark.parametrize(
    ("handler", "answer"),
    [
        ("() => { throw LoyaltyPanel.refusal('used', 'Used.') }", refused("used", "Used.")),
        ("async () => { throw new Error('No price.') }", refused("failed", "No price.")),
        ("async () => { throw null }", refused("failed", "null")),
        (
            "() => new Promise(() => {})",
            refused("timeout", "The till did not answer in time."),
        ),
    ],
    ids=["a refusal", "an error", "nothing at all", "too late"],
)
def test_what_a_handler_throws_is_told(
    stage: Stage, handler: str, answer: dict[str, object]
) -> None:
    stage.connected(f"{{'discount.apply': {handler}}}", "answerWithinMs: 50")
    assert stage.ask("discount.apply", DISCOUNT) == answer


def test_a_request_that_the_pos_does_not_answer_is_refused(stage: Stage) -> None:
    stage.connected()
    answer = refused("unsupported", "This till does not answer discount.apply.")
    assert stage.ask("discount.apply", DISCOUNT) == answer


def test_a_handler_never_sees_a_malformed_request(stage: Stage) -> None:
    stage.connected(TAKES_ALL)
    for wrong in ({"valueCents": 5.5}, {"valueCents": -1}, {"code": ""}, {"label": {"a": 1}}):
        answer = stage.ask("discount.apply", {**DISCOUNT, **wrong})
        assert answer["error"]["code"] == "malformed"
        assert next(iter(wrong)) in answer["error"]["message"]
    stage.tell({"v": 1, "type": "panel.resize", "payload": {"height": "9"}})
    stage.tell({"v": 1, "type": "toast", "payload": None})
    stage.wait_for_ignored(6)
    assert stage.taken == []


def test_a_value_that_depends_on_the_sale_is_null(stage: Stage) -> None:
    stage.connected(TAKES_ALL)
    assert stage.ask("discount.apply", {**DISCOUNT, "valueCents": None}) == OK


def test_a_launch_without_a_token_is_no_launch(stage: Stage) -> None:
    stage.connected("{'launch.request': () => ({})}")
    answer = stage.ask("launch.request")["error"]["message"]
    assert answer == "the answer to launch.request: token must be a text that is not empty"


SENT = {
    "customer.attached": {**MARA, "posCustomerId": "C-1"},
    "customer.detached": {},
    "cart.changed": {**CART, "rev": 7},
    "discount.removed": {"code": "LP-1"},
    "sale.parked": {"saleId": "T-1"},
    "sale.resumed": {"saleId": "T-1"},
    "sale.voided": {"saleId": "T-1"},
    "sale.completed": CART,
    "till.locked": {},
    "clerk.changed": {},
    "scan": {"text": "mara@example.com", "symbology": "qr"},
    "network": {"online": False},
}


def test_all_that_happens_at_the_till_is_told(stage: Stage) -> None:
    stage.connected()
    for type_, payload in SENT.items():
        assert stage.send(type_, {**payload, "clerk": "not known"}) is True
    stage.heard("network")
    heard = stage.frame.evaluate("heard")
    assert {each["type"]: each["payload"] for each in heard} == SENT
    assert all(each["v"] == 1 for each in heard)
    assert len({each["id"] for each in heard}) == len(SENT)


def test_a_mistake_of_the_pos_is_named_at_once(stage: Stage) -> None:
    stage.connected()
    with pytest.raises(Error, match=r"cart\.changed: coupons must be a list of texts"):
        stage.send("cart.changed", {**CART, "coupons": [5]})
    with pytest.raises(Error, match=r"sale\.paid is nothing that a panel is told"):
        stage.send("sale.paid", {})
    with pytest.raises(Error, match=r"The panel never sends discount\.aply"):
        stage.connect("{'discount.aply'() {}}")
    assert stage.all_heard() == []


def test_the_cart_is_counted_unless_the_pos_counts(stage: Stage) -> None:
    stage.connected()
    for _ in range(3):
        stage.send("cart.changed", CART)
    revs = [each["rev"] for each in stage.heard("cart.changed", times=3)]
    assert revs == sorted(set(revs))
    stage.send("cart.changed", {**CART, "rev": 3})
    assert stage.heard("cart.changed", times=4)[-1]["rev"] == 3


def test_state_is_kept_for_a_panel_to_come_and_events_are_not(stage: Stage) -> None:
    stage.connect()
    for type_, payload in (
        ("cart.changed", {**CART, "rev": 1}),
        ("customer.attached", {"email": "zed@example.com"}),
        ("customer.attached", MARA),
        ("scan", {"text": "9780000000002"}),
        ("cart.changed", {**CART, "rev": 2}),
    ):
        assert stage.send(type_, payload) is False
    stage.shake_hands()
    assert stage.all_heard() == ["customer.attached", "cart.changed"]
    assert stage.heard("customer.attached") == [MARA]
    assert stage.heard("cart.changed") == [{**CART, "rev": 2}]


def test_a_frame_that_is_loaded_again_comes_back_to_the_sale(stage: Stage) -> None:
    stage.connected()
    stage.send("customer.attached", MARA)
    stage.send("cart.changed", CART)
    reload_frame(stage)
    stage.shake_hands()
    assert stage.all_heard() == ["customer.attached", "cart.changed"]


def reload_frame(stage: Stage) -> None:
    with stage.page.expect_event("framenavigated"):
        stage.page.evaluate("() => { frame.src = frame.src; }")


@pytest.mark.parametrize("end", ["sale.completed", "sale.voided", "sale.parked"])
def test_nothing_of_a_sale_that_is_over_is_told_again(stage: Stage, end: str) -> None:
    stage.connected()
    stage.send("customer.attached", MARA)
    stage.send("cart.changed", CART)
    stage.send(end, CART)
    reload_frame(stage)
    stage.shake_hands()
    assert stage.all_heard() == []


def test_the_port_of_the_frame_before_is_closed(stage: Stage) -> None:
    """Kept by another window of the panel, it opens nothing any more."""
    stage.connected(TAKES_ALL)
    stage.frame.evaluate("() => { globalThis.old = port; port = null; }")
    stage.hello(nonce="another")
    stage.frame.wait_for_function("port !== null")
    stage.frame.evaluate("old.postMessage({v: 1, type: 'toast', payload: {text: 'old'}})")
    stage.tell({"v": 1, "type": "toast", "payload": {"text": "new"}})
    stage.page.wait_for_function("() => taken.length > 0")
    assert stage.taken == [{"text": "new"}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"v": [2]},
        {"v": 1},
        {"nonce": ""},
        {"nonce": None},
        {"nonce": {"a": 1}},
        {"type": "panel.hullo"},
    ],
    ids=str,
)
def test_a_hello_that_is_none_is_dropped(stage: Stage, wrong: dict[str, object]) -> None:
    stage.connect()
    stage.hello(**wrong)
    stage.wait_for_ignored(1)
    assert not stage.page.evaluate("panel.connected")


def test_what_is_not_ours_is_not_even_counted(stage: Stage) -> None:
    stage.connect()
    stage.hello(ns="another-widget")
    stage.hello(v=[2])
    stage.wait_for_ignored(1)


def test_a_frame_of_another_site_is_not_answered(stage: Stage) -> None:
    stage.connect()
    frame = stage.frame
    with stage.page.expect_event("framenavigated"):
        frame.evaluate("(url) => { location.href = url; }", f"{ELSEWHERE}/")
    stage.hello()
    stage.wait_for_ignored(1)
    assert stage.frame.evaluate("inits") == []


def test_another_window_is_not_answered_though_it_is_of_the_panels_site(stage: Stage) -> None:
    stage.connect()
    stage.page.evaluate("(url) => { document.getElementById('other').src = url; }", FRAME)
    other = stage.page.query_selector("#other").content_frame()
    other.wait_for_function("typeof hello === 'function'")
    other.evaluate("hello()")
    stage.page.evaluate(
        "postMessage({ns: 'loyalty-panel', type: 'panel.hello', v: [1], nonce: 'n'})"
    )
    stage.shake_hands()
    assert other.evaluate("inits") == []
    assert stage.page.evaluate("panel.ignored") == 0


def test_what_comes_over_the_port_in_another_shape_is_dropped(stage: Stage) -> None:
    stage.connected(TAKES_ALL)
    toast = {"v": 1, "id": "1", "type": "toast", "payload": {"text": "x"}}
    for wrong in (
        None,
        "toast",
        {**toast, "v": 2},
        {**toast, "type": "sale.void"},
        {**toast, "type": "constructor"},
        {**toast, "type": "__proto__"},
        {"v": 1, "type": "discount.apply", "payload": DISCOUNT},
        {"v": 2, "id": "1", "type": "discount.apply", "payload": DISCOUNT},
    ):
        stage.tell(wrong)
    stage.wait_for_ignored(8)
    assert stage.taken == []


@pytest.mark.parametrize("origin", ["*", "null", f"{PANEL}/", "loyalty.example.com", "file://"])
def test_an_origin_must_be_exact(stage: Stage, origin: str) -> None:
    with pytest.raises(Error, match=r"origin must be|Invalid URL|is not of"):
        stage.page.evaluate("(origin) => LoyaltyPanel.connect(frame, {origin})", origin)


def test_the_frames_address_is_of_the_panels_origin(stage: Stage) -> None:
    with pytest.raises(Error, match=r"is not of https://loyalty"):
        stage.connect(more=f"url: '{ELSEWHERE}/'")


def test_a_closed_one_hears_nothing(stage: Stage) -> None:
    stage.connected(TAKES_ALL)
    stage.page.evaluate("panel.close()")
    stage.hello(nonce="another")
    stage.tell({"v": 1, "type": "toast", "payload": {"text": "x"}})
    assert stage.send("clerk.changed", {}) is False
    # Connected again, the frame is answered by the new one alone.
    stage.page.evaluate("(o) => { panel = LoyaltyPanel.connect(frame, o); }", {"origin": PANEL})
    stage.hello(nonce="a third")
    stage.frame.wait_for_function("inits.length === 2")
    assert stage.taken == []


def test_connected_again_a_frame_is_answered_by_the_latest_alone(stage: Stage) -> None:
    stage.connect("{'launch.request'() {}}")
    stage.page.evaluate("() => { globalThis.first = panel; }")
    stage.connected("{'customer.attach'() {}}")
    stage.send("network", {"online": True})
    stage.heard("network")
    inits = stage.frame.evaluate("inits.map((init) => init.capabilities)")
    assert inits == [["customer.attach"]]
    assert not stage.page.evaluate("first.connected")


def test_the_types_name_every_message() -> None:
    quoted = r'^    "?([a-z]+(?:\.[a-z]+)?)"?(?:: \{|: [A-Z]|\?: )'
    script = SCRIPT.read_text()
    tables = re.findall(r"const (?:ANSWERED|NOTED|SENT) = \{\n(.*?)\n  \};", script, re.DOTALL)
    messages = re.findall(quoted, "\n".join(tables), re.MULTILINE)
    types = SCRIPT.with_suffix(".d.ts").read_text()
    bodies = re.findall(r"interface (?:Handlers|Sent) \{\n(.*?)\n  \}", types, re.DOTALL)
    assert len(messages) == 19
    assert re.findall(quoted, "\n".join(bodies), re.MULTILINE) == messages
