"""What the user of an app may do, template by template, by really doing it on each engine."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from redyard.engine import access
from tests.engine.test_access import refusal
from tests.support.servers import Server

REFUSED = re.compile(r"NoPermission|not allowed|ACL failure|can't (run|access)|insufficient ACL")
"""How an engine says no."""

PREFIXES = ["shop:*", "bull:shop:*"]

BOUND_APP_MAY = [
    "PING", "ECHO hello", "INFO", "DBSIZE", "SELECT 1", "SET shop:k v", "GET shop:k", "INCR shop:n", "DEL shop:d",
    "HSET shop:h f v", "LPUSH shop:l 1", "SORT shop:l", "ZADD bull:shop:delayed 1 a", "BZPOPMIN bull:shop:marker 0.01",
    "XADD bull:shop:events * f v", "XREAD STREAMS bull:shop:events 0", "MGET shop:a shop:b", "RENAME shop:k shop:k2",
    "COPY shop:n shop:n2", "PUBLISH shop:news hello", "EVAL return{redis.call('GET',KEYS[1])} 1 shop:n",
    "SCRIPT LOAD return{1}", "EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "CLIENT SETNAME shop",
    "CLIENT ID", "CLIENT INFO", "MEMORY USAGE shop:n", "OBJECT ENCODING shop:n", "EXPIRE shop:n 100", "WATCH shop:k",
    "UNWATCH", "SCRIPT EXISTS abc", "COMMAND COUNT", "WAIT 0 10",
]  # fmt: skip

BOUND_APP_MAY_NOT = [
    "GET blog:k", "SET blog:k v", "DEL blog:k", "EXISTS blog:k", "TYPE blog:k", "DUMP blog:k", "MGET shop:k blog:k",
    "RENAME shop:n blog:n", "COPY blog:k shop:k", "SUNIONSTORE shop:all shop:s blog:s", "OBJECT ENCODING blog:k",
    "MEMORY USAGE blog:k", "XREAD STREAMS blog:s 0", "BLPOP blog:l 0.01", "WATCH blog:k", "PUBLISH blog:news x",
    "SUBSCRIBE blog:news", "PSUBSCRIBE *", "SORT shop:l BY blog:w_* GET blog:k", "SORT shop:l STORE blog:l",
    "SCAN 0", "KEYS *", "RANDOMKEY", "CLIENT LIST", "CLIENT TRACKING ON BCAST", "PUBSUB CHANNELS", "FUNCTION LIST",
    "FUNCTION FLUSH", "SCRIPT FLUSH", "SCRIPT KILL", "CLUSTER COUNTKEYSINSLOT 0", "FLUSHALL", "FLUSHDB", "SWAPDB 0 1",
    "CONFIG GET *", "MONITOR", "SLOWLOG GET", "ACL LIST", "SHUTDOWN NOSAVE", "DEBUG JMAP", "PSYNC ? -1", "SAVE",
    "EVAL return{redis.call('GET',ARGV[1])} 0 blog:k", "SPUBLISH blog:news x", "MOVE blog:k 1",
]  # fmt: skip

APP_MAY = [command.replace("shop:", "blog:") for command in BOUND_APP_MAY] + [
    "SCAN 0", "RANDOMKEY", "CLIENT LIST", "PUBSUB CHANNELS", "FUNCTION LIST",
]  # fmt: skip
APP_MAY_NOT = [
    "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "KEYS *", "CONFIG GET *", "CONFIG SET maxmemory 1", "CONFIG RESETSTAT",
    "SHUTDOWN NOSAVE", "DEBUG JMAP", "MONITOR", "SAVE", "BGSAVE", "BGREWRITEAOF", "LASTSAVE", "REPLICAOF NO ONE",
    "FAILOVER", "PSYNC ? -1", "SYNC", "MIGRATE 127.0.0.1 1 k 0 10", "RESTORE k 0 x", "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 10", "SLOWLOG GET", "LATENCY RESET", "MODULE LIST", "ACL LIST", "ACL WHOAMI", "CLUSTER RESET", "ROLE",
]  # fmt: skip

READER_MAY = [
    "PING", "ECHO hello", "INFO", "DBSIZE", "SELECT 1", "GET shop:n", "MGET shop:a shop:b", "STRLEN shop:n",
    "GETRANGE shop:n 0 1", "TYPE shop:n", "TTL shop:n", "EXISTS shop:n", "HGETALL shop:h", "HGET shop:h f",
    "LRANGE shop:l 0 -1", "LLEN shop:l", "SMEMBERS shop:s", "SCARD shop:s", "ZRANGE shop:z 0 -1", "ZCARD shop:z",
    "XRANGE shop:x - +", "XLEN shop:x", "HSCAN shop:h 0", "MEMORY USAGE shop:n", "OBJECT ENCODING shop:n",
    "DUMP shop:n", "SUBSCRIBE shop:news", "CLIENT SETNAME reports", "CLIENT ID", "COMMAND INFO get",
]  # fmt: skip
READER_MAY_NOT = [
    "SET shop:k v", "DEL shop:n", "GETDEL shop:n", "GETEX shop:n EX 1", "INCR shop:n", "EXPIRE shop:n 1",
    "LPUSH shop:l 1", "LPOP shop:l", "BLPOP shop:l 0.01", "HSET shop:h f v", "ZADD shop:z 1 a", "XADD shop:x * f v",
    "SORT shop:l STORE shop:m", "RENAME shop:n shop:m", "COPY shop:n shop:m", "EVAL return{1} 0", "PUBLISH shop:news x",
    "FUNCTION LIST", "SCRIPT LOAD return{1}", "FLUSHALL", "KEYS *", "CONFIG GET *", "SLOWLOG GET", "CLIENT KILL ID 1",
    "MONITOR", "PSYNC ? -1", "ACL LIST", "SHUTDOWN", "DEBUG JMAP", "BGSAVE",
]  # fmt: skip
BOUND_READER_MAY_NOT = [
    *READER_MAY_NOT, "GET blog:k", "TYPE blog:k", "DUMP blog:k", "XREAD STREAMS blog:s 0", "SUBSCRIBE blog:news",
    "SCAN 0", "RANDOMKEY", "CLIENT LIST", "CLIENT TRACKING ON BCAST", "PUBSUB CHANNELS",
]  # fmt: skip

METRICS_MAY = [
    "PING", "ECHO hello", "INFO", "INFO commandstats", "INFO memory", "INFO clients", "INFO stats", "INFO replication",
    "INFO keyspace", "INFO persistence", "INFO cpu", "INFO latencystats", "INFO errorstats", "INFO everything",
    "DBSIZE", "ROLE", "SLOWLOG LEN", "LATENCY LATEST", "LATENCY HISTOGRAM", "LATENCY HISTOGRAM get", "MEMORY STATS",
    "CLIENT LIST", "CLIENT ID", "CLIENT GETNAME", "CLIENT SETNAME exporter", "CLIENT INFO", "COMMAND INFO get",
]  # fmt: skip
METRICS_MAY_NOT = [
    "GET k", "SET k v", "TYPE k", "SCAN 0", "KEYS *", "RANDOMKEY", "MEMORY USAGE k", "OBJECT ENCODING k", "DUMP k",
    "CONFIG GET *", "CONFIG GET masterauth", "CONFIG SET maxmemory 1", "SLOWLOG GET", "SLOWLOG RESET", "LATENCY RESET",
    "CLIENT KILL ID 1", "CLIENT TRACKING ON BCAST", "SUBSCRIBE c", "PSUBSCRIBE *", "PUBLISH c m", "PUBSUB CHANNELS",
    "EVAL return{1} 0", "FUNCTION LIST", "ACL LIST", "MONITOR", "PSYNC ? -1", "FLUSHALL", "SHUTDOWN", "DEBUG JMAP",
]  # fmt: skip

FOLLOWER_MAY = ["PING", "REPLCONF capa psync2", "REPLCONF listening-port 1"]
"""All that there is for it; a real replica follows in `test_access.py`."""
FOLLOWER_MAY_NOT = [
    "GET k", "SET k v", "SCAN 0", "KEYS *", "INFO", "CONFIG GET *", "DBSIZE", "SYNC", "CLIENT LIST", "CLIENT ID",
    "EVAL return{1} 0", "SELECT 0", "PUBLISH c m", "SUBSCRIBE c", "SHUTDOWN", "ROLE", "ECHO x", "COMMAND INFO get",
    "DEL k", "REPLICAOF NO ONE", "ACL LIST", "FLUSHALL", "MONITOR", "SLOWLOG GET", "DEBUG JMAP", "BGSAVE",
]  # fmt: skip

TABLE = {
    "app": ("app", [], APP_MAY, APP_MAY_NOT),
    "app with prefixes": ("app", PREFIXES, BOUND_APP_MAY, BOUND_APP_MAY_NOT),
    "read-only": ("read-only", [], READER_MAY, READER_MAY_NOT),
    "read-only with a prefix": ("read-only", PREFIXES, READER_MAY, BOUND_READER_MAY_NOT),
    "metrics": ("metrics", [], METRICS_MAY, METRICS_MAY_NOT),
    "replication": ("replication", [], FOLLOWER_MAY, FOLLOWER_MAY_NOT),
}
"""The template, the prefixes, what must work and what must be refused."""


@contextmanager
def guest(server: Server, template: str, prefixes: list[str]) -> Iterator[None]:
    """Have the engine know an app's user for the time of a block."""
    user = access.template(template).user("guest", prefixes)
    server.admin("ACL", "SETUSER", "guest", "reset", *access.rules(user, "a-word"))
    try:
        yield
    finally:
        server.admin("ACL", "DELUSER", "guest")


