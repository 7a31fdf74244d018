"""docs/api.md tells what is: each of its examples is sent, and its table has every problem."""

import json
import re
import shlex
from typing import Any

import pytest
from django.utils import timezone

from api.problems import KINDS
from tests.api.pos import Pos
from tests.ground.checkout import ROOT

pytestmark = pytest.mark.django_db

PAGE = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"```sh\n(curl .*?)```", PAGE, re.DOTALL)
EXAMPLES = [line for block in BLOCKS for line in re.split(r"\n(?=curl)", block.strip())]


def words(example: str, places: dict[str, str]) -> list[str]:
    """As the shell hands them to curl."""
    filled = re.sub(r"\$(\w+)", lambda name: places[name[1]], example.replace("\\\n", " "))
    return shlex.split(filled)


def send(pos: Pos, example: str, places: dict[str, str]) -> Any:
    _, _, address, *rest = words(example, places)
    options = list(zip(rest[::2], rest[1::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
    body = next((value for name, value in options if name == "-d"), None)
    if body is None:
        return pos.client.get(address, headers=headers)
    kind = headers.pop("Content-Type")
    return pos.client.post(address, body, content_type=kind, headers=headers)


def test_the_examples_work_one_after_the_other(pos: Pos) -> None:
    now = timezone.now().isoformat()
    places = {"API": "/api/v1", "KEY": pos.api_key, "NOW": now}
    statuses = []
    for example in EXAMPLES:
        answer = send(pos, example, places)
        statuses.append(answer.status_code)
        told = json.loads(answer.content)
        if "redeemable" in told and told["points_balance"]:
            places["MEMBER"] = told["id"]
        if "code" in told:
            places["REDEMPTION"] = told["id"]
    assert statuses == [200, 201, 200, 201, 200, 200, 200, 200, 201, 201, 200, 200, 201, 200]


def test_the_table_has_every_problem_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", PAGE, re.MULTILINE)
    told = {kind: int(status) for status, kinds in rows for kind in re.findall(r"`(.+?)`", kinds)}
    assert told == {kind: status for kind, (status, _) in KINDS.items()}
