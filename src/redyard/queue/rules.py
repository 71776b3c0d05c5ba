"""A job's options, as BullMQ writes them, and what they say: pure."""

from collections.abc import Mapping
from typing import Any

MAX_PRIORITY = 2_097_151
STACKS = 10
"""How many stack traces a job keeps."""


def job_options(
    *, attempts: int, backoff: float, keep_completed: int | bool, keep_failed: int | bool
) -> dict[str, Any]:
    """Return the options that go with each job."""
    options: dict[str, Any] = {
        "attempts": attempts,
        "removeOnComplete": keep_completed,
        "removeOnFail": keep_failed,
    }
    if backoff > 0:
        options["backoff"] = {"type": "exponential", "delay": round(backoff * 1000)}
    return options


def pause_before(options: Mapping[str, Any], attempts_made: int) -> float:
    """Return the seconds to wait after so many failed attempts."""
    backoff = options.get("backoff") or 0
    if isinstance(backoff, Mapping):
        delay = float(backoff.get("delay") or 0) / 1000
        return delay * 2.0 ** (attempts_made - 1) if backoff.get("type") == "exponential" else delay
    return float(backoff) / 1000


def kept(options: Mapping[str, Any], state: str) -> int:
    """Return how many jobs of a final state are kept, -1 for all."""
    rule = options.get("removeOnComplete" if state == "completed" else "removeOnFail", False)
    if isinstance(rule, Mapping):
        rule = rule.get("count", False)
    if isinstance(rule, bool) or rule is None:
        return 0 if rule else -1
    return int(rule)