def outcome(server: Server, command: str) -> str | None:
    """Run one command as the guest, on a connection of its own; return why the engine refused it, or None."""
    with redis.Redis(
        port=server.port, username="guest", password="a-word", single_connection_client=True, protocol=2
    ) as client:
        client.response_callbacks.clear()
        return refusal(client, command)


def filled(server: Server) -> None:
    """Give the commands of the tables something to read."""
    for lead in ("shop", "blog"):
        server.admin("SET", f"{lead}:k", "v")
        server.admin("SET", f"{lead}:n", "1")
        server.admin("HSET", f"{lead}:h", "f", "v")
        server.admin("RPUSH", f"{lead}:l", "1")


@pytest.mark.parametrize("name", TABLE)
def test_what_a_template_allows_works(server: Server, name: str) -> None:
    """Each command of the table is let through."""
    template, prefixes, allowed, _ = TABLE[name]
    filled(server)
    server.admin("SCRIPT", "LOAD", "return{1}")
    with guest(server, template, prefixes):
        said = {command: outcome(server, command) for command in allowed}

    assert {} == {command: why for command, why in said.items() if why and REFUSED.search(why)}


@pytest.mark.parametrize("name", TABLE)
def test_what_a_template_denies_is_refused(server: Server, name: str) -> None:
    """Each command of the table is refused, and has changed nothing."""
    template, prefixes, _, denied = TABLE[name]
    filled(server)
    with guest(server, template, prefixes):
        said = {command: outcome(server, command) for command in denied}

    assert {} == {command: why for command, why in said.items() if not REFUSED.search(why or "")}
    assert b"v" == server.admin("GET", "blog:k")


def test_tables_are_as_long_as_promised() -> None:
    """At least 25 commands of each kind for each template; a follower has no 25 that it may."""
    short = {
        name: (len(may), len(may_not))
        for name, (template, _, may, may_not) in TABLE.items()
        if len(may_not) < 25 or (len(may) < 25 and template != "replication")
    }

    assert {} == short
    assert {template for template, *_ in TABLE.values()} == {row.name for row in access.TEMPLATES}


@pytest.mark.parametrize("row", access.TEMPLATES, ids=lambda row: row.name)
def test_template_has_a_purpose(row: access.Template) -> None:
    """Each template says what it is for."""
    assert row.purpose.endswith(".")
