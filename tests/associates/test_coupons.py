"""The code as it is shown: in letters, as Code 128 and as QR, and its age."""

import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from associates.coupons import bars, coupon_context, qr, refusal
from associates.templatetags.panel import age, points, thousands
from audit.models import Entry
from members.models import Member
from offers.catalogue import Kind
from redemptions.life import hold, note_applied
from redemptions.models import PendingRedemption
from redemptions.states import Reason, State
from sandbox.control import Sandbox
from tests.associates.panel import FIVE_OFF, Panel, code_of, text_of, words

CODES = {
    "usual": "LP-7Q2F-K9XD",
    "digits": "0012345678",
    "small letters": "abc-def",
    "one sign": "X",
    "long": "A" * 80,
    "signs": "A&B<C>\"D'",
}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())
def test_bars_are_whole_modules_from_edge_to_edge(code: str) -> None:
    drawn: Any = bars(code)
    places = [int(part.partition(" ")[0]) for part in drawn["path"].split("M")[1:]]
    assert places[0] == 0
    assert places[-1] == drawn["width"] - 1
    assert places == sorted(set(places))
    # Start, checksum and stop are 11 + 11 + 13 modules, every sign at most 11.
    assert 35 < drawn["width"] <= 35 + 11 * (len(code) + 2)


def test_other_codes_have_other_bars() -> None:
    assert bars("LP-1")["path"] != bars("LP-2")["path"]  # type: ignore[index]


@pytest.mark.parametrize(
    "code", ["é", "コード", "a\nb", "\0"], ids=["accent", "kana", "break", "NUL"]
)
def test_what_code_128_cannot_write_has_no_bars(code: str) -> None:
    assert bars(code) is None


@pytest.mark.parametrize("code", [*CODES.values(), "コード"], ids=[*CODES, "kana"])
def test_a_qr_code_is_an_image_without_a_style_of_its_own(code: str) -> None:
    drawn = qr(code)
    assert ET.fromstring(drawn).attrib["class"] == "qr"
    assert "style" not in drawn
    assert "<script" not in drawn


def test_a_code_is_shown_as_text_bars_and_qr(panel: Panel, mara: Member) -> None:
    answer = panel.redeem(panel.act(mara, FIVE_OFF))
    page = text_of(answer)
    assert code_of(answer) == PendingRedemption.objects.get().code
    assert 'class="bars"' in page
    assert 'class="qr"' in page
    assert "Takes $5.00 off" in page
    assert "500 points" in page
    assert "just now" in page
    assert "panel:answered" in answer["HX-Trigger"]


# State -> what the associate reads.
TOLD = {
    State.REQUESTED: "do not redeem again",
    State.UNCERTAIN: "do not redeem again",
    State.ISSUED: "Takes $5.00 off",
    State.USED: "used in a sale",
    State.REVERSING: "has not confirmed it yet",
    State.REVERSED: "500 points are back",
    State.CANCELLED: "No points were taken",
    State.NOT_MADE: "You can redeem again",
    State.DISPUTED: "Ask a manager",
}


def test_every_state_but_a_refusal_has_words() -> None:
    assert set(TOLD) | {State.REFUSED} == set(State)


@pytest.mark.parametrize("state", TOLD)
def test_each_state_is_told(panel: Panel, mara: Member, state: State) -> None:
    panel.redeem(panel.act(mara, FIVE_OFF))
    PendingRedemption.objects.update(
        state=state, sold_at=timezone.now(), first_reversal_attempt_at=timezone.now()
    )
    redemption = PendingRedemption.objects.get()
    answer = panel.get(f"redemptions/{redemption.id}", {"member": str(mara.id)})
    assert answer.status_code == 200
    page = " ".join(text_of(answer).split())
    assert TOLD[state] in page
    assert (code_of(answer) != "") is (state == State.ISSUED)
    assert ("every 2s" in page) is (state in {State.REQUESTED, State.UNCERTAIN, State.REVERSING})


@pytest.mark.parametrize("state", sorted(set(State) - {State.ISSUED}))
def test_a_code_that_does_not_count_is_not_drawn(state: State) -> None:
    context = coupon_context(PendingRedemption(state=state, code="LP-1", currency="USD"))
    assert (context["barcode"], context["qr"]) == (None, "")


def test_an_undo_that_waits_for_the_answer_says_so(panel: Panel, mara: Member, sandbox) -> None:
    sandbox.fault("POST /redemptions", "html")
    panel.redeem(panel.act(mara, FIVE_OFF))
    redemption = PendingRedemption.objects.get()
    answer = panel.post(f"redemptions/{redemption.id}/undo", {"member": str(mara.id)})
    assert "the points go back at once" in words(answer)


