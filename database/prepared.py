"""Questions put to the database again and again, compiled once.

Django writes the SQL of a query anew each time that it is asked. For the three small reads that
every look-up makes, that took half of all the time that we spend on it (docs/adr/0005).
"""

import copy
import threading
from collections.abc import Callable
from functools import cached_property
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
        self._mine = threading.local()

    def ask(self, value: Value) -> list[R]:
        """As `list(question(value))`."""
        try:
            ask: Callable[[Value], list[R]] = self._mine.ask
        except AttributeError:
            ask = self._mine.ask = self._written.for_this_thread()
        return ask(value)

    @cached_property
    def _written(self) -> "Written[R]":
        return Written(self._question(self._blank), self._blank)


class Written(Generic[R]):
    """The SQL of a queryset, and what Django found out while it wrote that."""

    def __init__(self, queryset: QuerySet[Any, R], blank: Value) -> None:
        query: Any = queryset.query
        self._queryset = queryset
        self._compiler: Any = query.get_compiler(queryset.db)
        self._sql, self._blanks = self._compiler.as_sql()
        columns = [column for column, *_ in self._compiler.select]
        self._converters = self._compiler.get_converters(columns)
        self._adapt = adapter(queryset.db)
        self._is_blank = [given == self._adapt(blank) for given in self._blanks]

    def for_this_thread(self) -> Callable[[Value], list[R]]:
        """What runs it over the connection of the thread that asks."""
        compiler = copy.copy(self._compiler)
        compiler.connection = connections[self._queryset.db]
        compiler.get_converters = lambda _columns: self._converters
        queryset = self._queryset.all()
        queryset.query.get_compiler = lambda *_args, **_options: compiler  # type: ignore[method-assign]
        rows: Any = queryset._iterable_class(queryset)  # type: ignore[arg-type]

        def ask(value: Value) -> list[R]:
            filled = self._filled(value)
            compiler.as_sql = lambda *_args, **_options: (self._sql, filled)
            return list(rows)

        return ask

    def _filled(self, value: Value) -> tuple[Value, ...]:
        asked = self._adapt(value)
        return tuple(
            asked if is_it else given
            for given, is_it in zip(self._blanks, self._is_blank, strict=True)
        )


def adapter(alias: str) -> Callable[[Value], Value]:
    """How a value goes into the SQL: a database without a type for UUIDs takes their digits."""
    if connections[alias].features.has_native_uuid_field:
        return lambda value: value
    return lambda value: value.hex if isinstance(value, UUID) else value
