"""Questions put to the database again and again, compiled once.

Django writes the SQL of a query anew each time that it is asked. For the three small reads that
every look-up makes, that took half of all the time that we spend on it (docs/adr/0005).
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connections
from django.db.models import QuerySet

R = TypeVar("R")
Value = str | int | UUID


class Prepared(Generic[R]):
    """`question` makes a queryset of one value; `blank` stands for the value meanwhile.

    The blank is a value of the same type that is never asked for. It must reach the SQL as it is,
    as an exact lookup's does, and nothing else of the queryset may depend on it.
    """

    def __init__(self, question: Callable[[Any], QuerySet[Any, R]], blank: Value) -> None:
        self._question = question
        self._blank = blank
        # A compiler holds the connection of its thread.
        self._mine = threading.local()

    def ask(self, value: Value) -> list[R]:
        """As `list(question(value))`."""
        try:
            ask: Callable[[Value], list[R]] = self._mine.ask
        except AttributeError:
            ask = self._mine.ask = compiled(self._question(self._blank), self._blank)
        return ask(value)


def compiled(queryset: QuerySet[Any, R], blank: Value) -> Callable[[Value], list[R]]:
    query: Any = queryset.query
    compiler: Any = query.get_compiler(queryset.db)
    sql, blanks = compiler.as_sql()
    converters = compiler.get_converters([column for column, *_ in compiler.select])
    rows: Any = queryset._iterable_class(queryset)  # type: ignore[arg-type]
    adapt = adapter(queryset.db)
    is_blank = [given == adapt(blank) for given in blanks]
    # From here on the queryset runs this one compiler, which gives out what it has once written.
    query.get_compiler = lambda *_args, **_options: compiler
    compiler.get_converters = lambda _columns: converters

    def ask(value: Value) -> list[R]:
        asked = adapt(value)
        filled = tuple(
            asked if is_it else given for given, is_it in zip(blanks, is_blank, strict=True)
        )
        compiler.as_sql = lambda *_args, **_options: (sql, filled)
        return list(rows)

    return ask


def adapter(alias: str) -> Callable[[Value], Value]:
    """How a value goes into the SQL: a database without a type for UUIDs takes their digits."""
    if connections[alias].features.has_native_uuid_field:
        return lambda value: value
    return lambda value: value.hex if isinstance(value, UUID) else value
