"""Finding a member by what a customer says at the till."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from sandbox.control import Sandbox
from tests.browser.till import Till
from tests.support.servers import Database, Panel

pytestmark = pytest.mark.browser

CARD = "4242 4242 4242 4242"


def test_a_member_is_found_by_email(till: Till):
    till.look_up_mara()
    till.expect_points("640")
    expect(till.member).to_contain_text("Silver")
    expect(till.member).to_contain_text("660 points to the next tier")
    expect(till.member).to_contain_text(re.compile(r"200 points expire on \d+ [A-Z][a-z]+ 20\d\d"))


def test_capitals_and_outer_spaces_do_not_matter(till: Till):
    till.look_up("  MARA@Example.COM  ", "Mara Quill")


def test_enter_looks_up(till: Till):
    till.query.fill("mara@example.com")
    till.query.press("Enter")
    till.expect_points("640")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("(415) 555-0123", "Mara Quill"),
        ("415-555-0123", "Mara Quill"),
        ("+1 415 555 0123", "Mara Quill"),
        ("+44 20 7946 0123", "Imogen Vale"),
    ],
    ids=["brackets", "dashes", "plus-one", "london"],
)
def test_a_member_is_found_by_phone(till: Till, typed: str, name: str):
    till.look_up(typed, name)
    expect(till.member).to_contain_text("Found by phone. Families share numbers: ask for the name.")


def test_a_shared_phone_finds_one_person_and_says_that_there_may_be_others(till: Till):
    till.look_up("919-555-0111", "June Carter")
    expect(till.member).to_contain_text("Families share numbers")


@pytest.mark.provokes(422)
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Type an email address or a phone number."),
        ("Mara Quill", "neither an email address nor a phone number"),
        ("mara@", "That email address is not complete."),
        ("7" * 300, "too long"),
        ("' OR 1=1 --", "neither an email address nor a phone number"),
    ],
    ids=["nothing", "a-name", "half-an-email", "too-long", "sql"],
)
def test_what_is_no_email_and_no_phone_is_explained(till: Till, typed: str, words: str):
    till.ask(typed)
    till.expect_alert(words)


@pytest.mark.provokes(422)
def test_a_card_number_is_refused_and_left_nowhere(
    till: Till, panel: Panel, sandbox: Sandbox, context: BrowserContext
):
    till.ask(CARD)
    till.expect_alert("That looks like a payment card. Nothing was kept.")

    expect(till.query).to_have_value("")
    digits = CARD.replace(" ", "")
    assert digits not in till.page.content().replace(" ", "")
    assert digits not in panel.log.read_text().replace(" ", "")
    assert digits not in files_of(panel.database)
    assert sandbox.call_counts() == {}


def files_of(database: Database) -> str:
    """All bytes of a SQLite database and of its journal, less the spaces."""
    path = Path(database.url.removeprefix("sqlite:///"))
    texts = [file.read_bytes().decode("latin-1") for file in path.parent.glob(f"{path.name}*")]
    return "".join(texts).replace(" ", "")


@pytest.mark.provokes(422)
def test_a_card_number_is_not_taken_over_into_the_enrolment(till: Till):
    till.query.fill(CARD)
    till.start_enrolment()
    expect(till.email).to_have_value("")
    expect(till.phone).to_have_value("")
    till.phone.fill(CARD)
    till.enrol_button.click()
    expect(till.enrolment).to_contain_text("That looks like a payment card")
    expect(till.phone).to_have_value("")


@pytest.mark.provokes(404)
def test_nobody_by_this_phone(till: Till):
    till.ask("(415) 555-0199")
    expect(till.page.get_by_role("region", name="Not found")).to_contain_text(
        "Nobody has this phone number in the loyalty programme."
    )


@pytest.mark.provokes(422)
def test_an_alert_goes_away_with_the_next_look_up(till: Till):
    till.ask("555-0123")
    till.expect_alert("incomplete")
    till.look_up_mara()
    till.expect_no_alert()


def test_offers_to_be_had_come_first_then_what_is_nearly_in_reach(till: Till):
    till.look_up_mara()
    names = [button.get_attribute("aria-label") for button in till.offer_buttons.all()]
    assert names == ["Redeem $5 off", "Redeem Tote bag voucher", "Redeem Points for dollars"]
    nearly = till.offers.get_by_role("listitem").filter(has_text="missing")
    expect(nearly).to_have_text([re.compile(r"\$10 off.*310 "), re.compile(r"\$25 off.*1,560 ")])


def test_offers_that_no_till_can_take_are_not_shown(till: Till):
    till.look_up("ruth@example.com", "Ruth Okafor")
    expect(till.offer_buttons).to_have_count(5)
    for hidden in ("15% off", "$20 off online", "Free gift wrapping", "Free enamel mug"):
        expect(till.offers.get_by_text(hidden)).to_have_count(0)


def test_a_restricted_offer_is_shown_to_whom_it_is_for(till: Till):
    till.look_up("siobhan@example.com", "Siobhán O'Dea")
    expect(till.offer("Birthday treat")).to_be_visible()


def test_the_member_before_is_gone_when_the_next_is_looked_up(till: Till):
    till.look_up_mara()
    till.redeemed("$5 off")
    till.look_up("ruth@example.com", "Ruth Okafor")
    expect(till.main.get_by_text("Mara")).to_have_count(0)
    expect(till.coupon).to_have_count(0)
    expect(till.pending).to_have_count(0)
