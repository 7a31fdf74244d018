"""The limits of each outside system, as this process sees them."""

from connectors.limits import Limits

_limits: dict[str, Limits] = {}


def limits_of(system: str) -> Limits:
    """The ones in use for calls to that system."""
    return _limits.setdefault(system, Limits())
