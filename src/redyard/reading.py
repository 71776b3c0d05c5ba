"""One look at a server: which engine it is, what it holds and how it fares.

The only place that interrogates a server: metrics print a reading, checks judge it, queues and sessions ask it whether
the server may throw keys away. `take` is one INFO, cheap enough for every second; `survey` asks everything that the
user may see, once, and notes what it may not. Two readings give rates.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Self

import msgspec
from redis.asyncio import Redis

from redyard.client import raw
from redyard.errors import EvictingServer, ServerTooOld

Ask = Callable[..., Awaitable[Any]]
"""Sends the words of one command and returns its reply as it came; raises what it was refused with."""

ASK_WITHIN = 1.0
"""Seconds that one question of a survey may take."""

ENTRIES = 128
"""Entries of the slow log, and of each other log, that a survey reads."""

QUESTIONS: dict[str, tuple[object, ...]] = {
    "config": ("CONFIG", "GET", "*"),
    "clients": ("CLIENT", "LIST"),
    "slow": ("SLOWLOG", "GET", ENTRIES),
    "large_replies": ("COMMANDLOG", "GET", ENTRIES, "large-reply"),
    "large_requests": ("COMMANDLOG", "GET", ENTRIES, "large-request"),
    "latency": ("LATENCY", "LATEST"),
    "denials": ("ACL", "LOG", ENTRIES),
    "memory": ("MEMORY", "STATS"),
    "server_time": ("TIME",),
    "event_channels": ("PUBSUB", "CHANNELS", "__key*"),
    "nodes": ("CLUSTER", "NODES"),
}
"""What a survey asks beside INFO, by the field of the reading that the answer fills."""

OF_CLUSTERS = frozenset({"nodes"})
"""Questions that a server alone would count as errors."""


def questions(info: Mapping[str, str]) -> dict[str, tuple[object, ...]]:
    """Return those of QUESTIONS that are asked of a server whose INFO says this."""
    clustered = info.get("cluster_enabled") == "1"
    return {field: words for field, words in QUESTIONS.items() if clustered or field not in OF_CLUSTERS}


class Database(NamedTuple):
    """A database's keys, how many of them expire, and their mean time to live in seconds."""

    keys: int
    expires: int = 0
    ttl: float = 0.0


class Logged(NamedTuple):
    """An entry of the slow log (`cost` in seconds) or of the log of large commands (`cost` in bytes)."""

    time: int
    cost: float
    words: tuple[str, ...]
    client: str = ""

    @property
    def command(self) -> str:
        """Return the command's name."""
        return self.words[0].upper() if self.words else ""


class Denial(NamedTuple):
    """An entry of the ACL log: who was refused, by which rule, for what, how often, and seconds ago."""

    reason: str
    user: str
    object: str
    times: int
    age: float


