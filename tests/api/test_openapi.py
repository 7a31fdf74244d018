"""The description of the API: whole, true to the code, and served without a key."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from api import schemas
from api.root import api
from tests.api.pos import PROBLEM

REQUESTS = {
    ("post", "/members/lookup"): schemas.LookUp,
    ("post", "/members"): schemas.NewMember,
    ("post", "/redemptions"): schemas.Redeem,
    ("post", "/redemptions/{redemption_id}/hold"): schemas.Hold,
    ("post", "/redemptions/{redemption_id}/reverse"): schemas.Reverse,
    ("post", "/refunds"): schemas.NewRefund,
    ("post", "/refunds/preview"): schemas.PreviewRefund,
    ("post", "/sales"): schemas.NewSale,
    ("post", "/sales/{pos_id}/attach"): schemas.Attach,
    ("post", "/sales/{pos_id}/void"): schemas.Void,
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """As it goes over the wire."""
    answer = Client().get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return dict(json.loads(answer.content))


def calls(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            yield method, path.removeprefix("/api/v1"), call


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_is_an_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(described["info"])
    assert described["components"]["securitySchemes"]["ApiKeyBearer"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    found = set(references(described))
    assert found
    for reference in found:
        node: Any = described
        for name in reference.removeprefix("#/").split("/"):
            node = node[name]


def test_every_call_has_a_name_of_its_own_words_and_a_key(described: dict[str, Any]) -> None:
    names = [call["operationId"] for _, _, call in calls(described)]
    assert len(names) == len(set(names)) == 13
    for _, path, call in calls(described):
        assert call["summary"] and call["description"]
        assert call["security"] == [{"ApiKeyBearer": []}]
        named = {each["name"] for each in call["parameters"] if each["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_every_body_has_an_example_that_is_accepted(described: dict[str, Any]) -> None:
    seen = set()
    for method, path, call in calls(described):
        if "requestBody" in call:
            example = call["requestBody"]["content"]["application/json"]["example"]
            REQUESTS[method, path].model_validate(example)
            seen.add((method, path))
    assert seen == REQUESTS.keys()


def test_every_success_has_an_example_that_we_could_answer(described: dict[str, Any]) -> None:
    operations = {
        operation.operation_id or api.get_openapi_operation_id(operation): operation
        for router in api._get_bound_routers()
        for view in router.path_operations.values()
        for operation in view.operations
    }
    for _, _, call in calls(described):
        models = operations[call["operationId"]].response_models
        for status, answer in call["responses"].items():
            if int(status) < 400:
                example = answer["content"]["application/json"]["example"]
                model = models[int(status)].model_fields["response"].annotation
                assert set(example) == set(model.model_fields)
                model.model_validate(example)


def test_every_problem_is_a_problem(described: dict[str, Any]) -> None:
    for _, _, call in calls(described):
        problems = {int(s): a for s, a in call["responses"].items() if int(s) >= 400}
        assert {401, 429, 500} <= set(problems)
        for status, answer in problems.items():
            [(content_type, content)] = answer["content"].items()
            assert content_type == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/ProblemBody"}
            for shown in content["examples"].values():
                schemas.ProblemBody.model_validate(shown["value"])
                assert shown["value"]["status"] == status
                assert shown["value"]["type"].startswith(PROBLEM)


def test_every_post_takes_a_key_and_redeeming_needs_one(described: dict[str, Any]) -> None:
    for method, path, call in calls(described):
        keys = [each for each in call["parameters"] if each["name"] == "Idempotency-Key"]
        assert len(keys) == (method == "post")
        if keys:
            assert keys[0]["required"] == (path == "/redemptions")


def test_no_body_but_a_sales_or_refunds_takes_an_unknown_field() -> None:
    strict = set(REQUESTS.values()) - {schemas.NewSale, schemas.NewRefund}
    for model in (*strict, schemas.MemberRef, schemas.Birthday, schemas.GivenConsent):
        assert model.model_config.get("extra") == "forbid"


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = Client().get("/api/v1/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)
