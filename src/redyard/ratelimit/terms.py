"""What a limit is told and what it answers: values that are checked at the start, and the decision."""

from math import ceil, isfinite
from typing import Any, Literal, NamedTuple, get_args

from redyard.errors import InvalidValue

STEPS = 20
"""Parts of a window, as in ask.lua: a hit counts for the window and up to one part more."""

MOST = 16_777_215
"""The largest limit, burst and cost: what a window's counts of 3 bytes hold."""

LONGEST = 10 * 366 * 86_400
"""Seconds of the longest period and block; ask.lua cuts penalties there."""

Rule = Literal["gcra", "window"]
Policy = Literal["insurance", "open", "closed"]


class Decision(NamedTuple):
    """What a limit says to one hit; times are in seconds.

    `remaining` hits are there, and no more of them before `reset_after`. `retry_after` is 0 for a hit that is allowed.
    `degraded`: Redis could not be asked, and the limit's policy decided.
    """

    allowed: bool
    remaining: int
    retry_after: float
    limit: int
    reset_after: float = 0.0
    degraded: bool = False


def whole(value: Any, kind: str, *, example: int) -> int:
    """Return a whole number from 1 to MOST, or raise InvalidValue."""
    if type(value) is not int or not 1 <= value <= MOST:
        raise InvalidValue(value=value, kind=f"{kind}: it is a whole number from 1 to {MOST}", example=example)
    return value


def seconds(value: Any, kind: str) -> float:
    """Return a time span of up to LONGEST, or raise InvalidValue."""
    if not isinstance(value, int | float) or not isfinite(value) or not 0 < value <= LONGEST:
        raise InvalidValue(value=value, kind=f"{kind}: it is more than 0 and up to {LONGEST} seconds", example=60)
    return float(value)


def one_of(value: str, kind: object, what: str) -> None:
    """Raise InvalidValue unless the value is one of a Literal's."""
    names = get_args(kind)
    if value not in names:
        raise InvalidValue(value=value, kind=what, example=" or ".join(names))


def burst_of(burst: int | None, limit: int, rule: Rule) -> int:
    """Return how many hits may come at once, or raise InvalidValue."""
    if burst is None:
        return limit
    if rule == "window":
        raise InvalidValue(value=burst, kind="burst of a window, which has none", example='rule="gcra"')
    return whole(burst, "burst", example=limit)


def step_of(rule: Rule, limit: int, per: float, burst: int) -> int:
    """Return the microseconds between two hits that come back, or of a window's part; or raise InvalidValue."""
    if rule == "window":
        return ceil(per * 1e6 / STEPS)
    if limit > per * 1e6:
        raise InvalidValue(
            value=f"{limit} in {per:g} s", kind="limit: a million a second is the most", example="9 in 1 s"
        )
    step = ceil(per * 1e6 / limit)
    if step * burst > LONGEST * 1e6:
        raise InvalidValue(value=burst, kind=f"burst: it would need over {LONGEST} s to come back", example=limit)
    return step