class Node(NamedTuple):
    """A node of a cluster: its address, its flags (`myself`, `fail`, ...), its slots, and those that are half moved."""

    address: str
    flags: frozenset[str]
    ranges: tuple[range, ...]
    moving: tuple[str, ...]

    @property
    def slots(self) -> int:
        """Return how many slots it serves."""
        return sum(map(len, self.ranges))


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself; sizes in bytes, times in seconds, None for what it does not say.

    `info` holds all fields of INFO as they came. The fields from `config` on are filled by `survey` alone; `unasked`
    says which of them could not be filled, and why.
    """

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
    databases: dict[int, Database] = {}
    info: dict[str, str] = {}
    taken_at: float = 0.0
    config: dict[str, str] = {}
    clients: list[dict[str, str]] = []
    slow: list[Logged] = []
    large_replies: list[Logged] = []
    large_requests: list[Logged] = []
    latency: dict[str, float] = {}
    denials: list[Denial] = []
    memory: dict[str, str] = {}
    server_time: float | None = None
    event_channels: list[str] = []
    nodes: list[Node] = []
    unasked: dict[str, str] = {}
    history: str = ""
    offset: int = 0

    @classmethod
    async def take(cls, redis: Redis) -> Self:
        """Ask a server; any asyncio client of redis-py will do."""
        return cls.parse(rows(await raw(redis, "INFO", "everything")), taken_at=time.time())

    @classmethod
    async def survey(cls, ask: Ask, *, clock: Callable[[], float] = time.time) -> Self:
        """Ask all that the user may see; a question that is refused or late is noted and costs no other."""
        found: dict[str, Any] = {}
        unasked: dict[str, str] = {}

        async def note(field: str, words: tuple[object, ...]) -> None:
            try:
                async with asyncio.timeout(ASK_WITHIN):
                    found[field] = READERS[field](await ask(*words))
            except Exception as error:  # noqa: BLE001 - whatever went wrong: it could not be asked
                unasked[field] = str(error) or type(error).__name__

        await note("info", ("INFO", "everything"))
        for field, words in questions(found.get("info", {})).items():
            await note(field, words)
        reading = cls.parse(found.pop("info", {}), taken_at=clock())
        return msgspec.structs.replace(reading, **found, unasked=unasked)

    @classmethod
    def parse(cls, info: Mapping[str, Any], *, taken_at: float = 0.0) -> Self:
        """Read what INFO answered, as text or as redis-py parses it."""
        valkey = info.get("valkey_version")
        databases = {int(name[2:]): _database(row) for name, row in info.items() if _is_database(name)}
        return cls(
            engine=str(info.get("server_name") or ("valkey" if valkey else "redis")),
            version=str(valkey or info.get("redis_version", "")),
            redis_version=str(info.get("redis_version", "")),
            mode=str(info.get("redis_mode") or info.get("server_mode") or "standalone"),
            role=str(info.get("role", "master")),
            run_id=str(info.get("run_id", "")),
            process_id=_whole(info, "process_id"),
            uptime=_whole(info, "uptime_in_seconds"),
            used_memory=_whole(info, "used_memory"),
            rss=_whole(info, "used_memory_rss"),
            maxmemory=_whole(info, "maxmemory"),
            policy=info.get("maxmemory_policy"),
            connected_clients=_whole(info, "connected_clients"),
            maxclients=_whole(info, "maxclients") if "maxclients" in info else None,
            loading=bool(_whole(info, "loading")),
            aof_enabled=bool(_whole(info, "aof_enabled")),
            aof_ok=info.get("aof_last_write_status", "ok") == "ok" and _rewritten(info),
            rdb_ok=info.get("rdb_last_bgsave_status", "ok") == "ok",
            rdb_last_save=_whole(info, "rdb_last_save_time"),
            evicted=_whole(info, "evicted_keys"),
            expired=_whole(info, "expired_keys"),
            hits=_whole(info, "keyspace_hits"),
            misses=_whole(info, "keyspace_misses"),
            keys={number: database.keys for number, database in databases.items()},
            databases=databases,
            info={name: str(value) for name, value in info.items()},
            taken_at=taken_at,
            history=str(info.get("master_replid", "")),
            offset=_whole(info, "master_repl_offset"),
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

    def number(self, field: str) -> float:
        """Return a field of INFO as a number, 0 where the server does not have it."""
        try:
            return float(self.info.get(field, 0))
        except ValueError:
            return 0.0

    def row(self, field: str) -> dict[str, float]:
        """Return the numbers of a field such as `cmdstat_get` or `errorstat_OOM`, by name; none where it is absent."""
        return _numbers(self.info.get(field, ""))

    def setting(self, name: str) -> int | None:
        """Return a number of the configuration, None where it could not be asked."""
        value = self.config.get(name, "")
        return int(value) if value.isdecimal() else None


class Rates(NamedTuple):
    """What happened between two readings of one server."""

    before: Reading
    after: Reading

    @property
    def seconds(self) -> float:
        """Return the time between the readings; 0 where they cannot be compared: the server was restarted."""
        same = self.before.run_id == self.after.run_id
        return max(0.0, self.after.taken_at - self.before.taken_at) if same else 0.0

    def change(self, field: str) -> float:
        """Return by how much a counter of INFO grew; 0 where it was reset."""
        return max(0.0, self.after.number(field) - self.before.number(field)) if self.seconds else 0.0

    def rate(self, field: str) -> float:
        """Return by how much a counter of INFO grew in a second."""
        return self.change(field) / self.seconds if self.seconds else 0.0

    @property
    def hit_ratio(self) -> float | None:
        """Return the share of lookups that found a key, None without lookups."""
        hits, misses = self.change("keyspace_hits"), self.change("keyspace_misses")
        return hits / (hits + misses) if hits + misses else None


def rows(info: Any) -> dict[str, str]:
    """Return the fields of INFO's text."""
    pairs = (line.partition(":") for line in text(info).splitlines() if not line.startswith("#"))
    return {name: value for name, mark, value in pairs if mark}


