"""The stock of custom codes: what is known of it, and what follows."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from offers.models import HIDDEN_FOR, Pool, Use, hidden
from offers.pools import (
    Empties,
    empties,
    forecast,
    note_none_left,
    note_taken,
    says_no_codes,
    told_low,
    with_pace,
)
from offers.watches import watch_pools

pytestmark = [pytest.mark.django_db, pytest.mark.database]

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _nothing_known():
    empties.forget()
    yield
    empties.forget()


@pytest.fixture
def pool(db):
    return Pool.objects.create(option_id=7, name="Tote", confirmed=1000, low_at=50)


def seen():
    return [(one.kind, one.subject) for one in watch_pools()]


def test_our_own_count_is_what_was_sent_less_what_was_taken(pool):
    for _ in range(3):
        note_taken(7)
    pool.refresh_from_db()
    assert (pool.taken, pool.stock) == (3, 997)
    assert Use.objects.get().count == 3


def test_the_engines_word_counts_from_then_on(pool):
    note_taken(7)
    assert told_low(7, 40, NOW)
    note_taken(7)
    Pool.objects.update(confirmed=1500)
    pool.refresh_from_db()
    assert pool.stock == 40 - 1 + 500


def test_what_is_told_late_or_twice_changes_nothing(pool):
    assert told_low(7, 40, NOW)
    assert not told_low(7, 80, NOW - timedelta(minutes=1))
    assert not told_low(7, 40, NOW)
    pool.refresh_from_db()
    assert pool.told_unused == 40


def test_a_pool_that_nobody_knew_is_known_by_the_engines_word(db):
    told_low(8, 12, None, "Mug")
    assert Pool.objects.get(option_id=8).stock == 12


def test_what_the_engine_tells_ahead_of_our_clock_does_not_stop_later_words(pool):
    told_low(7, 40, NOW + timedelta(days=400))
    assert told_low(7, 30)


CASES = {
    "never filled": ({}, False),
    "full": ({"confirmed": 5}, False),
    "counted out": ({"confirmed": 5, "taken": 5, "ours_alone": True}, True),
    "counted out, others may be there": ({"confirmed": 5, "taken": 5}, False),
    "told none": ({"told_unused": 0, "ours_alone": True}, True),
    "told some": ({"told_unused": 4}, False),
    "told some, all taken since": (
        {"told_unused": 4, "taken": 9, "taken_when_told": 5, "ours_alone": True},
        True,
    ),
    "told none, filled since": (
        {"told_unused": 0, "confirmed": 5, "confirmed_when_told": 2, "ours_alone": True},
        False,
    ),
    "refused": ({"confirmed": 5, "empty_since": NOW}, True),
}


@pytest.mark.parametrize(("facts", "is_empty"), CASES.values(), ids=CASES)
def test_when_a_pool_is_empty_here_and_in_the_database(facts, is_empty):
    pool = Pool.objects.create(option_id=7, name="Tote", **facts)
    assert pool.is_empty is is_empty
    assert Pool.objects.filter(hidden()).exists() is is_empty


def test_what_only_a_refusal_says_is_tried_again_after_an_hour(pool):
    note_none_left(7, "Tote")
    Pool.objects.update(empty_since=NOW - HIDDEN_FOR - timedelta(seconds=1))
    assert not Pool.objects.filter(hidden()).exists()
    assert Pool.objects.get().is_empty  # and the alert stays


def test_alerts_of_pools(pool):
    assert seen() == []
    told_low(7, 50)
    assert seen() == [("pool.low", "7")]
    note_none_left(7, "Tote")
    assert seen() == [("pool.empty", "7")]
    note_taken(7)  # it gave one after all
    assert seen() == [("pool.low", "7")]


FORECASTS = [
    (100, 28, 56, "about 50 days at the pace of the last four weeks"),
    (100, 400, 56, "about 50 days at the pace of the last four weeks"),
    (2, 28, 56, "about 1 day at the pace of the last four weeks"),
    (100, 14, 28, "about 50 days at the pace of the last 14 days"),
    (9_999, 28, 5, "more than a year at the pace of the last four weeks"),
    (100, 28, 4, "not enough use to say"),
    (100, 6, 60, "not enough use to say"),
    (0, 28, 56, "empty"),
]


@pytest.mark.parametrize(("stock", "age", "taken", "words"), FORECASTS)
def test_when_it_will_be_empty(stock, age, taken, words):
    pool = Pool(
        ours_alone=True,
        confirmed=stock + 60,
        taken=60,
        created_at=NOW - timedelta(days=age, hours=1),
    )
    assert forecast(pool, taken) == words


def test_only_the_last_four_weeks_are_its_pace(pool):
    for days, count in ((0, 1), (27, 2), (28, 4)):
        Use.objects.create(pool=pool, day=(NOW - timedelta(days=days)).date(), count=count)
    assert with_pace(Pool.objects.all()).get().lately == 3


@pytest.mark.parametrize(
    ("words", "says_so"),
    [
        ("There are no coupon codes left for this reward", True),
        ("Coupon codes have run out", True),
        ("Customer not found", False),
    ],
)
def test_words_for_an_empty_pool(words, says_so):
    assert says_no_codes(words) is says_so


class TestEmpties:
    def test_they_are_read_aside_and_not_at_each_look_up(self, pool, settings):
        settings.EMPTY_POOLS_SECONDS = 60.0
        asked = []
        known = Empties(asked.append)
        with CaptureQueriesContext(connection) as queries:
            assert known.known() == known.known() == frozenset()
        assert len(queries) == 0
        assert len(asked) == 1
        Pool.objects.update(empty_since=NOW)
        asked[0]()
        assert known.known() == {7}

    def test_what_this_process_learns_counts_at_once(self, pool, settings, monkeypatch):
        settings.EMPTY_POOLS_SECONDS = 60.0
        monkeypatch.setattr(empties, "_aside", lambda _reading: None)
        note_none_left(7, "Tote")
        assert empties.known() == {7}
        told_low(7, 5)
        assert empties.known() == frozenset()


@pytest.mark.django_db(transaction=True)
def test_many_tills_take_codes_at_once(pool):
    def take(_number):
        try:
            with transaction.atomic():
                note_taken(7)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as tills:
        list(tills.map(take, range(12)))

    pool.refresh_from_db()
    assert (pool.taken, Use.objects.get().count) == (12, 12)
