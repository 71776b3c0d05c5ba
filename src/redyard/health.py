"""Cheap checks for load balancers: can Redis be written, do the app's own checks pass.

A check is bounded in time, its answer kept for a moment, and never asked twice at once: a load balancer that asks
often must not be a load of its own.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import redis.exceptions
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

from redyard import events, keys
from redyard.client import Redis, raw
from redyard.reading import Reading, rows
from redyard.units import format_instant

TIMEOUT = 1.0
"""Seconds that a check may take."""

PATIENCE = 0.75
"""Seconds that Redis may take: less than the check, so that the client can still say why there is no answer."""

KEPT = 1.0
"""Seconds for which an answer is given again: Redis is written to once a second at most."""

FULL = 0.95
"""The share of its memory from which a server whose policy evicts does so."""

Check = Callable[[], Awaitable[object]]
"""A check of the app's own: it passes unless it raises or returns False."""

WORDS = {
    "NOAUTH": "refused",
    "WRONGPASS": "refused",
    "NOPERM": "refused",
    "DENIED": "refused",
    "MISCONF": "not-saving",
    "NOREPLICAS": "no-replicas",
    "BUSY": "busy",
    "max number of clients": "no-connections",
}
"""What the server's own words are called; no driver's message leaves the process."""

KINDS: tuple[tuple[type[Exception], str], ...] = (
    (OutOfMemoryError, "full"),
    (ReadOnlyError, "read-only"),
    (MasterDownError, "no-primary"),
    (ClusterDownError, "cluster-down"),
    (BusyLoadingError, "loading"),
)
"""What redis-py tells by the error's class alone: it cuts the server's word off."""

REASONS: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, "refused"),
    (TimeoutError, "timeout"),
    (redis.exceptions.TimeoutError, "timeout"),
    (OSError, "unreachable"),
    (redis.exceptions.ConnectionError, "unreachable"),
    (RedisError, "refused"),
)
"""What other failures are called."""


class Evicting(Exception):
    """The server throws away keys that must not be lost."""


class Dependency(NamedTuple):
    """A check with terms: whether the app can do without, and the seconds that it may take."""

    check: Check
    required: bool = True
    timeout: float = TIMEOUT


class Result(NamedTuple):
    """A check's answer; `facts` are further fields of its JSON."""

    healthy: bool
    latency: float
    facts: dict[str, object]
    required: bool = True

    def to_json(self) -> dict[str, object]:
        """Return the form that /redis and /complete print."""
        status = "healthy" if self.healthy else "unhealthy"
        needed = {} if self.required else {"required": False}
        return {"status": status, "latency_ms": round(self.latency * 1000, 2), **self.facts, **needed}


class Report(NamedTuple):
    """The answers of all checks, and when they were given."""

    checks: dict[str, Result]
    timestamp: float

    @property
    def healthy(self) -> bool:
        """Say whether all checks passed that the app cannot do without."""
        return all(result.healthy for result in self.checks.values() if result.required)

    @property
    def status(self) -> str:
        """Return the verdict in one word; `degraded` when only what is optional failed."""
        if not self.healthy:
            return "unhealthy"
        return "healthy" if all(result.healthy for result in self.checks.values()) else "degraded"

    def to_json(self) -> dict[str, object]:
        """Return the form that /complete prints."""
        return {
            "status": self.status,
            "checks": {name: result.to_json() for name, result in self.checks.items()},
            "timestamp": format_instant(self.timestamp),
        }

    def to_health_json(self) -> dict[str, object]:
        """Return the form of `application/health+json`."""
        words = {"healthy": "pass", "degraded": "warn", "unhealthy": "fail"}
        return {
            "status": words[self.status],
            "checks": {f"{name}:responseTime": [self._entry(result)] for name, result in self.checks.items()},
        }

    def _entry(self, result: Result) -> dict[str, object]:
        failed = "fail" if result.required else "warn"
        output = {} if result.healthy else {"output": result.facts.get("reason", "failed")}
        return {
            "status": "pass" if result.healthy else failed,
            "observedValue": round(result.latency * 1000, 2),
            "observedUnit": "ms",
            "time": format_instant(self.timestamp),
            **output,
        }