def text(value: Any) -> str:
    """Return a part of a reply as text."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def pairs(reply: Any) -> dict[str, Any]:
    """Return names and values of a reply that is a map in RESP3 and a list in RESP2."""
    if isinstance(reply, Mapping):
        return {text(name): value for name, value in reply.items()}
    return {text(name): value for name, value in zip(reply[::2], reply[1::2], strict=False)}


def _texts(reply: Any) -> dict[str, str]:
    return {name: text(value) for name, value in pairs(reply).items()}


def _clients(reply: Any) -> list[dict[str, str]]:
    lines = (line.split(" ") for line in text(reply).splitlines())
    return [{name: value for name, _, value in (word.partition("=") for word in line)} for line in lines]


def _log(reply: Any, scale: float = 1.0) -> list[Logged]:
    return [
        Logged(int(entry[1]), float(entry[2]) * scale, tuple(map(text, entry[3])), text(entry[4]) if entry[4:] else "")
        for entry in reply
    ]


def _denials(reply: Any) -> list[Denial]:
    found = []
    for entry in map(pairs, reply):
        reason, user, what = (text(entry.get(name, "")) for name in ("reason", "username", "object"))
        found.append(Denial(reason, user, what, int(entry["count"]), float(text(entry["age-seconds"]))))
    return found


def nodes(reply: Any) -> list[Node]:
    """Return the nodes of which CLUSTER NODES tells."""
    return [_node(line.split()) for line in text(reply).splitlines() if line.count(" ") >= LEAST - 1]


def _node(words: list[str]) -> Node:
    ends = [word.partition("-")[::2] for word in words[LEAST:] if word[0] != "["]
    ranges = tuple(range(int(first), int(last or first) + 1) for first, last in ends)
    moving = tuple(word.strip("[").partition("-")[0] for word in words[LEAST:] if word[0] == "[")
    return Node(words[1].partition("@")[0], frozenset(words[2].split(",")), ranges, moving)


LEAST = 8
"""Words of a node's line before its slots."""


READERS: dict[str, Callable[[Any], Any]] = {
    "info": rows,
    "config": _texts,
    "clients": _clients,
    "slow": lambda reply: _log(reply, 1e-6),
    "large_replies": _log,
    "large_requests": _log,
    "latency": lambda reply: {text(event[0]): float(event[3]) / 1000 for event in reply},
    "denials": _denials,
    "memory": _texts,
    "server_time": lambda reply: float(reply[0]) + float(reply[1]) / 1e6,
    "event_channels": lambda reply: sorted(map(text, reply)),
    "nodes": nodes,
}
"""How the answer to each question is read."""


def _is_database(name: str) -> bool:
    return re.fullmatch("db[0-9]{1,9}", name) is not None


def _database(row: Any) -> Database:
    numbers = row if isinstance(row, Mapping) else _numbers(str(row))
    return Database(_whole(numbers, "keys"), _whole(numbers, "expires"), float(numbers.get("avg_ttl", 0)) / 1000)


def _whole(fields: Mapping[str, Any], name: str) -> int:
    """Return a field as a number, 0 where the server has none or nonsense: a look must not fail for one field."""
    try:
        return int(fields.get(name, 0))
    except (ValueError, OverflowError):
        return 0


def _numbers(row: str) -> dict[str, float]:
    found = {}
    for name, mark, value in (part.partition("=") for part in row.split(",")):
        if mark:
            try:
                found[name] = float(value)
            except ValueError:
                continue
    return found


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
