"""States and their doors, drawn."""

from collections.abc import Mapping
from typing import TypeVar

S = TypeVar("S", bound=str)


def diagram(transitions: Mapping[S, Mapping[S, str]], first: str) -> str:
    """A Mermaid diagram, in Markdown. `transitions`: from -> to -> what brings it about."""
    lines = [
        f"    {old} --> {new}: {cause}"
        for old, targets in transitions.items()
        for new, cause in targets.items()
    ]
    ends = [f"    {state} --> [*]" for state, targets in transitions.items() if not targets]
    drawn = "\n".join(["stateDiagram-v2", f"    [*] --> {first}", *lines, *ends])
    return f"```mermaid\n{drawn}\n```\n"