NO_CODES = {
    "as the sandbox says it": ("There are no coupon codes left for this reward", True),
    "out of codes": ("Out of coupon codes", True),
    "a pool that ran out": ("The coupon codes of this reward have run out", True),
    "a code that there is": ("Customer already has a code available", False),
    "a code for others": ("Codes of this reward are not available in your region", False),
    "an error's number": ("Not eligible. Error code: 17 (0 points remaining)", False),
    "another refusal": ("Customer is not opted in", False),
    "a code that was used": ("Coupon code was used", False),
    "no words": ("", False),
}


@pytest.mark.parametrize(("engine_words", "told"), NO_CODES.values(), ids=NO_CODES.keys())
def test_a_pool_without_codes_is_told_apart(engine_words: str, told: bool) -> None:
    refused = PendingRedemption(
        state=State.REFUSED,
        reason=Reason.ENGINE_SAID_NO,
        offer_name="Tote bag voucher",
        offer_kind=Kind.CUSTOM,
        engine_words=engine_words,
    )
    assert refusal(refused)[0].startswith("There are no codes left for Tote bag voucher.") is told
    assert engine_words in refusal(refused)[0]
    refused.offer_kind = Kind.FIXED
    assert "no codes left for Tote" not in refusal(refused)[0]


AGES = {
    "now": (timedelta(seconds=0), "just now"),
    "the clock is behind": (timedelta(seconds=-30), "just now"),
    "less than a minute": (timedelta(seconds=59), "just now"),
    "a minute": (timedelta(seconds=60), "1 min ago"),
    "nearly an hour": (timedelta(minutes=59, seconds=59), "59 min ago"),
    "an hour": (timedelta(hours=1), "1 h ago"),
    "nearly two days": (timedelta(hours=47, minutes=59), "47 h ago"),
    "two days": (timedelta(hours=48), "2 days ago"),
    "a year": (timedelta(days=365), "365 days ago"),
}


@pytest.mark.parametrize(("span", "said"), AGES.values(), ids=AGES.keys())
def test_an_age_is_said_as_one_says_it(span: timedelta, said: str) -> None:
    assert age(timezone.now() - span) == said


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")]
)
def test_thousands_are_set_apart(number: int, shown: str) -> None:
    assert thousands(number) == shown


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 points"), (1, "1 point"), (-1, "-1 points"), (1_234, "1,234 points")],
)
def test_points_are_said_as_one_says_them(number: int, said: str) -> None:
    assert points(number) == said


def test_a_code_says_how_long_it_is_kept(panel: Panel, mara: Member) -> None:
    page = text_of(panel.redeem(panel.act(mara, FIVE_OFF)))
    assert re.search(r"Kept for this sale: <[^>]+>1[45]:\d\d<", page)
    assert "Keep longer" in page


def test_it_is_kept_longer_once(panel: Panel, mara: Member) -> None:
    panel.redeem(panel.act(mara, FIVE_OFF))
    redemption = PendingRedemption.objects.get()
    answer = panel.post(f"redemptions/{redemption.id}/extend", {"member": str(mara.id)})
    page = text_of(answer)
    assert re.search(r">(29|30):\d\d<", page)
    assert "Keep longer" not in page
    again = panel.post(f"redemptions/{redemption.id}/extend", {"member": str(mara.id)})
    assert again.status_code == 409
    assert "once already" in text_of(again)
    entry = Entry.objects.get(act="redemption.extended")
    assert (entry.who, entry.subject_id) == ("Ana Pardo", str(redemption.id))


def test_when_time_is_up_it_says_what_comes(panel: Panel, mara: Member) -> None:
    panel.redeem(panel.act(mara, FIVE_OFF))
    PendingRedemption.objects.update(lease_until=timezone.now())
    redemption = PendingRedemption.objects.get()
    page = text_of(panel.get(f"redemptions/{redemption.id}", {"member": str(mara.id)}))
    assert "Time is up: the points go back by themselves" in page
    assert "Keep longer" in page


def test_while_payment_runs_its_time_stands_still(panel: Panel, mara: Member) -> None:
    panel.redeem(panel.act(mara, FIVE_OFF))
    redemption = PendingRedemption.objects.get()
    hold(redemption)
    page = text_of(panel.get(f"redemptions/{redemption.id}", {"member": str(mara.id)}))
    assert "its time stands still" in page
    assert "data-lease" not in page


def test_a_code_on_a_sale_is_not_undone_here(panel: Panel, mara: Member, sandbox: Sandbox) -> None:
    panel.redeem(panel.act(mara, FIVE_OFF))
    redemption = PendingRedemption.objects.get()
    note_applied(redemption)
    answer = panel.post(f"redemptions/{redemption.id}/undo", {"member": str(mara.id)})
    assert answer.status_code == 409
    assert "Take it off there first" in text_of(answer)
    assert sandbox.balance(mara.email) == 140
