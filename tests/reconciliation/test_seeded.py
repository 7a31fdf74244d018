"""Differences that were sown are all found, with their cause, in one run, and none is invented."""

from collections import Counter, defaultdict

import pytest

from reconciliation.job import run_once
from reconciliation.kinds import State
from reconciliation.models import Difference, Reading, Run
from tests.reconciliation.shop import DIFFERENT, lives, settle

pytestmark = pytest.mark.django_db(transaction=True)


def check(sandbox, installation, engine, each: int, members: int) -> Run:
    engine.limits._rate = 1e6  # the sandbox's own limit is off
    all_lives = lives(each, members)
    settle(sandbox, installation, all_lives)
    run = run_once(engine)
    found = defaultdict(set)
    for email, kind in Difference.objects.values_list("member__email", "kind"):
        found[email].add(kind)
    wrong = [
        (life.number, set(life.expected), found[life.email])
        for life in all_lives
        if found[life.email] != life.expected
    ]
    assert not wrong, f"{len(wrong)} of {members} (number, sown, found), first: {wrong[:20]}"
    assert run.members_read == Reading.objects.count() == members
    return run


def test_a_slice_of_them(sandbox, installation, engine):
    run = check(sandbox, installation, engine, each=3, members=120)
    assert run.found == 3 * len(DIFFERENT)
    assert run.calls_per_member < 2
    explained = Difference.objects.filter(state=State.EXPLAINED)
    assert set(explained.values_list("kind", flat=True)) == {"online_act"}


@pytest.mark.slow
@pytest.mark.storm
def test_a_hundred_of_each_among_ten_thousand(sandbox, installation, engine, capsys):
    """`make reconcile-check`."""
    run = check(sandbox, installation, engine, each=100, members=10_000)
    seconds = (run.ended_at - run.started_at).total_seconds()
    with capsys.disabled():
        print(  # noqa: T201 - what it is run for
            f"\n{run.members_read} members, {run.calls} calls "
            f"({run.calls_per_member:.3f} a member), {seconds:.0f} s\n"
            f"{dict(Counter(Difference.objects.values_list('kind', flat=True)))}"
        )
