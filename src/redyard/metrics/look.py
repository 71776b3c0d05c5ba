"""One look at a server for its metrics: INFO, and how the slow log stands."""

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from redyard.client import raw
from redyard.reading import rows


async def look(redis: Redis) -> dict[str, str]:
    """Return the fields of INFO; raise what the client raises."""
    return rows(await raw(redis, "INFO", "everything"))


async def look_at_slow(redis: Redis) -> dict[str, str]:
    """Return how the slow log stands, in fields like INFO's; nothing where the user may not see it."""
    try:
        latest = await raw(redis, "SLOWLOG", "GET", "1")
        length = await raw(redis, "SLOWLOG", "LEN")
    except ResponseError:
        return {}
    number, seconds = (latest[0][0] + 1, latest[0][2]) if latest else (0, 0)
    return {"slowlog_length": str(length), "slowlog_last_id": str(number), "slowlog_last_usec": str(seconds)}
