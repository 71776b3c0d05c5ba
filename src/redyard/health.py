"""Cheap checks for load balancers: can Redis be written, do the app's own checks pass.

A check is bounded in time, its answer kept for a moment, and never asked twice at once: a load balancer that asks
often must not be a load of its own.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import redis.exceptions
from redis.exceptions import AuthenticationError, OutOfMemoryError, ReadOnlyError, RedisError

from redyard import events, keys
from redyard.client import Redis, raw
from redyard.units import format_instant

TIMEOUT = 1.0
"""Seconds that a check may take."""

PATIENCE = 0.9
"""Seconds that Redis may take: less than the check, so that the client can still say why there is no answer."""

KEPT = 1.0
"""Seconds for which an answer is given again."""

Check = Callable[[], Awaitable[object]]
"""A check of the app's own: it passes unless it raises or returns False."""

REASONS: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, "refused"),
    (OutOfMemoryError, "full"),
    (ReadOnlyError, "read-only"),
    (TimeoutError, "timeout"),
    (redis.exceptions.TimeoutError, "timeout"),
    (OSError, "unreachable"),
    (RedisError, "unreachable"),
)
"""What a failure is called; no driver's message leaves the process."""


class Result(NamedTuple):
    """A check's answer; `facts` are further fields of its JSON."""

    healthy: bool
    latency: float
    facts: dict[str, object]

    def to_json(self) -> dict[str, object]:
        """Return the form that /redis and /complete print."""
        status = "healthy" if self.healthy else "unhealthy"
        return {"status": status, "latency_ms": round(self.latency * 1000, 2), **self.facts}


class Report(NamedTuple):
    """The answers of all checks, and when they were given."""

    checks: dict[str, Result]
    timestamp: float

    @property
    def healthy(self) -> bool:
        """Say whether all checks passed."""
        return all(result.healthy for result in self.checks.values())

    def to_json(self) -> dict[str, object]:
        """Return the form that /complete prints."""
        return {
            "status": "healthy" if self.healthy else "unhealthy",
            "checks": {name: result.to_json() for name, result in self.checks.items()},
            "timestamp": format_instant(self.timestamp),
        }


class Health:
    """Checks Redis by writing to it, and whatever else the app names."""

    def __init__(self, redis: Redis, *, checks: Mapping[str, Check] | None = None) -> None:
        self._redis = redis.having(timeout=PATIENCE)
        self._probes = {"redis": _Probe("redis", self._write)}
        self._probes |= {name: _Probe(name, _passing(check)) for name, check in (checks or {}).items()}

    async def redis(self) -> Result:
        """Say whether Redis takes a write."""
        return await self._probes["redis"].ask()

    async def complete(self) -> Report:
        """Ask all checks at once."""
        results = await asyncio.gather(*(probe.ask() for probe in self._probes.values()))
        return Report(dict(zip(self._probes, results, strict=True)), time.time())

    async def _write(self) -> dict[str, object]:
        key = keys.TEMPORARY.make(name=f"health:{os.getpid()}")
        await raw(self._redis, "SET", key, "1", "PX", keys.TEMPORARY.lifetime.seconds * 1000)
        memory: dict[str, Any] = await self._redis.info("memory")
        return {"used_memory": memory.get("used_memory"), "connected": True}


class _Probe:
    """One check: bounded, kept for a moment, one at a time for all who ask."""

    def __init__(self, name: str, check: Callable[[], Awaitable[dict[str, object]]]) -> None:
        self.name = name
        self._check = check
        self._task: asyncio.Task[Result] | None = None
        self._asked = 0.0

    async def ask(self) -> Result:
        now = asyncio.get_running_loop().time()
        stale = self._task is not None and self._task.done() and now - self._asked >= KEPT
        if self._task is None or stale:
            self._task, self._asked = asyncio.create_task(self._run()), now
        return await asyncio.shield(self._task)

    async def _run(self) -> Result:
        start = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT):
                facts = await self._check()
        except Exception as error:  # noqa: BLE001 - a check may raise anything; it says that the check failed
            reason = next((word for kind, word in REASONS if isinstance(error, kind)), "failed")
            events.emit(events.CHECK_FAILED, name=self.name, reason=f"{reason}: {type(error).__name__}")
            facts = {"reason": reason}
            if self.name == "redis":
                facts = {"used_memory": None, "connected": False, **facts}
            return Result(False, time.perf_counter() - start, facts)
        return Result(True, time.perf_counter() - start, facts)


def _passing(check: Check) -> Callable[[], Awaitable[dict[str, object]]]:
    async def run() -> dict[str, object]:
        if await check() is False:
            raise ValueError("the check returned False")
        return {}

    return run
