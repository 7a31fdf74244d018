"""What the screen shows of a member, and that looking leaves nothing behind."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members import last_known
from members.models import LastKnown, Member
from offers import reach
from offers.catalogue import catalogue
from redemptions.models import PendingRedemption
from sandbox.control import Sandbox
from stores.models import Installation, Store, Till
from tests.associates.panel import (
    FIVE_OFF,
    TOTE_BAG,
    Panel,
    buttons,
    text_of,
    words,
)
from tests.support.offers import ANY_POINTS, list_offers


def page_of(panel: Panel, query: str) -> str:
    answer = panel.look_up(query)
    assert answer.status_code == 200
    return " ".join(text_of(answer).split())


def test_a_member_is_shown_with_points_tier_and_what_expires(panel: Panel) -> None:
    page = page_of(panel, "mara@example.com")
    day = datetime.now(UTC) + timedelta(days=75)
    assert '<h2 dir="auto" data-say>Mara Quill</h2>' in page
    assert '<span class="number">640</span> points' in page
    assert '<span class="badge">Silver</span> <span>660 points to the next tier</span>' in page
    assert '<progress max="100" value="73"' in page
    assert f"200 points expire on {day.day} {day:%B %Y}" in page
    assert "Found by phone" not in page


def test_offers_in_reach_stand_before_those_nearly_in_reach(panel: Panel) -> None:
    answer = panel.look_up("mara@example.com")
    assert list(buttons(answer)) == ["$5 off", "Tote bag voucher", "Points for dollars"]
    page = " ".join(text_of(answer).split())
    assert page.index("Nearly there") < page.index("310 points missing")
    assert "1,560 points missing" in page


def test_an_offer_of_any_number_of_points_is_nothing_to_save_for(panel: Panel) -> None:
    page = page_of(panel, "zed@example.com")
    assert "Nearly there" in page
    assert 'Tote bag voucher</strong> <span class="hint">300 points missing' in page
    assert "Points for dollars" not in page


def test_it_is_named_where_there_is_nothing_else(panel: Panel, sandbox: Sandbox) -> None:
    list_offers(sandbox, ANY_POINTS)
    page = page_of(panel, "zed@example.com")
    assert 'Points for dollars</strong> <span class="hint">1 point missing' in page


def test_a_variable_offer_shows_what_all_points_are_worth(panel: Panel) -> None:
    assert "any number of points · up to $6.40" in page_of(panel, "mara@example.com")


PEOPLE: dict[str, tuple[str, str]] = {
    "below zero": ("nell@example.com", "Below zero after a refund"),
    "opted out": ("otto@example.com", "has left the loyalty programme"),
    "without email": ("404 555 0112", "no email for this person, so nothing can be redeemed"),
    "without points": ("zed@example.com", '<span class="number">0</span> points'),
    "without a tier": ("zed@example.com", "No tier yet"),
}


@pytest.mark.parametrize(("query", "shown"), PEOPLE.values(), ids=PEOPLE.keys())
def test_the_screen_says_why_a_member_is_special(panel: Panel, query: str, shown: str) -> None:
    assert shown in page_of(panel, query)


@pytest.mark.parametrize(
    "query",
    ["otto@example.com", "404 555 0112", "nell@example.com"],
    ids=["opted out", "without email", "below zero"],
)
def test_for_some_there_is_no_button_to_redeem(panel: Panel, query: str) -> None:
    assert buttons(panel.look_up(query)) == {}


def test_a_name_is_text_and_never_markup(panel: Panel) -> None:
    page = panel.look_up("tom@example.com").content.decode()
    assert "Tom &amp; &quot;Jerry&quot; &lt;b&gt;" in page
    assert "<b>" not in page


FORMS = {
    "as it stands": ("mara@example.com", "Mara Quill"),
    "capitals and spaces": ("  MARA@Example.COM ", "Mara Quill"),
    "a phone in brackets": ("(415) 555-0123", "Mara Quill"),
    "a phone with hyphens": ("415-555-0123", "Mara Quill"),
    "a foreign phone": ("+44 20 7946 0123", "Imogen Vale"),
    "a family's phone": ("919 555 0111", "June Carter"),
}


@pytest.mark.parametrize(("query", "name"), FORMS.values(), ids=FORMS.keys())
def test_a_member_is_found_in_every_usual_form(panel: Panel, query: str, name: str) -> None:
    page = page_of(panel, query)
    assert f">{name}<" in page
    assert ("Found by phone" in page) is ("@" not in query)


def test_a_phone_is_read_in_the_stores_region(panel: Panel, store: Store) -> None:
    assert panel.look_up("020 7946 0123").status_code == 422
    store.region = "GB"
    store.save()
    assert ">Imogen Vale<" in page_of(panel, "020 7946 0123")


REFUSED = {
    "no area code": ("555-0123", "add the area code"),
    "a payment card": ("4111 1111 1111 1111", "payment card"),
    "a name": ("Mara Quill", "neither an email address nor a phone number"),
}


@pytest.mark.parametrize(("query", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_looked_up_is_told(
    panel: Panel, sandbox: Sandbox, query: str, said: str
) -> None:
    answer = panel.look_up(query)
    assert answer.status_code == 422
    assert said in words(answer)
    assert sandbox.call_counts() == {}


@pytest.mark.parametrize(
    ("query", "said"),
    [("nobody@example.com", "this email"), ("415 555 0199", "this phone number")],
    ids=["email", "phone"],
)
def test_who_is_unknown_can_be_enrolled(panel: Panel, query: str, said: str) -> None:
    answer = panel.look_up(query)
    assert answer.status_code == 404
    assert said in text_of(answer)
    assert "Enrol this customer" in text_of(answer)
    assert not Member.objects.exists()


def test_a_look_up_asks_the_engine_twice_and_shared_offers_once(
    panel: Panel, sandbox: Sandbox, installation: Installation
) -> None:
    panel.look_up("mara@example.com")
    assert sum(sandbox.call_counts().values()) == 2
    installation.offer_policy = Installation.OfferPolicy.SHARED
    installation.save()
    for query in ("mara@example.com", "bea@example.com", "bo@example.com"):
        panel.look_up(query)
    assert sandbox.call_counts() == {"GET /customers": 4, "GET /redemption_options": 2}


def test_both_questions_are_asked_side_by_side(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_begun = threading.Barrier(2, timeout=20)

    def meet(read: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*args: Any) -> Any:
            both_begun.wait()
            return read(*args)

        return reading

    monkeypatch.setattr(catalogue, "read", meet(catalogue.read))
    monkeypatch.setattr(reach, "find_or_recall", meet(reach.find_or_recall))
    assert "$5 off" in buttons(panel.look_up("mara@example.com"))


# What a look-up leaves behind


def writes(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if not query["sql"].startswith("SELECT")]


READS: dict[str, Callable[[Panel, Member], object]] = {
    "a look-up by email": lambda panel, mara: panel.look_up(mara.email),
    "a look-up by phone": lambda panel, mara: panel.look_up("415-555-0123"),
    "a refreshed screen": lambda panel, mara: panel.get(f"members/{mara.id}"),
    "an unknown person": lambda panel, mara: panel.look_up("nobody@example.com"),
    "nonsense": lambda panel, mara: panel.look_up("nonsense"),
    "a dialog": lambda panel, mara: panel.post(
        f"members/{mara.id}/ask", buttons(panel.look_up(mara.email))["$5 off"]
    ),
    "the session": lambda panel, mara: panel.get("session"),
    "an empty form": lambda panel, mara: panel.post("new"),
    "a checked field": lambda panel, mara: panel.post(
        "new/check", {"field": "email", "email": "x@"}
    ),
}


@pytest.mark.database
@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_for_a_known_member_nothing_is_written(
    panel: Panel, mara: Member, read: Callable[[Panel, Member], object]
) -> None:
    with CaptureQueriesContext(connection) as queries:
        read(panel, mara)
    assert len(queries) >= 1
    assert writes(queries) == []


@pytest.mark.database
def test_for_a_new_member_one_row_is_written_once(panel: Panel) -> None:
    for expected in (1, 0):
        with CaptureQueriesContext(connection) as queries:
            panel.look_up("mara@example.com")
        inserts = [sql for sql in writes(queries) if "INSERT" in sql or "UPDATE" in sql]
        assert len(inserts) == expected
    assert (Member.objects.count(), LastKnown.objects.count()) == (1, 0)


def test_the_row_is_there_before_the_answer_that_names_it(panel: Panel) -> None:
    page = text_of(panel.look_up("mara@example.com"))
    assert f"/members/{Member.objects.get().id}/ask" in page


def test_no_answer_has_an_email_or_a_phone_of_a_member(panel: Panel, mara: Member) -> None:
    pages = [
        text_of(panel.look_up("mara@example.com")),
        text_of(panel.look_up("(415) 555-0123")),
        text_of(panel.get(f"members/{mara.id}")),
        text_of(panel.redeem(panel.act(mara, FIVE_OFF))),
    ]
    for page in pages:
        assert "mara@example.com" not in page
        assert "5550123" not in page.replace("-", "")


# Codes that are open


def test_open_codes_are_listed_with_their_age(
    panel: Panel, mara: Member, later: Callable[[float], None]
) -> None:
    panel.redeem(panel.act(mara, TOTE_BAG))
    later(7 * 60)
    page = page_of(panel, "mara@example.com")
    code = PendingRedemption.objects.get().code
    assert '<ul role="list" aria-label="Pending" class="rows">' in page
    assert f'300 points · <span class="code">{code}</span> · open · 7 min ago' in page


def test_a_code_that_was_undone_is_listed_no_more(panel: Panel, mara: Member) -> None:
    panel.redeem(panel.act(mara, TOTE_BAG))
    redemption = PendingRedemption.objects.get()
    panel.post(f"redemptions/{redemption.id}/undo", {"member": str(mara.id)})
    assert redemption.code not in page_of(panel, "mara@example.com")


def test_another_members_codes_are_not_listed(panel: Panel, mara: Member) -> None:
    panel.redeem(panel.act(mara, TOTE_BAG))
    assert PendingRedemption.objects.get().code not in page_of(panel, "bea@example.com")


def test_codes_made_at_another_till_are_listed(
    panel: Panel, bens_panel: Panel, mara: Member, store: Store
) -> None:
    bens_panel.redeem(bens_panel.act(mara, TOTE_BAG))
    other = Panel(Till.objects.create(store=store, code="2", name="Till 2"), panel.associate)
    assert PendingRedemption.objects.get().code in page_of(other, "mara@example.com")


def test_a_refreshed_screen_replaces_each_part_where_it_stands(panel: Panel, mara: Member) -> None:
    page = text_of(panel.get(f"members/{mara.id}"))
    assert page.count('hx-swap-oob="true"') == 3
    assert '<div id="coupon-slot"></div>' in page  # in the wrapping that is not swapped in


# While the engine is away


@pytest.fixture
def engine_away(
    panel: Panel, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Mara was looked up before."""
    monkeypatch.setattr(last_known, "batch", last_known.Batch())
    panel.look_up("mara@example.com")
    last_known.batch.write()
    return lambda: sandbox.fault("*", "drop_before", times=None) and None


