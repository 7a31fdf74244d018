"""Acts that a till refuses: a code for programs, a reason for the associate."""

from __future__ import annotations

from sandbox.messages import Refused


def refuse_act(code: str, words: str, status: int = 409) -> Refused:
    return Refused(status, {"code": code, "error": words})
