"""Stores, tills and associates are made when a POS names them; what is disabled is refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from stores.models import Associate, Installation, Store, Till
from stores.places import Disabled, Place, place_of

pytestmark = pytest.mark.django_db


def counts() -> tuple[int, int, int]:
    return Store.objects.count(), Till.objects.count(), Associate.objects.count()


@pytest.mark.database
def test_who_is_named_first_is_made(installation: Installation) -> None:
    place = place_of(installation, "rome", "3", "ida")
    assert place == Place(Store.objects.get(), Till.objects.get(), Associate.objects.get())
    assert (place.store.code, place.store.name, place.store.installation_id) == ("rome",) * 2 + (
        "shop",
    )
    assert (place.till.code, place.till.name, place.till.store) == ("3", "3", place.store)
    assert (place.associate.code, place.associate.name) == ("ida", "ida")
    assert place.associate.role == Associate.Role.ASSOCIATE


@pytest.mark.database
def test_who_is_known_is_only_read(
    installation: Installation, till: Till, ana: Associate, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3) as asked:
        place = place_of(installation, "boston", "1", "ana")
    assert place == Place(till.store, till, ana)
    assert {query["sql"][:6] for query in asked} == {"SELECT"}


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_named_is_nowhere(
    installation: Installation, nothing: str | None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert place_of(installation, nothing, nothing, nothing) == Place(None, None, None)


def test_an_associate_alone_needs_no_store(installation: Installation, ana: Associate) -> None:
    assert place_of(installation, associate="ana") == Place(None, None, ana)


def test_the_same_codes_elsewhere_are_others(installation: Installation, till: Till) -> None:
    elsewhere = Installation.objects.create(id="elsewhere", name="Elsewhere")
    there = place_of(elsewhere, "boston", "1", "ana")
    here = place_of(installation, "boston", "1", "ana")
    assert {there.store, here.store, there.associate, here.associate} == {
        *Store.objects.all(),
        *Associate.objects.all(),
    }
    assert here.till == till != there.till


# A till that is named without its store


@pytest.mark.database
def test_a_till_alone_stands_in_the_only_store(installation: Installation, store: Store) -> None:
    assert place_of(installation, till="9").till.store == store
    assert counts() == (1, 1, 0)


@pytest.mark.database
@pytest.mark.parametrize("known", [0, 2])
def test_where_that_is_unclear_it_stands_in_the_default_store(
    installation: Installation, known: int
) -> None:
    for number in range(known):
        place_of(installation, str(number), "9")
    first, again = place_of(installation, till="9"), place_of(installation, till="9")
    assert first.store.code == "default"
    assert first == again
    assert counts() == (known + 1, known + 1, 0)


# Disabled


DISABLED: dict[str, tuple[str, dict[str, str]]] = {
    "a store": ("store", {"store": "boston"}),
    "the only store": ("store", {"till": "1"}),
    "a till": ("till", {"store": "boston", "till": "1"}),
    "an associate": ("ana", {"associate": "ana"}),
}


@pytest.mark.parametrize(("row", "named"), DISABLED.values(), ids=DISABLED.keys())
def test_what_is_disabled_is_refused_in_words(
    installation: Installation,
    till: Till,
    ana: Associate,
    row: str,
    named: dict[str, str],
    request: pytest.FixtureRequest,
) -> None:
    disabled = request.getfixturevalue(row)
    assert place_of(installation, **named)
    disabled.is_active = False
    disabled.save()
    said = rf"The \w+ '{disabled.code}' is disabled. .* ask a manager"
    with pytest.raises(Disabled, match=said):
        place_of(installation, **named)
    assert counts() == (1, 1, 1)


# What is no code


BAD = ["a b", "é", "x" * 65, "a/b", "1\n", "\0"]
PARTS: list[Callable[[str], dict[str, str]]] = [
    lambda code: {"store": code},
    lambda code: {"store": "boston", "till": code},
    lambda code: {"associate": code},
]


@pytest.mark.parametrize("code", BAD)
@pytest.mark.parametrize("named", PARTS, ids=["store", "till", "associate"])
def test_what_is_no_code_makes_nothing(
    installation: Installation, store: Store, code: str, named: Callable[[str], dict[str, str]]
) -> None:
    with pytest.raises(ValidationError, match="Use 1 to 64 letters"):
        place_of(installation, **named(code))
    assert counts() == (1, 0, 0)


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("store", ["rome", None], ids=["with its store", "till alone"])
def test_many_who_name_the_same_at_once_get_the_same(store: str | None) -> None:
    installation = Installation.objects.create(id="shop", name="Quill & Thread")
    start = Barrier(6, timeout=20)

    def come(_number: int) -> Place:
        start.wait()
        try:
            return place_of(installation, store, "1", "ida")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as tills:
        places = set(tills.map(come, range(6)))
    assert len(places) == 1
    assert counts() == (1, 1, 1)
