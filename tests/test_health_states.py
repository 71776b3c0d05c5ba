"""Health in each state in which PING, or redis-cli, calls a server healthy that is not: all made on real engines."""

import asyncio
import os
import shutil
import signal
import socket
import threading
import time
from contextlib import ExitStack

import httpx
import pytest

from redyard.asgi.health import HealthApp
from redyard.health import KEPT, Dependency, Health, http
from tests.support.clients import client
from tests.support.odd import settle, spin
from tests.support.servers import free_port

LOOP = "local n = 0; while true do n = n + 1 end"


async def verdict(server, *, durable=False):
    """Return what a fresh Health says: a word for what is wrong, or healthy."""
    async with client(server.url()) as redis:
        result = await Health(redis, durable=durable).redis()
    assert result.latency < 1.5
    return result.facts.get("reason", "healthy")


async def test_healthy(odd):
    """1: it takes a write."""
    assert "healthy" == await verdict(odd())


async def test_no_password(odd):
    """2: NOAUTH."""
    assert "refused" == await verdict(odd("--requirepass", "secret"))


async def test_full(odd):
    """3: PING says PONG."""
    assert "full" == await verdict(odd("--maxmemory", "1kb", "--maxmemory-policy", "noeviction"))


async def test_evicting(odd):
    """4: everything answers, and data are lost: where they must not be, it is unhealthy; a cache may."""
    server = odd("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
    server.do("EVAL", "for i = 1, 3000 do redis.call('SET', 'bull:' .. i, string.rep('x', 3000)) end", 0)

    assert "evicting" == await verdict(server, durable=True)
    assert "healthy" == await verdict(server)


async def test_saves_fail(odd):
    """5: MISCONF."""
    server = odd("--save", "3600 1", "--stop-writes-on-bgsave-error", "yes")
    server.do("SET", "a", 1)
    shutil.rmtree(server.directory)
    server.do("BGSAVE")
    settle(lambda: server.client().info("persistence")["rdb_last_bgsave_status"] == "err")
    said = await verdict(server)
    server.directory.mkdir()

    assert "not-saving" == said


async def test_a_replica(odd):
    """6: READONLY."""
    primary = odd()
    replica = odd("--replicaof", f"127.0.0.1 {primary.port}")

    assert "read-only" == await verdict(replica)


async def test_a_replica_without_its_primary(odd):
    """7: MASTERDOWN."""
    replica = odd("--replicaof", f"127.0.0.1 {free_port()}", "--replica-serve-stale-data", "no")

    assert await verdict(replica) in {"no-primary", "read-only"}


async def test_too_few_replicas(odd):
    """8: NOREPLICAS."""
    assert "no-replicas" == await verdict(odd("--min-replicas-to-write", 1))


async def test_a_cluster_that_is_down(odd):
    """9: CLUSTERDOWN."""
    assert "cluster-down" == await verdict(odd("--cluster-enabled", "yes"))


def _endless(server):
    try:
        server.do("EVAL", LOOP, 0)
    except Exception as error:  # noqa: BLE001
        assert "killed" in str(error)  # noqa: PT017


async def test_a_script_that_does_not_end(odd):
    """10: BUSY."""
    server = odd("--busy-reply-threshold", 50)
    thread = threading.Thread(target=_endless, args=(server,))
    thread.start()

    def busy():
        try:
            return not server.do("PING")
        except Exception as error:  # noqa: BLE001
            return "BUSY" in str(error)

    settle(busy)
    said = await verdict(server)
    server.do("SCRIPT", "KILL")
    thread.join()

    assert "busy" == said


async def test_a_long_script(odd):
    """11: below the threshold there is no answer at all."""
    server = odd("--busy-reply-threshold", 60_000)
    with server.client() as one:
        connection = one.connection_pool.get_connection()
        connection.send_command("EVAL", spin(4), 0)
        settle(server.silent)
        said = await verdict(server)
        connection.disconnect()

    assert said in {"timeout", "unreachable"}


async def test_a_frozen_process(odd):
    """12: as above."""
    server = odd()
    os.kill(server.process.pid, signal.SIGSTOP)

    assert await verdict(server) in {"timeout", "unreachable"}


async def test_no_connections(odd):
    """13: all are taken."""
    server = odd("--maxclients", 10)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        assert "no-connections" == await verdict(server)


async def test_loading(odd):
    """14: it reads its files.

    It answers between two keys (a piece of a file is 1 kB, as is a value): every half a millisecond, for ten seconds.
    """
    server = odd("--rdbcompression", "no")
    server.do("EVAL", "for i = 1, 20000 do redis.call('SET', 'key:' .. i, string.rep('x', 1024)) end", 0)
    server.stop(save=True)
    server.words += ["--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024"]
    server.start()

    assert "loading" == await verdict(server)


async def test_a_storm_of_probes_writes_once_a_second(odd):
    """However many balancers ask for /ready, Redis is written to and read once while the answer is kept."""
    server = odd()
    async with client(server.url()) as redis:
        app, began = HealthApp(redis), time.monotonic()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as balancer:
            answers = []
            for _ in range(10):
                answers += await asyncio.gather(*(balancer.get("/ready") for _ in range(100)))
        seconds = time.monotonic() - began
    stats = server.client().info("commandstats")

    assert {200} == {answer.status_code for answer in answers}
    assert 1 <= stats["cmdstat_set"]["calls"] <= 1 + seconds / KEPT
    assert stats["cmdstat_info"]["calls"] <= 2 + seconds / KEPT  # one is the test's own


async def test_an_optional_dependency_degrades(odd):
    """The app goes on without it, and says so; a required one within its own deadline."""
    async with client(odd().url()) as redis:
        slow = Dependency(asyncio.Event().wait, required=False, timeout=0.05)
        report = await Health(redis, checks={"search": slow}).complete()
        needed = await Health(redis, checks={"search": slow._replace(required=True)}).complete()

    assert (True, "degraded") == (report.healthy, report.status)
    assert {"status": "unhealthy", "reason": "timeout", "required": False} == {
        name: value for name, value in report.checks["search"].to_json().items() if name != "latency_ms"
    }
    assert "warn" == report.to_health_json()["checks"]["search:responseTime"][0]["status"]
    assert (False, "fail") == (needed.healthy, needed.to_health_json()["status"])


@pytest.mark.parametrize(("status", "healthy"), [("200 OK", True), ("302 Found", True), ("500 No", False), ("", False)])
async def test_a_dependency_by_http_is_judged_by_its_status(status, healthy):
    """An answer alone is not health."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode() if status else b"nonsense\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        passed = await http(f"http://127.0.0.1:{port}/health?deep=1")()

    assert healthy == passed
