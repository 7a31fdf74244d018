"""What was met on a walk, and what should not have been."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """`answers`: call and status -> how many; `kinds`: of problems; `findings`: what -> told."""

    calls: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)

    def note(self, call: str, status: int, kind: str = "") -> None:
        self.calls += 1
        self.answers[f"{call} {status}"] += 1
        if kind:
            self.kinds[kind] += 1

    def find(self, what: str, told: str) -> None:
        """Keeps the first of its sort."""
        self.findings.setdefault(what, told)

    def __str__(self) -> str:
        lines = [f"{count:7} {what}" for what, count in sorted(self.answers.items())]
        lines += [f"{count:7} {kind}" for kind, count in self.kinds.most_common()]
        lines += [f"\n{what}\n{told}" for what, told in self.findings.items()]
        return "\n".join([*lines, f"{self.calls} calls, {len(self.findings)} findings"])
