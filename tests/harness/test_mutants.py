"""The slice can fail: a rule that is taken out is missed. All of them: `make mutants`."""

import pytest

from tests.harness.mutants import MUTANTS, SLICE, Mutant, try_out
from tests.harness.scripts import PLAYS

# Killed soonest, for nothing in it has to be waited for.
CHEAPEST = "used without a condition"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_its_text_is_found_once(mutant: Mutant) -> None:
    assert not mutant.is_stale(), f"Write {mutant.name!r} anew in tests/harness/mutants.py."
    assert mutant.script in PLAYS


@pytest.mark.slow
def test_one_of_them_is_killed() -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == CHEAPEST)
    verdict = try_out(mutant, [SLICE, "-k", f"rule and {mutant.script}"])
    assert mutant.script in verdict.killed_by
