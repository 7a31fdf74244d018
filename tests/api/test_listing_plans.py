"""The list of redemptions comes from an index, however many there are, on both databases."""

from collections.abc import Callable

import pytest
from django.db import connection

from api.redemptions import newest_first
from api.schemas import Redemptions
from redemptions.models import PendingRedemption, PendingRedemptionQuerySet
from redemptions.states import State
from stores.models import Installation

pytestmark = [pytest.mark.django_db, pytest.mark.database]

SORTED = ("Sort", "TEMP B-TREE")
NEWEST, OF_A_TICKET = "redemptions_newest_first", "redemptions_of_a_ticket"


def plan_of(rows: PendingRedemptionQuerySet) -> str:
    """PostgreSQL reads so few rows all at once, and sorts them, unless told not to.

    Where no index has the order it sorts all the same.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    return rows[:51].explain()


@pytest.fixture
def last(row: Callable[..., PendingRedemption]) -> PendingRedemption:
    return row(State.USED)


@pytest.mark.parametrize("asked", [{}, {"state": State.USED}], ids=str)
@pytest.mark.parametrize("page", ["first", "next"])
def test_pages_come_in_the_indexs_order(
    installation: Installation, last: PendingRedemption, asked: dict[str, str], page: str
) -> None:
    after = last if page == "next" else None
    plan = plan_of(newest_first(installation, Redemptions(**asked), after))
    assert NEWEST in plan
    assert not any(word in plan for word in SORTED), plan


ENTERED = {
    "sqlite": "(installation_id=? AND requested_at<?)",
    "postgresql": "(requested_at <= $",
}


def test_the_next_page_begins_where_the_last_one_ended(
    installation: Installation, last: PendingRedemption
) -> None:
    plan = plan_of(newest_first(installation, Redemptions(), last))
    [condition] = [line for line in plan.splitlines() if "installation_id" in line]
    assert ENTERED[connection.vendor] in condition


def test_one_tickets_are_found_at_once(installation: Installation, last: PendingRedemption) -> None:
    plan = plan_of(newest_first(installation, Redemptions(ticket="T-1"), last))
    assert OF_A_TICKET in plan
    assert not any(word in plan for word in SORTED), plan