@pytest.mark.database
@pytest.mark.parametrize("query", ["mara@example.com", "(415) 555-0123"], ids=["email", "phone"])
def test_while_the_engine_is_away_the_last_known_figures_are_shown(
    panel: Panel, engine_away: Callable[[], None], query: str
) -> None:
    engine_away()
    answer = panel.look_up(query)
    page = " ".join(text_of(answer).split())
    assert answer.status_code == 200
    assert "These are the last known figures (just now); nothing can be redeemed now." in page
    assert '<span class="number">640</span> points' in page
    assert buttons(answer) == {}


def test_while_the_engine_is_away_a_stranger_is_told_apart_from_nobody(
    panel: Panel, engine_away: Callable[[], None]
) -> None:
    engine_away()
    answer = panel.look_up("bea@example.com")
    assert answer.status_code == 503
    assert "can't be reached" in words(answer)


def test_while_the_engine_is_away_newer_figures_on_the_screen_stay(
    panel: Panel, mara: Member, engine_away: Callable[[], None]
) -> None:
    engine_away()
    answer = panel.get(f"members/{mara.id}")
    assert answer.status_code == 503
    assert "may be old" in words(answer)
    assert "640" not in text_of(answer)


def test_while_the_engine_is_away_nothing_is_redeemed(
    panel: Panel, mara: Member, engine_away: Callable[[], None]
) -> None:
    act = panel.act(mara, FIVE_OFF)
    engine_away()
    answer = panel.redeem(act)
    assert answer.status_code == 503
    assert not PendingRedemption.objects.exists()
