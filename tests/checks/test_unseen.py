"""Faults that are in no catalogue: found by trying what else can go wrong, each on both engines."""

import socket
from contextlib import suppress

import pytest
import redis

from redyard.checks import Facts
from tests.support.odd import diagnose, in_thread, settle, spin

STORE, CACHE = Facts(role="store"), Facts(role="cache")
FILL = "for i = 1, 3000 do redis.call('SET', 'cache:' .. i, string.rep('x', 3000)%s) end"


def fill(server, *, ends=False):
    """Write nine megabytes, or as much as it takes."""
    with server.client() as client, suppress(redis.RedisError):
        client.eval(FILL % (", 'EX', 900" if ends else ""), 0)


async def test_a_policy_that_can_remove_nothing(odd):
    """Of keys without an end, volatile-lru keeps all: more memory would not help."""
    server = odd("--maxmemory", "6mb", "--maxmemory-policy", "volatile-lru")
    fill(server)
    found = await diagnose(server)

    assert "hardly any has one" in found["P29"].cause
    assert "allkeys-lru" in found["P29"].remedy


async def test_a_cache_that_keeps_all(odd):
    """The policy is wrong, not the size; of a store it is the size."""
    server = odd("--maxmemory", "6mb")
    fill(server, ends=True)

    assert "allkeys-lru" in (await diagnose(server, facts=CACHE))["P29"].remedy
    assert "allkeys-lru" not in (await diagnose(server, facts=STORE))["P29"].remedy


async def test_a_huge_transaction(odd):
    """The slow log has nothing of it."""
    server = odd()
    pipe = server.client().pipeline(transaction=True)
    for _ in range(60):
        pipe.eval(spin(0.005), 0)
    await in_thread(pipe.execute)
    found = await diagnose(server)

    assert "transaction=False" in found["long-transaction"].remedy


async def test_a_replica_that_takes_writes(odd):
    """They are lost with its next copy."""
    primary = odd("--repl-diskless-sync-delay", 0)
    replica = odd("--replicaof", f"127.0.0.1 {primary.port}", "--replica-read-only", "no")
    settle(lambda: replica.client().info("replication")["master_link_status"] == "up")
    found = await diagnose(replica)

    assert {"own-writes"} == found.alarms


