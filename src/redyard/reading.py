"""One look at a server, by INFO: which engine it is, what it holds and how it fares.

The only place that interrogates a server: metrics print a reading, checks judge it, queues and sessions ask it whether
the server may throw keys away.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec
from redis.asyncio import Redis

from redyard.errors import EvictingServer, ServerTooOld


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself; sizes in bytes, times in seconds, None for what it does not say."""

    engine: str
    version: str
    redis_version: str
    mode: str
    role: str
    run_id: str
    process_id: int
    uptime: int
    used_memory: int
    rss: int
    maxmemory: int
    policy: str | None
    connected_clients: int
    maxclients: int | None
    loading: bool
    aof_enabled: bool
    aof_ok: bool
    rdb_ok: bool
    rdb_last_save: int
    evicted: int
    expired: int
    hits: int
    misses: int
    keys: dict[int, int]
    history: str = ""
    offset: int = 0

    @classmethod
    async def take(cls, redis: Redis) -> Self:
        """Ask a server; any asyncio client of redis-py will do."""
        return cls.parse(await redis.info())

    @classmethod
    def parse(cls, info: Mapping[str, Any]) -> Self:
        """Read what INFO answered."""
        valkey = info.get("valkey_version")
        return cls(
            engine=str(info.get("server_name") or ("valkey" if valkey else "redis")),
            version=str(valkey or info.get("redis_version", "")),
            redis_version=str(info.get("redis_version", "")),
            mode=str(info.get("redis_mode") or info.get("server_mode") or "standalone"),
            role=str(info.get("role", "master")),
            run_id=str(info.get("run_id", "")),
            process_id=int(info.get("process_id", 0)),
            uptime=int(info.get("uptime_in_seconds", 0)),
            used_memory=int(info.get("used_memory", 0)),
            rss=int(info.get("used_memory_rss", 0)),
            maxmemory=int(info.get("maxmemory", 0)),
            policy=info.get("maxmemory_policy"),
            connected_clients=int(info.get("connected_clients", 0)),
            maxclients=info.get("maxclients"),
            loading=bool(info.get("loading", 0)),
            aof_enabled=bool(info.get("aof_enabled", 0)),
            aof_ok=info.get("aof_last_write_status", "ok") == "ok" and _rewritten(info),
            rdb_ok=info.get("rdb_last_bgsave_status", "ok") == "ok",
            rdb_last_save=int(info.get("rdb_last_save_time", 0)),
            evicted=int(info.get("evicted_keys", 0)),
            expired=int(info.get("expired_keys", 0)),
            hits=int(info.get("keyspace_hits", 0)),
            misses=int(info.get("keyspace_misses", 0)),
            keys={
                int(name[2:]): int(row["keys"])
                for name, row in info.items()
                if name.startswith("db") and name[2:].isdecimal() and isinstance(row, Mapping)
            },
            history=str(info.get("master_replid", "")),
            offset=int(info.get("master_repl_offset", 0)),
        )

    @property
    def evicts(self) -> bool:
        """Say whether the server throws keys away when its memory is full."""
        return self.policy not in {None, "noeviction"}

    @property
    def major(self) -> int:
        """Return the major version of Redis that the server is, or is compatible with."""
        number = self.redis_version.partition(".")[0]
        return int(number) if number.isdecimal() else 0

    @property
    def total_keys(self) -> int:
        """Return the number of keys in all databases."""
        return sum(self.keys.values())


class Guard:
    """Refuses a server that may lose what `owner` keeps on it; it asks once, at the first use."""

    def __init__(self, redis: Redis, owner: str, *, allow_eviction: bool = False, minimum: int = 0) -> None:
        self._redis = redis
        self._owner = owner
        self._allow_eviction = allow_eviction
        self._minimum = minimum
        self._passed = False

    async def check(self) -> None:
        """Raise EvictingServer or ServerTooOld, or return; a server that passed is not asked again."""
        if self._passed:
            return
        reading = await Reading.take(self._redis)
        if reading.major < self._minimum and reading.redis_version:
            raise ServerTooOld(owner=self._owner, minimum=self._minimum, engine=reading.engine, version=reading.version)
        if reading.evicts and not self._allow_eviction:
            raise EvictingServer(owner=self._owner, policy=reading.policy)
        self._passed = True


def _rewritten(info: Mapping[str, Any]) -> bool:
    return bool(info.get("aof_last_bgrewrite_status", "ok") == "ok")
