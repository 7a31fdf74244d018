"""A client that a generator makes from the description works: a sale with points, and its end."""

import importlib
import importlib.util
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests

from tests.ground.checkout import ROOT
from tests.harness.shop import Shop
from tests.support.waiting import until

pytestmark = pytest.mark.slow

PACKAGE = "generated_loyalty_client"
# Of the sandbox: 1,275 points, earned long ago.
EMAIL = "gus@example.com"
OTHER = "bea@example.com"
FIVE_OFF = 90121
COPIED = ROOT / "docs" / "loyalty_client.py"


@pytest.fixture(scope="module")
def package(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As openapi-python-client writes it, without a complaint."""
    folder = tmp_path_factory.mktemp("client")
    described = folder / "openapi.json"
    described.write_bytes(requests.get(f"{shop.panel.url}/api/v1/openapi.json", timeout=30).content)
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"post_hooks": []}))
    words = ["--path", described, "--config", settings, "--output-path", folder / PACKAGE]
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arning" not in done.stdout + done.stderr, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))


class Pos:
    """A point of sale's program, which knows the generated client alone."""

    def __init__(self, shop: Shop) -> None:
        root = importlib.import_module(PACKAGE)
        self.models = self.module("models")
        self.client = root.AuthenticatedClient(base_url=shop.panel.url, token=shop.api_key)

    @staticmethod
    def module(name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    def ask(self, call: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        """The parsed answer. `call` is `room.name`; `body` names the model and its fields."""
        if body is not None:
            [(model, fields)] = body.items()
            more["body"] = getattr(self.models, model).from_dict(fields)
        return self.module(f"api.{call}").sync(client=self.client, **more)


@pytest.fixture(scope="module")
def pos(shop: Shop, package: Path) -> Iterator[Pos]:
    pos = Pos(shop)
    with pos.client:
        yield pos


def test_a_sale_with_points_and_its_refund(pos: Pos, shop: Shop) -> None:
    member = pos.ask("members.lookup", {"LookUp": {"email": EMAIL}})
    assert member.points_balance == 1275
    offers = pos.ask("members.list_offers", member_id=member.id).items
    assert FIVE_OFF in {offer.id for offer in offers if offer.affordable}

    wanted = {"member": {"id": str(member.id)}, "offer_id": FIVE_OFF, "ticket": "T-1"}
    made = pos.ask("redemptions.redeem", {"Redeem": wanted}, idempotency_key=uuid.uuid4().hex)
    assert made.state == pos.models.State.ISSUED
    held = pos.ask("redemptions.hold", {"Hold": {"ticket": "T-1"}}, redemption_id=made.id)
    assert held.code == made.code

    sale = pos.ask("sales.report_sale", {"NewSale": a_sale("C-1", made.code)})
    assert [(code.code, code.outcome) for code in sale.codes] == [
        (made.code, pos.models.Outcome.USED)
    ]

    back = {"sale_id": "C-1", "total_cents": 2000}
    until(lambda: preview(pos, back).points_taken_back, "the engine was told of the sale")
    told = preview(pos, back)
    refund = back | {"id": "R-1", "currency": "USD"}
    assert pos.ask("refunds.report_refund", {"NewRefund": refund}).sale_id == "C-1"
    until(lambda: shop.sandbox.balance(EMAIL) == told.balance_after, "the preview came true")


def the_copied_one() -> ModuleType:
    specification = importlib.util.spec_from_file_location("loyalty_client", COPIED)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def preview(pos: Pos, back: dict[str, Any]) -> Any:
    return pos.ask("refunds.preview_refund", {"PreviewRefund": back})


def test_a_problem_is_read(pos: Pos) -> None:
    nobody = pos.ask("members.lookup", {"LookUp": {"email": "nobody.here@example.com"}})
    assert isinstance(nobody, pos.models.ProblemBody)
    assert nobody.type_.endswith(":member-not-found") and nobody.status == 404
    neither = pos.ask("members.lookup", {"LookUp": {}})
    assert [error.field for error in neither.errors] == ["body"]


def a_sale(sale_id: str, code: str) -> dict[str, Any]:
    return {
        "id": sale_id,
        "completed_at": datetime.now(UTC).isoformat(),
        "total_cents": 4000,
        "currency": "USD",
        "email": EMAIL,
        "coupon_codes": [code],
    }


def test_the_client_of_the_docs_is_not_charged_twice_for_a_lost_answer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = the_copied_one()
    loyalty = copied.Loyalty(f"{shop.panel.url}/api/v1", shop.api_key)
    really, left = loyalty.http.request, iter([True, True])

    def lossy(*asked: Any, **more: Any) -> requests.Response:
        answer = really(*asked, **more)
        if next(left, False):
            raise requests.ConnectionError
        return answer

    member = loyalty.look_up(OTHER)
    monkeypatch.setattr(loyalty.http, "request", lossy)
    made = loyalty.redeem(member["id"], FIVE_OFF, "T-7", act=uuid.uuid4().hex)
    assert made["state"] == "issued"
    assert shop.sandbox.balance(OTHER) == member["points_balance"] - 500
    with pytest.raises(copied.Problem, match="wrong-points"):
        loyalty.redeem(member["id"], 90123, "T-7", act=uuid.uuid4().hex)
    loyalty.http.close()
