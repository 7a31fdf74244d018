"""Marks that more than one file needs."""

import pytest

DATABASES = ("sqlite", "postgres")


def mainly_on(database: str) -> pytest.MarkDecorator:
    """For what starts servers: on that database in `make test`, on the other in `make long`."""
    other = pytest.param(*(name for name in DATABASES if name != database), marks=pytest.mark.long)
    return pytest.mark.parametrize(
        "each_database", [database, other], indirect=True, scope="module"
    )
