"""Periodic jobs for tests."""

runs: list[str] = []


def count() -> None:
    runs.append("count")


def fail() -> None:
    runs.append("fail")
    raise KeyError
