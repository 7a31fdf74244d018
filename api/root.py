"""The JSON API as one object: its calls, its key, and what describes it."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from api import members, redemptions, refunds, sales, schemas
from api.auth import ApiKeyBearer
from api.body import StrictParser
from api.problems import CONTENT_TYPE, KINDS, TYPE, problem_of, respond

ABOUT = """For a point of sale that integrates server to server.

Money is whole cents with an ISO 4217 currency, points are whole numbers, times ISO 8601 in UTC.
Problems are RFC 9457: branch on `type`, show `detail`.
"""
KEY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "description": "A new one for each act, the same one when you repeat it. Kept for 7 days.",
    "example": "4b0f6c1e-9d0a-4c69-8f5e-6f6f0a9e1d7c",
}
# What any call may answer.
EVERYWHERE = ("unauthorized", "rate-limited", "internal", "database-unavailable")
WITH_BODY = ("length-required", "too-large")


class Api(NinjaAPI):
    @cached_property
    def _described(self) -> OpenAPISchema:
        described = super().get_openapi_schema()
        for path in described["paths"].values():
            for method, call in path.items():
                complete(method, call)
        described["components"]["schemas"].setdefault(
            "ProblemBody", schemas.ProblemBody.model_json_schema()
        )
        return described

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: Any = None
    ) -> OpenAPISchema:
        """Written once: nothing in it changes while the process runs."""
        return self._described

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        """Expected ones in words; others go up, to be logged and answered there."""
        problem = problem_of(exc)
        if problem is None:
            raise exc
        return respond(problem)


def complete(method: str, call: dict[str, Any]) -> None:
    """Add what holds for every call, and an example of each problem."""
    kinds = [name.removeprefix(TYPE) for name in call.pop("x-problem-types", ())]
    kinds += [*EVERYWHERE, *(WITH_BODY if method == "post" else ())]
    if method == "post":
        call["parameters"].append(KEY_HEADER | {"required": "idempotency-key-required" in kinds})
    for status in sorted({KINDS[kind][0] for kind in kinds}):
        here = [kind for kind in kinds if KINDS[kind][0] == status]
        call["responses"][status] = problem_answer(here)


def problem_answer(kinds: list[str]) -> dict[str, Any]:
    examples = {
        kind: {
            "value": {
                "type": f"{TYPE}{kind}",
                "title": KINDS[kind][1],
                "status": KINDS[kind][0],
                "detail": f"{KINDS[kind][1]}.",
            }
        }
        for kind in kinds
    }
    content = {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "examples": examples}
    return {
        "description": "; ".join(KINDS[k][1] for k in kinds),
        "content": {CONTENT_TYPE: content},
    }


api = Api(
    title="Loyalty Panel",
    version="1",
    description=ABOUT,
    auth=ApiKeyBearer(),
    parser=StrictParser(),
    urls_namespace="api",
)
api.add_router("/members", members.router)
api.add_router("/redemptions", redemptions.router)
api.add_router("/sales", sales.router)
api.add_router("/refunds", refunds.router)