class Health:
    """Checks Redis by writing to it, and whatever else the app names.

    Args:
        redis: the server that must take writes.
        checks: the app's own, by name; a `Dependency` says that one is optional, or may take longer.
        durable: what is on the server must not be lost: one that evicts keys is unhealthy.
    """

    def __init__(
        self, redis: Redis, *, checks: Mapping[str, Check | Dependency] | None = None, durable: bool = False
    ) -> None:
        self._redis = redis.having(timeout=PATIENCE)
        self._durable = durable
        self._evicted: int | None = None
        self._probes = {"redis": _Probe("redis", Dependency(self._write))}
        self._probes |= {name: _Probe(name, _dependency(check)) for name, check in (checks or {}).items()}

    def now(self) -> float:
        """Return the time that a report bears."""
        return time.time()

    async def redis(self) -> Result:
        """Say whether Redis takes a write."""
        return await self._probes["redis"].ask()

    async def complete(self) -> Report:
        """Ask all checks at once."""
        results = await asyncio.gather(*(probe.ask() for probe in self._probes.values()))
        return Report(dict(zip(self._probes, results, strict=True)), self.now())

    async def _write(self) -> dict[str, object]:
        key = keys.TEMPORARY.make(name=f"health:{os.getpid()}")
        await raw(self._redis, "SET", key, "1", "PX", keys.TEMPORARY.lifetime.seconds * 1000)
        reading = Reading.parse(rows(await raw(self._redis, "INFO")))
        if self._durable:
            self._look_for_eviction(reading)
        return {"used_memory": reading.used_memory, "connected": True}

    def _look_for_eviction(self, reading: Reading) -> None:
        before, self._evicted = self._evicted, reading.evicted
        full = reading.maxmemory and reading.used_memory >= FULL * reading.maxmemory
        if reading.evicts and (full or (before is not None and reading.evicted > before)):
            raise Evicting(reading.policy)


class _Probe:
    """One check: bounded, kept for a moment, one at a time for all who ask."""

    def __init__(self, name: str, dependency: Dependency) -> None:
        self.name = name
        self._dependency = dependency
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
            async with asyncio.timeout(self._dependency.timeout):
                said = _passed(await self._dependency.check())
        except Exception as error:  # noqa: BLE001 - a check may raise anything; it says that the check failed
            reason = explain(error)
            events.emit(events.CHECK_FAILED, name=self.name, reason=f"{reason}: {type(error).__name__}")
            facts: dict[str, object] = {"used_memory": None, "connected": False} if self.name == "redis" else {}
            return self._result(start, {**facts, "reason": reason}, healthy=False)
        return self._result(start, said if self.name == "redis" and isinstance(said, dict) else {}, healthy=True)

    def _result(self, start: float, facts: dict[str, object], *, healthy: bool) -> Result:
        return Result(healthy, time.perf_counter() - start, facts, self._dependency.required)


def explain(error: BaseException) -> str:
    """Return one word for a failure: by the server's own, be it the cause of the client's, else by its kind."""
    for one in _causes(error):
        if isinstance(one, Evicting):
            return "evicting"
        for kind, reason in KINDS:
            if isinstance(one, kind):
                return reason
        for word, reason in WORDS.items() if isinstance(one, RedisError) else ():
            if str(one).startswith(word) or f"{word} " in str(one)[:200]:
                return reason
    return next((word for kind, word in REASONS if isinstance(error, kind)), "failed")


def http(url: str, *, within: range = range(200, 400)) -> Check:
    """Return a check that asks an address by HTTP and looks at the status: an answer alone is not health."""
    parts = urlsplit(url)
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: redyard\r\n\r\n".encode()

    async def run() -> bool:
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port or (443 if secure else 80), ssl=secure
        )
        try:
            writer.write(request)
            status = (await reader.readline()).split()
        finally:
            writer.transport.abort()
        return len(status) > 1 and status[1].isdigit() and int(status[1]) in within

    return run


def _passed(said: object) -> object:
    if said is False:
        raise ValueError("the check returned False")
    return said


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _dependency(check: Check | Dependency) -> Dependency:
    return check if isinstance(check, Dependency) else Dependency(check)
