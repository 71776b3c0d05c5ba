"""Healthy servers: the doctor stays silent. An alarm on one of these is a fault of ours."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from redyard import Queue, Redis, SessionStore
from redyard.checks import Facts
from redyard.engine.find import Engine
from tests.support.odd import diagnose, settle
from tests.support.servers import Server


async def test_a_fresh_server(odd):
    """As it comes, with rates from two readings."""
    found = await diagnose(odd(), watch=0.1)

    assert set() == found.alarms
    assert "critical" not in str(found.examination.to_json()["worst"])
    assert 0 == found.examination.status


async def test_a_full_cache(odd):
    """It is meant to be full, and to evict."""
    server = odd("--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru")
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for number in range(4000):
            pipe.set(f"cache:{number}", "x" * 4000)
        for number in range(3700, 4000):
            pipe.get(f"cache:{number}")
        pipe.execute()
    found = await diagnose(server, watch=0.1)

    assert set() == found.alarms


async def test_idle_workers(odd):
    """Sixty connections that wait for jobs are not forgotten."""
    server = odd("--appendonly", "yes")
    async with Redis.from_url(server.url()) as redis:
        await Queue(redis, "mail").add("it", {})
        await redis.delete("bull:mail:wait", "bull:mail:marker")
    with ExitStack() as stack:
        for _ in range(60):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            line.sendall(b"BLPOP bull:mail:bell 0\r\n")
        settle(lambda: server.client().info("clients")["blocked_clients"] == 60)
        found = await diagnose(server, watch=0.1)

    assert set() == found.alarms


async def test_a_read_replica(odd):
    """It refuses writes because that is what it is."""
    primary = odd("--repl-diskless-sync-delay", 0)
    replica = odd("--replicaof", f"127.0.0.1 {primary.port}")
    settle(lambda: replica.client().info("replication")["master_link_status"] == "up")
    both = [await diagnose(primary, watch=0.1), await diagnose(replica, watch=0.1)]

    assert [set(), set()] == [found.alarms for found in both]


async def test_a_session_store(odd):
    """Sessions with an end, on a disk."""
    server = odd("--maxmemory", "50mb", "--maxmemory-policy", "noeviction", "--appendonly", "yes")
    async with Redis.from_url(server.url()) as redis:
        store = SessionStore(redis)
        for number in range(30):
            await redis.hset(f"session:{number}", "user", number)
            await redis.expire(f"session:{number}", store.ttl if hasattr(store, "ttl") else 3600)
    found = await diagnose(server, watch=0.1)

    assert set() == found.alarms


async def test_the_add_on_itself(server):
    """A store of ours, seen by the app's own user."""
    found = await diagnose(server.url, facts=Facts(role="store"), watch=0.1)

    assert set() == found.alarms - {"P64", "P65", "P68", "flushed"}  # what other tests left in its counters


@pytest.fixture(params=["store", "cache"])
def add_on(engine: Engine, request: pytest.FixtureRequest) -> Iterator[tuple[Server, str]]:
    """A fresh instance of each role."""
    made = Server(engine, role=request.param)
    yield made, request.param
    made.close()


async def test_a_fresh_add_on(add_on):
    """Both roles, seen by their owner."""
    server, role = add_on
    found = await diagnose(server.admin_url, facts=Facts(role=role), watch=0.1)

    assert set() == found.alarms
