"""Who embeds the panel, and where it stands."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from stores.models import Associate, Installation, Store, Till

pytestmark = pytest.mark.django_db

Make = Callable[[Any, str], models.Model]


def new_store(place: Any, code: str) -> Store:
    return Store.objects.create(installation=place, code=code, name="A store")


def new_till(place: Any, code: str) -> Till:
    return Till.objects.create(store=place, code=code, name="A till")


def new_associate(place: Any, code: str) -> Associate:
    return Associate.objects.create(installation=place, code=code, name="A person")


@pytest.fixture
def elsewhere() -> Installation:
    return Installation.objects.create(id="elsewhere", name="Elsewhere")


@pytest.fixture
def places(installation: Installation, elsewhere: Installation, store: Store) -> dict[str, Any]:
    """Where a thing may stand, and another such place."""
    other_store = new_store(installation, "other")
    return {"installation": (installation, elsewhere), "store": (store, other_store)}


# constraint -> what it is about, and where that stands.
UNIQUE: dict[str, tuple[Make, str]] = {
    "an_installation_has_one_store_of_a_code": (new_store, "installation"),
    "a_store_has_one_till_of_a_code": (new_till, "store"),
    "an_installation_has_one_associate_of_a_code": (new_associate, "installation"),
}


@pytest.mark.database
@pytest.mark.parametrize(("make", "where"), UNIQUE.values(), ids=UNIQUE.keys())
def test_another_code_or_another_place_is_let_in(
    places: dict[str, Any], make: Make, where: str
) -> None:
    here, there = places[where]
    made = [make(here, "7"), make(here, "8"), make(there, "7")]
    assert len({row.pk for row in made}) == 3


@pytest.mark.database
@pytest.mark.parametrize(("make", "where"), UNIQUE.values(), ids=UNIQUE.keys())
def test_the_same_code_in_the_same_place_is_refused(
    places: dict[str, Any], make: Make, where: str
) -> None:
    here, _ = places[where]
    make(here, "7")
    with pytest.raises(IntegrityError), transaction.atomic():
        make(here, "7")


@pytest.mark.parametrize("name", UNIQUE)
def test_a_constraint_is_named_as_a_sentence_in_the_database(name: str) -> None:
    named = {
        constraint.name
        for model in (Store, Till, Associate)
        for constraint in model._meta.constraints
    }
    assert name in named
    assert named == set(UNIQUE)


@pytest.mark.parametrize("code", ["", "a b", "é", "1\n", "a" * 65, "a/b", "<b>", "'", "\0", "😀"])
@pytest.mark.parametrize("make", [Store, Till, Associate], ids=lambda model: model.__name__)
def test_a_code_that_no_pos_has_is_refused(make: type[models.Model], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(code=code, name="A name").clean_fields(exclude=["installation", "store"])
    assert set(caught.value.message_dict) == {"code"}


@pytest.mark.parametrize("code", ["1", "boston", "A-1_b.c:d", "a" * 64])
@pytest.mark.parametrize("make", [Store, Till, Associate], ids=lambda model: model.__name__)
def test_a_code_of_a_pos_is_taken(make: type[models.Model], code: str) -> None:
    row = make(code=code, name="A name")
    row.clean_fields(exclude=["installation", "store"])
    assert row.code == code


# field, its value, whether it is good.
FIELDS: dict[str, tuple[str, Any, bool]] = {
    "a region": ("region", "GB", True),
    "a region in small letters": ("region", "gb", False),
    "a region that is no country": ("region", "ZZ", False),
    "a region of the world": ("region", "001", False),
    "no region": ("region", "", False),
    "a currency": ("currency", "EUR", True),
    "a currency in small letters": ("currency", "eur", False),
    "a currency's sign": ("currency", "$", False),
    "no currency": ("currency", "", False),
    "a time zone": ("time_zone", "America/New_York", True),
    "a time zone's shape": ("time_zone", "America/Nowhere", False),
    "an offset": ("time_zone", "+02:00", False),
    "no time zone": ("time_zone", "", False),
    "an id": ("id", "shop-2_b", True),
    "an id with a space": ("id", "shop 2", False),
    "an id with a slash": ("id", "shop/2", False),
    "an id with a line break": ("id", "shop\n", False),
    "an id too long": ("id", "s" * 65, False),
    "a POS": ("pos", "heartland", True),
    "another POS": ("pos", "abacus", False),
    "a policy": ("offer_policy", "shared", True),
    "another policy": ("offer_policy", "guess", False),
    "an order prefix": ("order_prefix", "shop-2:", True),
    "an order prefix with a space": ("order_prefix", "shop 2", False),
    "a page's origin": ("origins", ["https://till.example.com"], True),
    "a page's address": ("origins", ["https://till.example.com/pos"], False),
}


@pytest.mark.parametrize(("field", "value", "good"), FIELDS.values(), ids=FIELDS.keys())
def test_an_installations_fields_are_checked(field: str, value: Any, good: bool) -> None:
    installation = Installation(**{"id": "shop", "name": "A shop", field: value})

    def wrong() -> set[str]:
        try:
            installation.full_clean()
        except ValidationError as error:
            return set(error.message_dict)
        return set()

    assert wrong() == (set() if good else {field})


def test_a_store_reads_phones_as_its_installation_unless_it_says_otherwise(store: Store) -> None:
    assert store.phone_region == "US"
    store.region = "GB"
    assert store.phone_region == "GB"


@pytest.mark.parametrize(("region", "good"), [("", True), ("IT", True), ("it", False)])
def test_a_store_may_leave_its_region_to_the_installation(region: str, good: bool) -> None:
    store = Store(code="1", name="A store", region=region)

    def refused() -> bool:
        try:
            store.clean_fields(exclude=["installation"])
        except ValidationError:
            return True
        return False

    assert refused() is not good


@pytest.mark.parametrize("row", ["installation", "store", "ana"])
def test_who_or_what_is_part_of_a_history_is_not_deleted(
    row: str, request: pytest.FixtureRequest, till: Till, ana: Associate, mara
) -> None:
    mara.consents.create(
        purpose="marketing_email",
        granted=True,
        wording_version="1",
        store=till.store,
        associate=ana,
    )
    with pytest.raises(models.ProtectedError):
        request.getfixturevalue(row).delete()


def test_places_and_people_are_shown_by_name(till: Till, ana: Associate) -> None:
    assert str(till.store.installation) == "Quill & Thread"
    assert (str(till.store), str(till), str(ana)) == ("Boston", "Till 1, Boston", "Ana Pardo")
