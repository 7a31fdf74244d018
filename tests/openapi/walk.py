"""Walks through the API by its own description: schemathesis follows the links between the calls.

Every answer is held against the description: a status or a body that it does not declare, something
valid that was refused or something invalid that was taken is a finding. Nothing stops at the first.
"""

import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, TypeVar

import hypothesis
import requests
import schemathesis
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.strategies import one_of
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.generation.modes import GenerationMode
from schemathesis.generation.stateful import APIStateMachine
from schemathesis.schemas import APIOperation, BaseSchema

from tests.harness.shop import Shop
from tests.openapi.mangled import PROBLEM, Mangler
from tests.openapi.report import Report
from tests.openapi.words import (
    CALL_SECONDS,
    CONFIG,
    EMAILS,
    FIVE_OFF,
    PHONES,
    READ_ELSEWHERE,
    REFUSED_ALTHOUGH_VALID,
    WORDS,
)

Drawn = TypeVar("Drawn", bound=Callable[..., Any])
# Of one turn: scenarios that follow links, each call by itself, and bytes that are no request.
SCENARIOS, STEPS = 10, 12
BY_ITSELF = 4
MANGLED = 20
CALLS_FOR_A_FAULT = 40
# What the engine does to one call of ours.
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop_before", {}),
    ("drop_after", {}),
    ("status", {"status": 500}),
    ("throttle", {"retry_after": 1}),
    ("html", {}),
    ("empty", {}),
    ("code_missing", {}),
    ("not_approved", {}),
)
DRAWN: dict[str, Any] = {
    "phases": [hypothesis.Phase.generate],
    "suppress_health_check": list(hypothesis.HealthCheck),
    "database": None,
    "deadline": None,
}
FOLLOWING = hypothesis.settings(max_examples=SCENARIOS, stateful_step_count=STEPS, **DRAWN)
ALONE = hypothesis.settings(max_examples=BY_ITSELF, **DRAWN)


class Walk:
    """Of one deployment, with the API keys of its installations in turn."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.url, self.sandbox = shop.panel.url, shop.sandbox
        self.keys = [shop.api_key, shop.delayed_api_key]
        self.chance = random.Random(seed)
        self.report = Report()

    def go(self, calls: int) -> Report:
        """Makes so many calls or some more."""
        schema = self.schema_of(self.description())
        mangler = Mangler(self.url, schema.raw_schema, self.chance, self.report)
        while self.report.calls < calls:
            key = self.chance.choice(self.keys)
            self.follow(schema, key)
            self.each_alone(schema, key)
            for _ in range(MANGLED):
                mangler.send(key)
        return self.report

    def follow(self, schema: BaseSchema, key: str) -> None:
        """Along the links from call to call."""
        machine = self.seeded(machine_of(schema, self, key))
        with suppress(FlakyStrategyDefinition):
            machine.run(settings=FOLLOWING)

    def each_alone(self, schema: BaseSchema, key: str) -> None:
        for operation in schema.get_all_operations():
            with suppress(FlakyStrategyDefinition):
                self.seeded(alone(operation.ok(), self, key))()

    def description(self) -> dict[str, Any]:
        return dict(requests.get(f"{self.url}/api/v1/openapi.json", timeout=CALL_SECONDS).json())

    def schema_of(self, description: dict[str, Any]) -> BaseSchema:
        """With words for what it can't say."""
        words = WORDS | self.people
        told = {"dictionaries": {name: {"values": values} for name, values in words.items()}}
        config = SchemathesisConfig.from_dict(CONFIG | told)
        schema = schemathesis.openapi.from_dict(description, config=config)
        schema.config.update(base_url=self.url)
        return schema

    @cached_property
    def people(self) -> dict[str, list[Any]]:
        """Ids of members with many points, and of redemptions of theirs."""
        for email, phone in zip(EMAILS, PHONES, strict=True):
            self.sandbox.add_member(email=email, phone=phone, points=50_000)
        found, made = [], []
        for email in EMAILS:
            for key in self.keys:
                found.append(self.post(key, "members/lookup", {"email": email}))
                redeem = {"member": {"email": email}, "offer_id": FIVE_OFF}
                made.append(self.post(key, "redemptions", redeem))
        return {
            "member_ids": sorted({one["id"] for one in found}),
            "redemption_ids": [one["id"] for one in made],
        }

    def post(self, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = bearer(key) | {"Idempotency-Key": uuid.uuid4().hex}
        url = f"{self.url}/api/v1/{path}"
        answer = requests.post(url, json=body, headers=headers, timeout=CALL_SECONDS)
        answer.raise_for_status()
        return dict(answer.json())

    def seeded(self, drawn: Drawn) -> Drawn:
        """To be run where FlakyStrategyDefinition is suppressed: a shop that sells does not answer
        the same to the same, as Hypothesis wants it."""
        return hypothesis.seed(self.chance.randrange(2**32))(drawn)

    def trouble(self) -> None:
        if self.chance.randrange(CALLS_FOR_A_FAULT) == 0:
            kind, details = self.chance.choice(FAULTS)
            self.sandbox.fault("*", kind, **details)

    def judge(self, response: Response, case: Case, check: Callable[[], None]) -> None:
        call = f"{case.method} {case.operation.path}"
        problem = problem_in(response)
        self.report.note(call, response.status_code, problem.get("type", "").removeprefix(PROBLEM))
        found = {f"refuses what is valid: {error}" for error in self.refused(case, problem)}
        try:
            check()
        except FailureGroup as group:
            found |= {f"{type(failure).__name__}: {failure}" for failure in group.exceptions}
        for told in found:
            first_line = told.partition("\n")[0]
            self.report.find(
                f"{call} {response.status_code} {first_line}",
                f"{told}\n{case.as_curl_command()}\n{response.text[:600]}",
            )

    @staticmethod
    def refused(case: Case, problem: dict[str, Any]) -> list[str]:
        """Fields of a call that is as the description wants it, and was not taken nevertheless."""
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return []
        return [
            error["detail"]
            for error in problem.get("errors", [])
            if not error["detail"].startswith(REFUSED_ALTHOUGH_VALID)
            and error["field"].rpartition(".")[2] not in READ_ELSEWHERE
        ]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def problem_in(response: Response) -> dict[str, Any]:
    is_problem = response.headers.get("content-type") == ["application/problem+json"]
    return dict(response.json()) if is_problem else {}


def machine_of(schema: BaseSchema, walk: Walk, key: str) -> type[APIStateMachine]:
    """Follows the links from call to call."""

    class Walker(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"headers": bearer(key)}

        def before_call(self, case: Case) -> None:
            walk.trouble()

        def validate_response(
            self, response: Response, case: Case, *given: Any, **more: Any
        ) -> None:
            check = partial(super().validate_response, response, case, *given, **more)
            walk.judge(response, case, check)

    return Walker


def alone(operation: APIOperation, walk: Walk, key: str) -> Callable[[], None]:
    """One call as it may come from anywhere, as the description wants it or not."""
    modes = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @ALONE
    @hypothesis.given(case=one_of(*modes))
    def call(case: Case) -> None:
        walk.trouble()
        response = case.call(headers=bearer(key))
        walk.judge(response, case, partial(case.validate_response, response))

    return call
