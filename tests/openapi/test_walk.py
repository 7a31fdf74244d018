"""A slice of `make harness-api` with a fixed seed: what the API answers is what it describes."""

import json

import pytest

from tests.harness.shop import Shop
from tests.openapi.mangled import CONTENT_TYPE, PROBLEM, Mangler
from tests.openapi.report import Report
from tests.openapi.walk import Walk

pytestmark = pytest.mark.slow

SEED = 20261123
CALLS = 200
# Of the problems that calls answer, so many kinds at least are met on the way.
KINDS = 8


@pytest.fixture(scope="module")
def walk(shop: Shop) -> Walk:
    return Walk(shop, SEED)


@pytest.fixture(scope="module")
def report(walk: Walk) -> Report:
    return walk.go(CALLS)


def test_every_answer_is_as_it_is_described(report: Report) -> None:
    assert not report.findings, str(report)


def test_calls_follow_each_other(report: Report) -> None:
    """What this is about did happen: redemptions were found again by their ids."""
    for call in (
        "GET /api/v1/members/{member_id}/offers 200",
        "GET /api/v1/redemptions/{redemption_id} 200",
        "POST /api/v1/sales 201",
    ):
        assert report.answers[call], str(report)
    assert len(report.kinds) >= KINDS, str(report)


def test_a_status_that_is_not_described_is_found(walk: Walk, report: Report) -> None:
    """The walk itself: by a description without a 404."""
    description = walk.description()
    for methods in description["paths"].values():
        for call in methods.values():
            call["responses"].pop("404", None)
    walk.report = Report()
    walk.each_alone(walk.schema_of(description), walk.keys[0])
    assert any("UndefinedStatusCode" in found for found in walk.report.findings)


@pytest.mark.parametrize(
    ("status", "content_type", "kind"),
    [
        (500, CONTENT_TYPE, "internal"),
        (409, CONTENT_TYPE, "member-not-found"),
        (404, CONTENT_TYPE, "never-heard-of"),
        (404, "text/html", "member-not-found"),
    ],
)
def test_a_bad_answer_to_mangled_bytes_is_found(
    walk: Walk, status: int, content_type: str, kind: str
) -> None:
    mangler = Mangler(walk.url, walk.description(), walk.chance, Report())
    told = json.dumps({"type": f"{PROBLEM}{kind}"}).encode()
    assert mangler.wrong_with(status, content_type, told)
    good = json.dumps({"type": f"{PROBLEM}member-not-found"}).encode()
    assert not mangler.wrong_with(404, CONTENT_TYPE, good)
