"""`MetricsApp`: what a server and this process tell, as Prometheus reads it. Mount it at /metrics."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from redis.exceptions import RedisError

from redyard.asgi.types import Receive, Scope, Send, answer, header_values
from redyard.client import Redis
from redyard.events import LOGGER
from redyard.metrics import CONTENT_TYPE, Sample, client_samples, kit, render, samples
from redyard.metrics.counts import EventCounts
from redyard.metrics.look import look, look_at_slow

Extra = Callable[[], Awaitable[str]]
"""More metrics, as Prometheus's text: a queue's figures, or the app's own."""

TIMEOUT = 2.0
"""Seconds that the server, and each source of more, may take."""


class MetricsApp:
    """Answers a scrape. A server that is away is `redis_up 0`, and this process's own figures are there."""

    def __init__(self, redis: Redis, *, extra: Iterable[Extra] = (), token: str | None = None) -> None:
        self._redis = redis.having(timeout=TIMEOUT, idempotent=True)
        self._client = redis
        self._extra = tuple(extra)
        self._token = token
        self._events = EventCounts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer one request."""
        if scope["type"] != "http":
            return None
        if scope["method"] not in {"GET", "HEAD"}:
            return await answer(send, 405, {"error": "Only GET and HEAD are allowed."}, {"allow": "GET, HEAD"})
        if not self._allowed(scope):
            return await answer(send, 401, {"error": "A token is needed."}, {"www-authenticate": "Bearer"})
        text = "".join([part async for part in self._parts()]).encode()
        lines = {"content-type": CONTENT_TYPE, "content-length": str(len(text)), "cache-control": "no-store"}
        headers = [(name.encode(), value.encode()) for name, value in lines.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        return await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else text})

    def close(self) -> None:
        """Stop counting events."""
        self._events.close()

    async def _parts(self) -> AsyncIterator[str]:
        began = time.perf_counter()
        found = list(samples(await self._look()))
        found.append(Sample(kit.SCRAPE, {}, time.perf_counter() - began))
        yield render([*found, *client_samples(self._client), *self._events.samples()])
        for part in await asyncio.gather(*(_ask(source) for source in self._extra)):
            yield part

    async def _look(self) -> dict[str, str] | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await look(self._redis) | await look_at_slow(self._redis)
        except (RedisError, OSError):
            return None

    def _allowed(self, scope: Scope) -> bool:
        if self._token is None:
            return True
        given = next(header_values(scope, b"authorization"), "")
        return secrets.compare_digest(given.encode(), f"Bearer {self._token}".encode())


async def _ask(source: Extra) -> str:
    """Return a source's text; nothing of one that fails or is late: the others are printed all the same."""
    try:
        async with asyncio.timeout(TIMEOUT):
            text = await source()
    except Exception as error:  # noqa: BLE001 - a source is the app's own and may raise anything
        LOGGER.warning("a source of metrics failed: %s", type(error).__name__)
        return ""
    return text if not text or text.endswith("\n") else text + "\n"
