"""Which way a command goes: a table of what cannot share a connection, and of what may be sent twice.

Everything else shares the lane and is sent once.
"""

from enum import Enum
from typing import Any, NamedTuple

from redis.exceptions import DataError

_STATE = "it changes the connection, which all callers share; use `redis.client()` for a connection of your own"
_OWN = "it takes the whole connection; use `redis.{}()`"

REFUSED = {
    "SELECT": "it changes the database for all callers; put the number into the URL",
    "AUTH": _STATE,
    "HELLO": _STATE,
    "RESET": _STATE,
    "QUIT": "it ends the connection that all callers share; use `await redis.aclose()`",
    "ASKING": _STATE,
    "READONLY": _STATE,
    "READWRITE": _STATE,
    "CLIENT REPLY": _STATE,
    "CLIENT TRACKING": _STATE,
    "CLIENT CACHING": _STATE,
    "CLIENT IMPORT-SOURCE": _STATE,
    "CLIENT NO-EVICT": _STATE,
    "CLIENT NO-TOUCH": _STATE,
    "MULTI": "other callers' commands would join the transaction; use `redis.pipeline()`",
    "EXEC": "there is no transaction to run; use `redis.pipeline()`",
    "DISCARD": "there is no transaction to drop; use `redis.pipeline()`",
    "WATCH": "it watches for all callers; use `redis.pipeline()` and its `watch`",
    "UNWATCH": "nothing is watched here; use `redis.pipeline()`",
    "MONITOR": _OWN.format("monitor"),
    "SUBSCRIBE": _OWN.format("pubsub"),
    "PSUBSCRIBE": _OWN.format("pubsub"),
    "SSUBSCRIBE": _OWN.format("pubsub"),
    "UNSUBSCRIBE": _OWN.format("pubsub"),
    "PUNSUBSCRIBE": _OWN.format("pubsub"),
    "SUNSUBSCRIBE": _OWN.format("pubsub"),
    "SYNC": "it turns the connection into a replica's",
    "PSYNC": "it turns the connection into a replica's",
}
"""Commands that a shared connection cannot carry, and what to use instead."""

_SINGLE_READS = (
    "BITCOUNT BITFIELD_RO BITPOS CLUSTERSCAN DBSIZE DUMP ECHO EVAL_RO EVALSHA_RO EXISTS EXPIRETIME FCALL_RO "
    "GEODIST GEOHASH GEOPOS GEORADIUS_RO GEORADIUSBYMEMBER_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS HEXPIRETIME "
    "HGET HGETALL HKEYS HLEN HMGET HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSTRLEN HTTL HVALS INFO KEYS LASTSAVE LCS "
    "LINDEX LLEN LOLWUT LPOS LRANGE MGET PEXPIRETIME PFCOUNT PING PTTL RANDOMKEY ROLE SCAN SCARD SDIFF SINTER "
    "SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO SRANDMEMBER SSCAN STRLEN SUBSTR SUNION TIME TOUCH TTL TYPE "
    "XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER "
    "ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE "
    "ZUNION "
)
READS = frozenset(_SINGLE_READS.split()) | {
    *("ACL CAT", "ACL GETUSER", "ACL LIST", "ACL USERS", "ACL WHOAMI"),
    *("CLIENT GETNAME", "CLIENT ID", "CLIENT INFO", "CLIENT LIST"),
    *("CLUSTER INFO", "CLUSTER KEYSLOT", "CLUSTER MYID", "CLUSTER NODES", "CLUSTER SHARDS", "CLUSTER SLOTS"),
    *("COMMAND", "COMMAND COUNT", "COMMAND DOCS", "COMMAND GETKEYS", "COMMAND INFO", "COMMAND LIST"),
    *("CONFIG GET", "FUNCTION DUMP", "FUNCTION LIST", "FUNCTION STATS"),
    *("LATENCY DOCTOR", "LATENCY GRAPH", "LATENCY HISTOGRAM", "LATENCY HISTORY", "LATENCY LATEST"),
    *("MEMORY DOCTOR", "MEMORY MALLOC-STATS", "MEMORY STATS", "MEMORY USAGE"),
    *("OBJECT ENCODING", "OBJECT FREQ", "OBJECT IDLETIME", "OBJECT REFCOUNT"),
    *("PUBSUB CHANNELS", "PUBSUB NUMPAT", "PUBSUB NUMSUB", "PUBSUB SHARDCHANNELS", "PUBSUB SHARDNUMSUB"),
    *("SCRIPT EXISTS", "SLOWLOG GET", "SLOWLOG LEN"),
    *("XINFO CONSUMERS", "XINFO GROUPS", "XINFO STREAM"),
}
"""Commands that change nothing, so that they may be sent again when their answer was lost. A test asks real engines."""

FAMILIES = frozenset(name.partition(" ")[0] for name in (*REFUSED, *READS) if " " in name)
"""Commands whose second word says what they are."""


class Way(Enum):
    """How a command travels."""

    SHARED = "on the lane"
    BLOCKING = "on a connection of its own, for as long as it may block"
    REFUSED = "not at all"


class Route(NamedTuple):
    """A command's way, whether it may be sent twice, and why it is refused."""

    way: Way
    safe: bool = False
    reason: str = ""


def route(words: tuple[Any, ...], *, blocks: bool) -> Route:
    """Return a command's route by its first words."""
    name = full_name(words)
    if name in REFUSED:
        return Route(Way.REFUSED, reason=f"{name} is refused: {REFUSED[name]}")
    if blocks:
        return Route(Way.BLOCKING)
    return Route(Way.SHARED, safe=name in READS)


def split(words: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the words with a name such as "CONFIG GET" as the two that the protocol wants."""
    name = words[0]
    if not isinstance(name, (str, bytes)) or not (parts := name.split()):
        raise DataError(f"a command begins with its name as text, not with {name!r}")
    return (*parts, *words[1:]) if parts != [name] else words


def full_name(words: tuple[Any, ...]) -> str:
    """Return the command's name in capitals, with its second word where that belongs to it."""
    first, *rest = split(words)
    name = text(first).upper()
    return f"{name} {text(rest[0]).upper()}" if name in FAMILIES and rest else name


def text(word: Any) -> str:
    """Return a command's word as text."""
    return word.decode(errors="replace") if isinstance(word, bytes) else str(word)
