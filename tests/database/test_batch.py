"""What gathers in memory is written in one go, by itself, and never twice."""

from collections.abc import Mapping
from threading import Event, Thread

import pytest
from django.db import DatabaseError

from database.batch import Batch
from tests.support.waiting import until


class Ages(Batch[str, int]):
    lost = "ages.batch_lost"

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__()
        self.seconds = seconds
        self.saved: list[dict[str, int]] = []
        self.has_saved = Event()

    def every_seconds(self) -> float | None:
        return self.seconds

    def save(self, noted: Mapping[str, int]) -> None:
        self.saved.append(dict(noted))
        self.has_saved.set()


class Unlucky(Ages):
    def save(self, noted: Mapping[str, int]) -> None:
        super().save(noted)
        raise DatabaseError("full")


def test_the_last_value_of_a_key_counts() -> None:
    ages = Ages()
    for name, age in [("ana", 1), ("ben", 2), ("ana", 3)]:
        ages.put(name, age)
    assert ages.saved == []
    assert ages.write() == 2
    assert ages.saved == [{"ana": 3, "ben": 2}]


def test_what_was_written_is_not_written_again() -> None:
    ages = Ages()
    ages.put("ana", 1)
    ages.write()
    ages.put("ben", 2)
    ages.write()
    assert ages.saved == [{"ana": 1}, {"ben": 2}]


@pytest.mark.django_db(transaction=True)
def test_it_is_written_by_itself_one_batch_after_the_other() -> None:
    ages = Ages(seconds=0.01)
    for age in (1, 2):
        ages.put("ana", age)
        assert ages.has_saved.wait(20)
        ages.has_saved.clear()
    assert ages.saved == [{"ana": 1}, {"ana": 2}]


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_the_database_refuses_is_told_and_the_next_one_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ages = Unlucky(seconds=0.01)
    for age in (1, 2):
        ages.put("ana", age)
        assert ages.has_saved.wait(20)
        ages.has_saved.clear()
    assert ages.saved == [{"ana": 1}, {"ana": 2}]
    until(lambda: caplog.text.count("ages.batch_lost") >= 2, "both losses are told")


def test_no_value_of_many_threads_is_lost() -> None:
    ages = Ages()

    def put(first: int) -> None:
        for number in range(first, first + 500):
            ages.put(str(number), number)
            if number % 100 == 0:
                ages.write()

    threads = [Thread(target=put, args=(start,)) for start in range(0, 2000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ages.write()
    assert sorted(number for batch in ages.saved for number in batch.values()) == list(range(2000))
