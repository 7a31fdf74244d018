"""One difference as a reading shows it, before it is written down."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from reconciliation.kinds import Kind


@dataclass(frozen=True, slots=True)
class Found:
    """`points`: what a correction would give the member, or take. `code` and `engine_id` name what
    a repair would adopt. `ours` and `theirs` are the facts of both sides, for a manager."""

    kind: Kind
    key: str
    cause: str
    ours: dict[str, Any] = field(default_factory=dict)
    theirs: dict[str, Any] = field(default_factory=dict)
    redemption_id: UUID | None = None
    sale_id: int | None = None
    points: int = 0
    is_certain: bool = True

    def fingerprint(self) -> str:
        """The same while nothing changed of what a manager has decided on."""
        said = [self.kind, self.key, self.cause, self.ours, self.theirs, self.points]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
