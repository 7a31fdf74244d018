"""The import contracts in pyproject.toml forget no room."""

import tomllib

import pytest

from tests.ground.checkout import ROOT, rooms

with (ROOT / "pyproject.toml").open("rb") as pyproject:
    TOOLS = tomllib.load(pyproject)["tool"]
CONTRACTS = {contract["id"]: contract for contract in TOOLS["importlinter"]["contracts"]}


def test_every_room_is_looked_at():
    assert set(TOOLS["importlinter"]["root_packages"]) == rooms()


@pytest.mark.parametrize("room", sorted(rooms() - {"sandbox", "bench"}))
def test_no_room_may_import_the_sandbox_or_the_benchmarks(room):
    assert room in CONTRACTS["apart"]["source_modules"]


@pytest.mark.parametrize("room", sorted(rooms() - {"sandbox", "bench", "connectors"}))
def test_connectors_may_import_no_room(room):
    assert room in CONTRACTS["connectors-alone"]["forbidden_modules"]
