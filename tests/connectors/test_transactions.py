"""Nothing outside is called while a transaction is open."""

from collections.abc import Iterator
from functools import partial

import pytest
from django.db import transaction

from connectors.limits import Limits
from connectors.session import Session
from tests.connectors.raw_server import RawServer


@pytest.fixture
def session(server: RawServer) -> Iterator[Session]:
    session = Session("yotpo", server.url, {}, Limits())
    yield session
    session.close()


def read(session: Session) -> int:
    return session.call("GET", "/customers", deadline=5).status


@pytest.mark.django_db(transaction=True)
def test_a_call_inside_one_is_refused(session: Session, server: RawServer) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match=r"commit first.*on_commit"):
        read(session)
    assert server.connections == 0


@pytest.mark.django_db(transaction=True)
def test_a_call_after_one_goes_through(session: Session) -> None:
    with transaction.atomic():
        pass
    assert read(session) == 200


@pytest.mark.django_db(transaction=True)
def test_a_call_when_one_has_committed_goes_through(session: Session) -> None:
    statuses: list[int] = []
    with transaction.atomic():
        transaction.on_commit(lambda: statuses.append(read(session)))
    assert statuses == [200]


@pytest.mark.django_db
def test_the_one_around_a_test_does_not_count(session: Session) -> None:
    assert read(session) == 200


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [transaction.atomic, partial(transaction.atomic, savepoint=False)])
def test_one_inside_a_test_counts(session: Session, kind: type[transaction.Atomic]) -> None:
    with kind(), pytest.raises(RuntimeError):
        read(session)
