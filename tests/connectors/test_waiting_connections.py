"""A thread that waits outside holds no pooled database connection, and odd text breaks nothing."""

from types import SimpleNamespace

import pytest

from connectors import session
from connectors.fields import as_text


class Connections:
    def __init__(self, **facts: object) -> None:
        self.closed = 0
        self.connection = SimpleNamespace(close=self.close, **facts)

    def close(self) -> None:
        self.closed += 1

    def all(self, *, initialized_only: bool) -> list[SimpleNamespace]:
        assert initialized_only
        return [self.connection]


POOLED = {"OPTIONS": {"pool": {"max_size": 20}}}
HOLDING = {
    "pooled": (POOLED, False, 1),
    "pooled, in a transaction": (POOLED, True, 0),
    "not pooled": ({"OPTIONS": {}}, False, 0),
}


@pytest.mark.parametrize(("facts", "in_block", "closed"), HOLDING.values(), ids=HOLDING)
def test_only_a_pooled_connection_is_given_back(monkeypatch, facts, in_block, closed):
    known = Connections(settings_dict=facts, in_atomic_block=in_block)
    monkeypatch.setattr(session, "connections", known)

    session.give_back_pooled_connections()

    assert known.closed == closed


ODD = {"half an emoji": ("Mara \ud83d", "Mara ?"), "NUL": ("Ma\x00ra", "Mara")}


@pytest.mark.parametrize(("text", "kept"), ODD.values(), ids=ODD)
def test_text_that_no_page_can_hold_is_mended(text, kept):
    assert as_text(text) == kept
