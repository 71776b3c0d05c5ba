"""The terms of a cached value: how long it is fresh, what happens after that, how long its load may take."""

import random
from typing import NamedTuple, TypedDict

from redyard.errors import InvalidValue

LONGEST = 1e9
"""Seconds, some 30 years: no cached value lives longer."""


class Options(TypedDict, total=False):
    """What a call may say of its value, times in seconds; docs/guides/cache.md says what each of them does."""

    ttl: float | None
    stale_for: float
    stale_if_error: float | None
    soft_timeout: float
    hard_timeout: float | None
    none_ttl: float | None
    jitter: float
    early: bool


class Terms(NamedTuple):
    """The terms of one value, checked."""

    ttl: float
    stale_for: float = 0.0
    stale_if_error: float = 0.0
    soft_timeout: float = 0.0
    hard_timeout: float | None = None
    none_ttl: float | None = None
    jitter: float = 0.1
    early: bool = True

    def fresh_for(self, value: object) -> float:
        """Return for how many seconds a loaded value is fresh: never longer than was said, by chance a bit shorter."""
        ttl = self.none_ttl if value is None and self.none_ttl is not None else self.ttl
        return ttl * (1 - self.jitter * random.random())  # noqa: S311 - no secret

    @property
    def old_for(self) -> float:
        """Return for how many seconds a value that is no longer fresh is of use."""
        return max(self.stale_for, self.stale_if_error)


def make_terms(options: Options, ttl: float) -> Terms:
    """Return checked terms, with the cache's `ttl` where none is given, or raise InvalidValue."""
    given = {name: value for name, value in options.items() if value is not None}
    terms = Terms(**{"ttl": ttl, "stale_if_error": given.get("stale_for", 0.0), **given})  # type: ignore[arg-type]
    check_lifetime(terms.ttl)
    if terms.none_ttl is not None:
        check_lifetime(terms.none_ttl)
    for name in ("stale_for", "stale_if_error", "soft_timeout"):
        if not 0 <= getattr(terms, name) <= LONGEST:
            raise InvalidValue(value=getattr(terms, name), kind=f"{name} of a cached value", example="30 (seconds)")
    if terms.hard_timeout is not None and not 0 < terms.hard_timeout <= LONGEST:
        raise InvalidValue(value=terms.hard_timeout, kind="hard_timeout of a load", example="5 (seconds)")
    if not 0 <= terms.jitter < 1:
        raise InvalidValue(value=terms.jitter, kind="share of a lifetime", example="0.1 (a tenth)")
    return terms


def check_lifetime(ttl: float) -> float:
    """Return a time to live in seconds, or raise InvalidValue."""
    if not 0.001 <= ttl <= LONGEST:
        raise InvalidValue(value=ttl, kind="time to live", example="60 (seconds; every cached value has an end)")
    return ttl
