"""Who the engine says it is. The people are the sandbox's seeded ones."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.errors import NotFound, Unavailable
from connectors.yotpo.client import Yotpo
from connectors.yotpo.payloads import Customer, TierActions, TierRequirements
from members.identity import Email, Phone
from members.lookup import (
    Expiring,
    FoundMember,
    TierView,
    expiring_of,
    find_member,
    read_member,
    tier_of,
)
from members.models import Member
from sandbox.control import Sandbox

pytestmark = pytest.mark.django_db


def by_email(engine: Yotpo, name: str) -> FoundMember:
    return find_member(engine, Email(f"{name}@example.com"))


def in_days(days: int) -> date:
    return (datetime.now(UTC) + timedelta(days=days)).date()


def test_an_email_finds_who_has_it(engine: Yotpo) -> None:
    mara = by_email(engine, "mara")
    assert (mara.name, mara.points_balance, mara.opted_in) == ("Mara Quill", 640, True)
    assert mara.id == Member.objects.seen("mara@example.com").id


def test_a_phone_finds_who_has_it(engine: Yotpo) -> None:
    assert find_member(engine, Phone("+14155550123")).name == "Mara Quill"


def test_a_family_phone_finds_one_person_and_their_own_email(engine: Yotpo) -> None:
    june = find_member(engine, Phone("+19195550111"))
    assert (june.name, june.email) == ("June Carter", "june.carter@example.com")
    assert june.id == Member.objects.seen("june.carter@example.com").id


def test_the_engines_email_is_kept_and_not_what_was_typed(engine: Yotpo) -> None:
    found = find_member(engine, Email("MARA@Example.com"))
    assert found.email == Member.objects.get().email == "mara@example.com"


def test_the_figures_tell_how_old_they_are(engine: Yotpo) -> None:
    asked_at = datetime.now(UTC)
    assert asked_at <= by_email(engine, "mara").as_of <= datetime.now(UTC)


def test_a_tier_tells_how_far_the_next_one_is(engine: Yotpo) -> None:
    assert by_email(engine, "mara").tier == TierView("Silver", 660, 73)


def test_the_highest_tier_has_no_next_one(engine: Yotpo) -> None:
    assert by_email(engine, "petra").tier == TierView("Platinum", None, None)


def test_there_are_members_without_a_tier(engine: Yotpo) -> None:
    assert by_email(engine, "zed").tier is None


def test_points_that_expire_have_their_day(engine: Yotpo) -> None:
    assert by_email(engine, "ella").expiring == Expiring(450, in_days(6))


def test_there_are_points_that_do_not_expire(engine: Yotpo) -> None:
    assert by_email(engine, "bo").expiring is None


def test_a_balance_below_zero_leaves_nothing_to_spend(engine: Yotpo) -> None:
    nell = by_email(engine, "nell")
    assert (nell.points_balance, nell.points_available) == (-85, 0)


def test_a_balance_above_zero_can_be_spent(engine: Yotpo) -> None:
    assert by_email(engine, "mara").points_available == 640


def test_who_left_the_programme_can_be_looked_at_and_not_redeemed_for(engine: Yotpo) -> None:
    otto = by_email(engine, "otto")
    assert (otto.points_balance, otto.why_not) == (700, "opted_out")
    assert otto.tier is None


def test_who_has_no_email_can_be_looked_at_and_not_redeemed_for(engine: Yotpo) -> None:
    phil = find_member(engine, Phone("+14045550112"))
    assert (phil.name, phil.points_balance) == ("Phil Mailless", 1_150)
    assert (phil.id, phil.email, phil.why_not) == (None, None, "no_email")
    assert not Member.objects.exists()


def test_nothing_is_in_the_way_of_other_members(engine: Yotpo) -> None:
    assert by_email(engine, "mara").why_not == ""


@pytest.mark.parametrize(("opted_in", "why_not"), [(True, ""), (None, ""), (False, "opted_out")])
def test_only_a_clear_no_to_the_programme_is_in_the_way(
    opted_in: bool | None, why_not: str
) -> None:
    someone = replace(person("Ada", None), id=uuid.uuid4(), opted_in=opted_in)
    assert someone.why_not == why_not


NAMES = {
    "one word": ("cher", "Cosima"),
    "right to left": ("layla", "ليلى الحداد"),
    "non-Latin": ("yuki", "由紀 田中"),
    "an apostrophe": ("siobhan", "Siobhán O'Dea"),
    "markup": ("tom", 'Tom & "Jerry" <b>'),
}


@pytest.mark.parametrize(("local", "name"), NAMES.values(), ids=NAMES.keys())
def test_a_name_is_as_the_engine_has_it(engine: Yotpo, local: str, name: str) -> None:
    assert by_email(engine, local).name == name


def test_who_is_unknown_is_not_found_and_not_kept(engine: Yotpo) -> None:
    with pytest.raises(NotFound):
        find_member(engine, Email("nobody@example.com"))
    assert not Member.objects.exists()


def test_an_engine_that_is_down_is_unavailable_and_nobody_is_kept(
    engine: Yotpo, sandbox: Sandbox
) -> None:
    sandbox.fault("GET /customers", "drop_before", times=None)
    with pytest.raises(Unavailable):
        find_member(engine, Email("mara@example.com"))
    assert not Member.objects.exists()


def test_a_known_member_is_read_by_the_email_we_keep(engine: Yotpo, mara: Member) -> None:
    assert read_member(engine, mara).id == mara.id


def test_looking_up_a_known_member_writes_nothing(
    engine: Yotpo, mara: Member, django_assert_num_queries
) -> None:
    with django_assert_num_queries(1) as queries:
        find_member(engine, Email(mara.email))
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


# What the engine tells of tiers, and what the screen says.
TIERS = {
    "no tier": (Customer(0), None),
    "a tier alone": (Customer(0, tier_name="Gold"), TierView("Gold", None, None)),
    "nothing missing": (
        Customer(0, tier_name="Gold", tier_requirements=TierRequirements(points_needed=0)),
        TierView("Gold", None, None),
    ),
    "less than nothing missing": (
        Customer(0, tier_name="Gold", tier_requirements=TierRequirements(points_needed=-5)),
        TierView("Gold", None, None),
    ),
    "counted by purchases": (
        Customer(0, tier_name="Gold", tier_requirements=TierRequirements(purchases_needed=2)),
        TierView("Gold", None, None),
    ),
    "missing, and what was earned is not told": (
        Customer(0, tier_name="Gold", tier_requirements=TierRequirements(points_needed=10)),
        TierView("Gold", 10, None),
    ),
    "missing, and nothing was earned": (
        Customer(
            0,
            tier_name="Gold",
            tier_requirements=TierRequirements(points_needed=10),
            tier_actions=TierActions(points_earned=0),
        ),
        TierView("Gold", 10, 0),
    ),
    "missing, and more was taken back than earned": (
        Customer(
            0,
            tier_name="Gold",
            tier_requirements=TierRequirements(points_needed=10),
            tier_actions=TierActions(points_earned=-20),
        ),
        TierView("Gold", 10, 0),
    ),
    "nearly there": (
        Customer(
            0,
            tier_name="Gold",
            tier_requirements=TierRequirements(points_needed=1),
            tier_actions=TierActions(points_earned=999),
        ),
        TierView("Gold", 1, 99),
    ),
}


@pytest.mark.parametrize(("customer", "view"), TIERS.values(), ids=TIERS.keys())
def test_progress_is_shown_where_the_engine_tells_it(
    customer: Customer, view: TierView | None
) -> None:
    assert tier_of(customer) == view


DAY = date(2027, 3, 1)
EXPIRIES = {
    "points and day": (Customer(9, expiring_points=5, expiring_on=DAY), Expiring(5, DAY)),
    "points alone": (Customer(9, expiring_points=5), Expiring(5, None)),
    "day alone": (Customer(9, expiring_on=DAY), None),
    "no points": (Customer(9, expiring_points=0, expiring_on=DAY), None),
    "fewer than none": (Customer(9, expiring_points=-5, expiring_on=DAY), None),
}


@pytest.mark.parametrize(("customer", "expiring"), EXPIRIES.values(), ids=EXPIRIES.keys())
def test_expiring_points_are_shown_where_there_are_some(
    customer: Customer, expiring: Expiring | None
) -> None:
    assert expiring_of(customer) == expiring


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("Ada", "Lovelace", "Ada Lovelace"),
        ("Ada", None, "Ada"),
        (None, "Love", "Love"),
        ("", "", ""),
    ],
    ids=["both", "first", "last", "none"],
)
def test_a_name_is_made_of_what_there_is(first: str | None, last: str | None, name: str) -> None:
    assert person(first, last).name == name


def person(first: str | None, last: str | None) -> FoundMember:
    return FoundMember(
        id=None,
        email=None,
        phone=None,
        first_name=first,
        last_name=last,
        points_balance=0,
        tier=None,
        expiring=None,
        opted_in=None,
        as_of=datetime.now(UTC),
    )
