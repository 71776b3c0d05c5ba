"""`Kit`: the store, the cache and the queue of an app, opened and closed in the right order by its lifespan.

    kit = Kit.from_env(app="shop", queue="mails")
    app = Starlette(routes=[...], lifespan=kit.lifespan)  # as well FastAPI; and Litestar(..., lifespan=[kit.lifespan])

It needs no framework: `async with kit:` does the same in any other lifespan, and around a worker.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from redis.exceptions import AuthenticationError, RedisError

from redyard import events
from redyard.asgi.types import HTTPConnection
from redyard.cache import Cache
from redyard.client import Redis
from redyard.queue import Queue

NAME = "redyard"
"""Where an app's state has its kit: `app.state.redyard`, and `request.state.redyard` where the server passes it on."""

SETTLED_WITHIN = 1.0
"""Seconds that commands on their way have to be answered before their connection is closed."""

LOOK = 0.005
"""Seconds between looks at them."""


class Kit:
    """A store's and a cache's client, and what stands on them.

    `redis` carries sessions, limits and jobs; `memory` is the cache's. It connects to nothing before it is opened.
    """

    def __init__(self, redis: Redis, memory: Redis, *, cache: Cache | None = None, queue: Queue | None = None) -> None:
        self.redis = redis
        self.memory = memory
        self.cache = cache or Cache(memory)
        self._queue = queue

    @property
    def queue(self) -> Queue:
        """The queue, or LookupError where the kit was made without one."""
        if self._queue is None:
            raise LookupError("this app's kit has no queue: name one in `Kit.from_env(queue=...)`")
        return self._queue

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] = os.environ,
        *,
        app: str = "app",
        queue: str | Callable[[Redis], Queue] | None = None,
        cache: Callable[[Redis], Cache] = Cache,
    ) -> Self:
        """Make the clients that REDIS_URL and REDIS_CACHE_URL name.

        Args:
            app: tells this app's connections apart in a server's list.
            queue: a queue's name, or a function that makes it of the store's client.
            cache: a function that makes the cache of its client, where it needs options.
        """
        redis = Redis.from_env(environ=environ, app=app)
        memory = Redis.from_env(role="cache", environ=environ, app=app)
        made = Queue(redis, queue) if isinstance(queue, str) else queue and queue(redis)
        return cls(redis, memory, cache=cache(memory), queue=made)

    async def open(self) -> None:
        """Refuse a store that would lose jobs, or whose password is wrong; one that is away may come back."""
        if self._queue is None:
            return
        try:
            await self._queue.check()
        except AuthenticationError:
            await self.close()
            raise
        except (RedisError, OSError) as error:
            events.emit(events.REDIS_AWAY, owner="the app", reason=type(error).__name__)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let commands on their way be answered, then close: first the cache, which nothing needs, then the store."""
        for client in (self.memory, self.redis):
            await _settle(client)
            await client.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[dict[str, Any]]:
        """Be an app's lifespan, or a part of it: `async with kit.lifespan(app), database: yield`."""
        async with self:
            if hasattr(app, "state"):
                setattr(app.state, NAME, self)
            yield {NAME: self}


async def kit_of(connection: HTTPConnection) -> Kit:
    """Return the kit of the app that a request came to."""
    scope = connection.scope
    app = scope.get("app") or scope.get("litestar_app")
    kit: Kit | None = scope.get("state", {}).get(NAME) or getattr(getattr(app, "state", None), NAME, None)
    if kit is None:
        raise LookupError("no kit is open in this app: give it `lifespan=kit.lifespan`")
    return kit


async def redis_of(connection: HTTPConnection) -> Redis:
    """Return the store's client."""
    return (await kit_of(connection)).redis


async def cache_of(connection: HTTPConnection) -> Cache:
    """Return the cache."""
    return (await kit_of(connection)).cache


async def queue_of(connection: HTTPConnection) -> Queue:
    """Return the queue."""
    return (await kit_of(connection)).queue


async def _settle(client: Redis) -> None:
    deadline = time.monotonic() + SETTLED_WITHIN
    while client.in_flight and time.monotonic() < deadline:  # noqa: ASYNC110 - the lane tells nobody that it is empty
        await asyncio.sleep(LOOK)
