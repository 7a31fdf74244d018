from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from access.keys import ApiKey
from stores.models import Installation

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings) -> Installation:
    settings.DEMO = True
    return Installation.objects.create(id="demo", name="Demo")


def new_key() -> str:
    told = StringIO()
    call_command("demo_api_key", stdout=told)
    return told.getvalue().strip()


def test_a_new_key_ends_the_one_before_and_leaves_the_tills(demo: Installation) -> None:
    till = ApiKey.issue(demo, "demo till")
    first, second = new_key(), new_key()
    assert ApiKey.of_secret(first) is None
    assert ApiKey.of_secret(second) and ApiKey.of_secret(till)


def test_keys_issued_by_hand_stay(demo: Installation) -> None:
    kept = [ApiKey.issue(demo, "demo till"), ApiKey.issue(demo, "by hand")]
    with pytest.raises(CommandError, match="two live API keys"):
        new_key()
    assert all(map(ApiKey.of_secret, kept))


def test_where_no_demo_was_started(settings) -> None:
    settings.DEMO = True
    with pytest.raises(CommandError, match="run `make demo` first"):
        new_key()


def test_outside_the_demo_it_makes_nothing(installation: Installation) -> None:
    with pytest.raises(CommandError, match="in its admin"):
        new_key()
    assert not ApiKey.objects.exists()
