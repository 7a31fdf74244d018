"""Two actors driven through the orders in which their steps can fall; nothing is left to chance.

A step is what nobody else can come between, or what we do not want to look into: a transaction from
its first statement to its commit, a statement outside of one, a call of the engine. Two actors run
in threads of their own with connections of their own, and real commits, but only ever one at a
time: at the beginning of each step an actor stands still until it is let go. As a transaction is
let go as a whole, no actor ever waits for a lock of the other's.

    def play(order):
        redemption = ...
        order.run(lambda: undo(redemption), lambda: sell(redemption))
        assert ...

    every_order(actors, play)
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

# An actor that takes longer for a step hangs: it waits for a lock, or for the other one.
LONGEST_STEP_SECONDS = 20
# Reading what none of the actors writes comes to the same before and after any step of the other's.
CONTENDED = ("redemptions_", "sales_", "outbox_")
Act = Callable[[], Any]


class Actor:
    """A thread that goes on only when it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.at = ""
        """The step that it stands before; empty when it has come to its end."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"actor-{name}")
        self._thread.submit(wait_for_the_disk, False).result()
        self._go = threading.Semaphore(0)
        self._stands = threading.Semaphore(0)
        self._inside: object = None
        self._begun = False

    def begin(self, act: Act) -> "Future[Any]":
        """Run up to the first step."""
        ending = self._thread.submit(self._play, act)
        self._wait()
        return ending

    def go(self) -> None:
        """Take the step that it stands before, up to the next one."""
        self._go.release()
        self._wait()

    def step(self, what: str) -> None:
        """Called in its thread before each step."""
        self.at = what
        self._stands.release()
        if not self._go.acquire(timeout=LONGEST_STEP_SECONDS):
            raise TimeoutError(f"Nobody let {self.name} go before {what}.")

    def close(self) -> None:
        self._thread.submit(leave).result()
        self._thread.shutdown()

    def _wait(self) -> None:
        if not self._stands.acquire(timeout=LONGEST_STEP_SECONDS):
            raise TimeoutError(f"{self.name} hangs in {self.at}.")

    def _play(self, act: Act) -> Any:
        _here.actor = self
        self._inside, self._begun = None, False
        try:
            with connection.execute_wrapper(self._before_statement):
                return act()
        finally:
            _here.actor = None
            self.at = ""
            self._stands.release()

    def _before_statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if self._begins_a_step(sql):
            self.step(" ".join(sql.split())[:60])
        return execute(sql, params, many, context)

    def _begins_a_step(self, sql: str) -> bool:
        """SQLite's transactions begin by a statement of their own, PostgreSQL's by their first."""
        if sql.startswith("BEGIN"):
            self._begun = True
            return True
        block = connection.atomic_blocks[0] if connection.in_atomic_block else None
        is_first = block is not self._inside and not self._begun
        self._inside, self._begun = block, False
        return is_first if block else any(table in sql for table in CONTENDED)


def wait_for_the_disk(wait: bool) -> None:
    """SQLite waits for it at each commit; tests of orders lose no power."""
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA synchronous={'FULL' if wait else 'OFF'}")


def leave() -> None:
    """Close this thread's connection: a test database that is used can't be dropped."""
    connection.close()


_here = threading.local()


def before_call(call: str) -> None:
    """A call of the engine is a step, where it is an actor who makes it."""
    actor = getattr(_here, "actor", None)
    if actor is not None:
        actor.step(call)


@dataclass(frozen=True)
class Choice:
    """Who was let go, of whom, and before what they stood."""

    taken: int
    could: tuple[int, ...]
    told: str


@dataclass
class Order:
    """One order: who is let go first, second, ... After `given` an actor goes on while it can."""

    actors: Sequence[Actor]
    given: tuple[int, ...] = ()
    made: list[Choice] = field(default_factory=list)

    def run(self, *acts: Act) -> list[Any]:
        """What each act gave back, or the exception that it raised."""
        endings = [actor.begin(act) for actor, act in zip(self.actors, acts, strict=True)]
        while could := tuple(n for n, actor in enumerate(self.actors) if actor.at):
            number = self._choose(could)
            actor = self.actors[number]
            self.made.append(Choice(number, could, f"{actor.name}: {actor.at}"))
            actor.go()
        return [ending.exception() or ending.result() for ending in endings]

    def _choose(self, could: tuple[int, ...]) -> int:
        if len(self.made) < len(self.given):
            number = self.given[len(self.made)]
            assert number in could, f"The same order did not come about twice:\n{self}"
            return number
        last = self.made[-1].taken if self.made else could[0]
        return last if last in could else could[0]

    def others(self, switches: int | None) -> Iterator[tuple[int, ...]]:
        """The orders that part from this one after what was given to it."""
        taken = tuple(choice.taken for choice in self.made)
        for place in range(len(self.given), len(taken)):
            for number in self.made[place].could:
                other = (*taken[:place], number)
                within = switches is None or self._switches(other) <= switches
                if number != taken[place] and within:
                    yield other

    def _switches(self, order: tuple[int, ...]) -> int:
        """How often one was made to stand while it could have gone on."""
        pairs = zip(order, order[1:], self.made[1:], strict=False)
        return sum(last != now and last in choice.could for last, now, choice in pairs)

    def __str__(self) -> str:
        return "\n".join(choice.told for choice in self.made)


def every_order(
    actors: Sequence[Actor], play: Callable[[Order], None], *, switches: int | None = None
) -> int:
    """Play in each order once; how many there were.

    `switches`: only orders in which an actor that could go on was made to stand at most so often.
    The steps must be the same ones whenever the order is the same.
    """
    to_play: list[tuple[int, ...]] = [()]
    played = 0
    while to_play:
        order = Order(actors, to_play.pop())
        try:
            play(order)
        except BaseException as error:
            error.add_note(f"In this order, the {played + 1}.:\n{order}")
            raise
        played += 1
        to_play += order.others(switches)
    return played


@contextmanager
def two_actors() -> Iterator[tuple[Actor, Actor]]:
    actors = (Actor("one"), Actor("other"))
    try:
        yield actors
    finally:
        for actor in actors:
            actor.close()
