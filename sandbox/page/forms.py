"""Fields of the control page's forms. `data-as` tells the script how to read a field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from sandbox.faults import KINDS
from sandbox.switches import RULES, Switches
from sandbox.yotpo.endpoints import ENDPOINTS

SPOKEN = {"true": "yes", "false": "no", "null": "off"}


def choices(options: Iterable[tuple[str, str]], chosen: str | None = None) -> str:
    """`option` tags from pairs of value and label."""
    return "\n".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(label)}</option>"
        for value, label in options
    )


def switches(now: Switches) -> str:
    return "\n".join(_switch(name, value) for name, value in asdict(now).items())


def _switch(name: str, value: object) -> str:
    label = escape(name.replace("_", " "))
    return f"<label><span>{label}</span>{_switch_field(name, value)}</label>"


def _switch_field(name: str, value: object) -> str:
    allowed = RULES[name].choices
    if allowed:
        pairs = [(json.dumps(choice), _spoken(choice)) for choice in allowed]
        return f'<select name="{name}" data-as="json">{choices(pairs, json.dumps(value))}</select>'
    if isinstance(value, int | float):
        return (
            f'<input type="number" step="any" name="{name}" data-as="number"'
            f' value="{value:g}" required>'
        )
    words = ", ".join(map(str, value)) if isinstance(value, Sequence) else ""
    return f'<input name="{name}" data-as="words" value="{escape(words)}" placeholder="any status">'


def _spoken(value: object) -> str:
    return SPOKEN.get(json.dumps(value), str(value))


def fault() -> str:
    """The two choices of the form that sets a fault."""
    endpoints = choices([("*", "every endpoint"), *((name, name) for name in ENDPOINTS)])
    kinds = choices([(kind, kind.replace("_", " ")) for kind in KINDS])
    return (
        f'<label><span>endpoint</span><select name="endpoint">{endpoints}</select></label>'
        f'<label><span>kind</span><select name="kind">{kinds}</select></label>'
    )


def members(rows: Sequence[Mapping[str, Any]]) -> str:
    return choices([(row["email"], row["email"]) for row in rows if row["email"]])


def options(rows: Sequence[Mapping[str, Any]]) -> str:
    return choices([(str(row["id"]), row["name"]) for row in rows])
