"""A member's row is written at first sight, and only read ever after."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from members.models import Member, MemberQuerySet

ADDRESS = "ada@example.com"


def writes(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if not query["sql"].startswith("SELECT")]


def test_the_first_sight_writes_one_row(db: None) -> None:
    member = Member.objects.seen(ADDRESS)
    assert Member.objects.get() == member
    assert member.email == ADDRESS


def test_the_second_sight_reads_once_and_writes_nothing(db: None) -> None:
    first = Member.objects.seen(ADDRESS)
    with CaptureQueriesContext(connection) as queries:
        second = Member.objects.seen(ADDRESS)
    assert second == first
    assert len(queries) == 1
    assert writes(queries) == []


@pytest.mark.parametrize(
    "typed", ["ADA@example.com", " ada@example.com ", "Ada@Example.Com"], ids=["caps", "sp", "mix"]
)
def test_spaces_and_capitals_make_nobody_else(db: None, typed: str) -> None:
    first = Member.objects.seen(typed)
    assert Member.objects.seen(ADDRESS) == first
    assert Member.objects.seen(typed) == first


@pytest.mark.parametrize("other", ["a.da@example.com", "ada+1@example.com"], ids=["dot", "plus"])
def test_a_look_alike_is_somebody_else(db: None, other: str) -> None:
    assert Member.objects.seen(ADDRESS) != Member.objects.seen(other)


def test_the_email_is_kept_as_the_engine_has_it(db: None) -> None:
    assert Member.objects.seen(" Ada@example.com ").email == "Ada@example.com"


def test_an_email_nobody_has_finds_nobody(db: None) -> None:
    Member.objects.seen(ADDRESS)
    assert Member.objects.with_email("ida@example.com") is None


def test_a_member_is_shown_without_a_name_or_an_email(db: None) -> None:
    member = Member.objects.seen(ADDRESS)
    assert str(member) == f"Member {str(member.id)[:8]}"


@pytest.mark.database
def test_the_database_keeps_one_row_of_an_email(db: None) -> None:
    member = Member.objects.seen(ADDRESS)
    Member.objects.create(email="ida@example.com", email_index="another index")
    with pytest.raises(IntegrityError), transaction.atomic():
        Member.objects.create(email=ADDRESS, email_index=member.email_index)
    assert Member.objects.count() == 2


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    both_looked = threading.Barrier(2, timeout=20)
    with_email = MemberQuerySet.with_email

    def look_and_wait(self: MemberQuerySet, address: str) -> Member | None:
        found = with_email(self, address)
        both_looked.wait()
        return found

    def see(_number: int) -> Member:
        try:
            return Member.objects.seen(ADDRESS)
        finally:
            connection.close()

    monkeypatch.setattr(MemberQuerySet, "with_email", look_and_wait)
    with ThreadPoolExecutor(2) as till:
        one, other = till.map(see, range(2))
    assert one == other
    assert Member.objects.count() == 1
