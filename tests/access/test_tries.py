"""Wrong tries are counted before anything is compared, and by the database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from access import tries
from access.models import Tries
from access.tries import OF_A_PERSON, MustWait, Rule

ANA = "associate:1"


def take() -> None:
    tries.take(ANA, "Ana", OF_A_PERSON)


def later(span: timedelta) -> None:
    """So much time goes by."""
    Tries.objects.update(wait_until=F("wait_until") - span, last_at=F("last_at") - span)


def taken_of(number: int) -> int:
    done = 0
    for _ in range(number):
        try:
            take()
        except MustWait:
            continue
        done += 1
    return done


@pytest.mark.parametrize(
    ("wrong", "seconds"),
    [(4, None), (5, 5), (6, 10), (7, 20), (8, 40), (9, 80), (10, 1800), (11, 1800)],
)
def test_delays_grow_from_the_fifth_wrong_one_and_the_tenth_locks(wrong, seconds):
    span = OF_A_PERSON.wait_after(wrong)

    assert (span and span.total_seconds()) == seconds


@pytest.mark.database
@pytest.mark.django_db
def test_the_fifth_in_a_row_makes_one_wait():
    assert taken_of(9) == 5

    with pytest.raises(MustWait, match="Wait 5 seconds") as refused:
        take()
    assert 1 <= refused.value.seconds <= 5


@pytest.mark.database
@pytest.mark.django_db
def test_ten_lock_for_half_an_hour_and_then_one_goes_on_slowly():
    for _ in range(10):
        take()
        later(timedelta(seconds=81))
    Tries.objects.update(wait_until=Now() + timedelta(minutes=30))
    with pytest.raises(MustWait, match="30 minutes"):
        take()

    later(timedelta(minutes=31))
    take()

    assert Tries.objects.get().wrong == 6
    with pytest.raises(MustWait, match="10 seconds"):
        take()


@pytest.mark.django_db
def test_one_that_is_right_begins_anew():
    taken_of(4)
    tries.was_right(ANA)

    assert taken_of(9) == 5


@pytest.mark.django_db
def test_what_many_share_forgives_one_wrong_one_for_each_right_one():
    taken_of(4)
    tries.forgive(ANA)

    assert Tries.objects.get().wrong == 2


@pytest.mark.django_db
def test_after_a_day_it_is_forgotten():
    taken_of(9)
    later(timedelta(days=1, seconds=1))

    assert taken_of(9) == 5


@pytest.mark.django_db
def test_what_is_forgotten_is_cleared_away():
    taken_of(5)
    assert tries.prune() == 0
    later(timedelta(days=2, seconds=1))

    assert tries.prune() == 1


@pytest.mark.django_db
def test_a_manager_unlocks():
    taken_of(9)

    assert tries.unlock(ANA) is True
    assert tries.unlock(ANA) is False
    assert taken_of(1) == 1


def test_a_till_may_be_wrong_twice_as_often_as_a_person():
    assert Rule(OF_A_PERSON.slow * 2, OF_A_PERSON.lock * 2) == tries.OF_A_TILL


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_many_at_once_count_as_many_and_no_more_get_through():
    def one(_number: int) -> int:
        try:
            return taken_of(1)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        through = sum(pool.map(one, range(40)))

    assert through == 5
    assert Tries.objects.get().wrong == 5
