"""Start-up refuses what would only be found out by a delivery that goes nowhere."""

import pytest
from django.core.checks import run_checks

from outbox.routes import Route, routes
from tests.outbox import other_side

ROUTE = Route(call=print, system="yotpo")


def errors() -> list[str]:
    return [error.id for error in run_checks() if error.id.startswith("outbox.")]


def test_the_settings_lead_somewhere():
    assert errors() == []
    assert all(isinstance(route, Route) for route in routes().values())


def test_routes_that_are_not_there_are_told(settings):
    settings.DELIVERY_ROUTES = "loyalty_panel.routes.NOWHERE"
    assert errors() == ["outbox.E001"]


@pytest.mark.parametrize(
    ("route", "found"),
    [
        (ROUTE, []),
        (print, ["outbox.E002"]),
        (Route(call=print, system="nobody"), ["outbox.E004"]),
    ],
)
def test_a_route_that_leads_nowhere_is_told(settings, monkeypatch, route, found):
    settings.DELIVERY_ROUTES = "tests.outbox.other_side.DELIVERIES"
    monkeypatch.setattr(other_side, "DELIVERIES", {"order": route})
    assert errors() == found


@pytest.mark.parametrize(
    "jobs", [{"loyalty_panel.jobs.nothing": 5.0}, {"loyalty_panel.jobs.settle": 0.5}]
)
def test_a_periodic_job_that_can_not_be_run_is_told(settings, jobs):
    settings.PERIODIC_JOBS = jobs
    assert errors() == ["outbox.E003"]