async def test_a_replica_without_the_password(odd):
    """The primary refuses it for ever; that it copies would look the same on Valkey."""
    primary = odd("--requirepass", "secret")
    replica = odd("--replicaof", f"127.0.0.1 {primary.port}")
    settle(lambda: "NOAUTH" in replica.log.read_text())
    found = await diagnose(replica)

    assert "P59" in found
    assert {"link", "copying"} & {finding.check for finding in found.examination.findings}


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("ZUNIONSTORE", "out", 2, "scores", "others"), "quiet time"),
        (("SAVE",), "BGSAVE"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
async def test_other_commands_that_take_long(odd, words, instead):
    """With what to use instead."""
    server = odd()
    for name in ("scores", "others"):
        server.do("EVAL", f"for i = 1, 100000 do redis.call('ZADD', '{name}', i, 'm' .. i) end", 0)
    server.do("SLOWLOG", "RESET")
    server.do(*words)
    found = await diagnose(server)

    assert words[0] == found["P40"].evidence["command"]
    assert instead in found["P40"].remedy


async def test_half_of_a_large_request(odd):
    """It lies in the server's memory until the rest comes."""
    server = odd()
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$40000000\r\n" + b"x" * 30_000_000)
        settle(lambda: server.client().info("memory")["mem_clients_normal"] > 20_000_000)
        found = await diagnose(server)

    assert "slowly" in found["half-request"].cause


async def test_a_database_that_is_not_there(odd):
    """The address names a number that the server has not."""
    found = await diagnose(odd("--databases", 4).url(9))

    assert "no database 9" in found["refused-step"].cause


async def test_a_log_that_is_flushed_when_the_system_likes(odd):
    """A store's; a cache has nothing to lose."""
    server = odd("--appendonly", "yes", "--appendfsync", "no")

    assert "P53" in (await diagnose(server, facts=STORE)).alarms
    assert set() == (await diagnose(server, facts=CACHE)).alarms


async def test_a_store_that_only_saves_now_and_then(odd):
    """Said, and no alarm: many live with it knowingly."""
    found = await diagnose(odd("--save", "3600 1"), facts=STORE)

    assert "since the last save" in found["P53"].cause
    assert set() == found.alarms


async def test_a_log_that_is_never_written_anew(odd):
    """It grows with each write, whatever the data do."""
    server = odd("--appendonly", "yes", "--auto-aof-rewrite-percentage", 0)
    for _ in range(4):
        server.do("EVAL", "for i = 1, 200 do redis.call('SET', 'k', string.rep('x', 100000)) end", 0)
    found = await diagnose(server, facts=STORE)

    assert "BGREWRITEAOF" in found["growing-log"].remedy


async def test_more_memory_than_there_is(odd):
    """The kernel's limit comes before the server's own."""
    found = await diagnose(odd("--maxmemory", "900gb"))

    assert {"promised"} == found.alarms


async def test_a_policy_that_will_remove_nothing(odd):
    """Before it is too late; where keys have ends it is a cache as it should be."""
    server = odd("--maxmemory-policy", "volatile-lru")
    server.do("EVAL", "for i = 1, 2000 do redis.call('SET', 'page:' .. i, string.rep('x', 10000)) end", 0)
    server.do("CONFIG", "SET", "maxmemory", int(1.05 * server.client().info("memory")["used_memory"]))
    server.do("SLOWLOG", "RESET")
    bare = await diagnose(server)
    server.do("EVAL", "for i = 1, 2000 do redis.call('EXPIRE', 'page:' .. i, 900) end", 0)
    server.do("SLOWLOG", "RESET")
    ending = await diagnose(server)

    assert {"P29"} == bare.alarms
    assert "with an end alone" in bare["P29"].cause
    assert set() == ending.alarms


async def test_memory_that_is_full_of_a_request(odd):
    """Not of keys: a larger limit would not help."""
    server = odd("--maxmemory", "12mb", "--client-query-buffer-limit", "1gb")
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$40000000\r\n" + b"x" * 30_000_000)
        settle(lambda: server.client().info("memory")["mem_clients_normal"] > 20_000_000)
        found = await diagnose(server)

    assert "not keys" in found["P29"].cause
    assert "CLIENT KILL" in found["P29"].remedy


async def test_a_command_that_is_given_nonsense(odd):
    """Its errors have no name of their own; while it goes on it is an alarm."""
    server = odd()
    server.do("HSET", "name", "visits", "many")
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for _ in range(30):
            pipe.hincrby("name", "visits")
        pipe.execute(raise_on_error=False)
    found = await diagnose(server)

    assert "HINCRBY" == found["failing"].evidence["command"]
    assert set() == found.alarms


async def test_who_emptied_it(odd):
    """Of a store without keys it is an alarm."""
    server = odd("--appendonly", "yes")
    server.do("SET", "a", 1)
    server.do("FLUSHALL")
    found = await diagnose(server, facts=STORE)

    assert {"flushed"} == found.alarms
    assert {"flushall": 1, "keys now": 0} == found["flushed"].evidence


async def test_milliseconds_for_seconds(odd):
    """Keys that were to live for a day live for centuries."""
    server = odd()
    server.do("SET", "shop:1", "x", "EXAT", 1_900_000_000_000)
    found = await diagnose(server)

    assert {"far-end"} == found.alarms


async def test_collections_without_an_index(odd):
    """By a setting that was meant to save memory."""
    found = await diagnose(odd("--hash-max-listpack-entries", 100_000))

    assert {"packed"} == found.alarms


async def test_what_is_switched_off(odd):
    """Told, and no alarm: the slow log, and the question to silent clients."""
    found = await diagnose(odd("--slowlog-max-len", 0, "--tcp-keepalive", 0))

    assert {"blind", "no-keepalive"} <= set(found)
    assert set() == found.alarms
