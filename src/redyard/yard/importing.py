"""Another Redis' data into a new store, live: the store's engine follows it as a replica until it has everything.

For the last bytes the source is paused, where its user may do that; then the store goes its own way. The source is left
as it was: whoever wants to go back goes on there.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import redis.asyncio
from redis.exceptions import RedisError

from redyard.client.url import check_url
from redyard.engine.files import last_lines
from redyard.errors import FollowRefused
from redyard.yard.following import LOOK, progress_of, refusal
from redyard.yard.move import PAUSE, old_side
from redyard.yard.side import Side
from redyard.yard.supervisor import Instance

LINKED_WITHIN = 10.0
"""Seconds without any progress, after which the source is taken for one that cannot be followed."""


class Brought(NamedTuple):
    """How it went: seconds in all, seconds of the source's pause (None where its user may not pause it)."""

    seconds: float
    pause: float | None


async def bring(instance: Instance, url: str) -> Brought:
    """Fill a new, empty store from the Redis at an address; raise FollowRefused where that cannot be followed."""
    began = time.monotonic()
    parts = urlsplit(check_url(url))
    if parts.scheme != "redis":
        raise FollowRefused(reason="the engine follows over plain TCP only")
    side = old_side(instance)
    source: Any = redis.asyncio.Redis.from_url(url, protocol=2, socket_timeout=LINKED_WITHIN)
    try:
        login = unquote(parts.username or ""), unquote(parts.password or "")
        await side.run("CONFIG", "SET", "masteruser", login[0], "masterauth", login[1])
        await side.run("REPLICAOF", parts.hostname, parts.port or 6379)
        await _copied(side, instance)
        pause = await _cut_over(side, source)
        return Brought(time.monotonic() - began, pause)
    except (RedisError, OSError) as error:
        raise FollowRefused(reason=f"{type(error).__name__}: {error}") from None
    finally:
        with suppress(RedisError, OSError):
            await side.run("REPLICAOF", "NO", "ONE")
            await side.run("CONFIG", "SET", "masteruser", "", "masterauth", "")
        await source.aclose()
        await side.admin.close()
        instance.tell("")


async def _copied(side: Side, instance: Instance) -> None:
    seen, since = "", time.monotonic()
    while (now := await progress_of(side, log=True)) is not None:
        if now != seen:
            seen, since = now, time.monotonic()
            instance.tell(now)
        if (said := refusal(side)) or time.monotonic() - since > LINKED_WITHIN:
            raise FollowRefused(reason=f"{now}; {said or last_lines(side.seat.log, 3)}")
        await asyncio.sleep(LOOK)


async def _cut_over(side: Side, source: Any) -> float | None:
    """Have the last bytes while the source is paused, and stop following; return the seconds of the pause."""
    began = time.monotonic()
    try:
        await source.execute_command("CLIENT", "PAUSE", round(PAUSE * 1000), "WRITE")
    except RedisError:
        await side.run("REPLICAOF", "NO", "ONE")
        return None
    try:
        wanted = (await source.info("replication"))["master_repl_offset"]
        while (await side.facts("replication")).get("slave_repl_offset", -1) < wanted:
            if time.monotonic() - began > PAUSE:
                raise FollowRefused(reason="it writes faster than it can be followed")
            await asyncio.sleep(0.001)
        await side.run("REPLICAOF", "NO", "ONE")
    finally:
        with suppress(RedisError, OSError):
            await source.execute_command("CLIENT", "UNPAUSE")
    return time.monotonic() - began
