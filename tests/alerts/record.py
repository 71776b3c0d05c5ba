"""Record readings of real engines in the states of the rules' tests: `python -m tests.alerts.record [STATE ...]`.

Each state is two looks at an engine and the seconds between them; the second one holds only what changed.
"""

import asyncio
import json
import select
import shutil
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError

from redyard.engine.find import examine, find
from redyard.metrics.look import look, look_at_slow
from tests.support import wait
from tests.support.servers import PASSWORDS, Server

MB = 1 << 20
PLACE = Path(__file__).parent / "readings.json"
COMMAND = "python -m tests.alerts.record"
SPIN = "local n = 0 for i = 1, 2000000 do n = n + i end return n"


async def until(admin, holds):
    """Wait until the engine says of itself what makes the state: `holds` is given a function from fields to numbers."""

    async def held():
        info = await look(admin)
        return holds(lambda field: float(info.get(field, 0)))

    await wait.until(held, timeout=60)


async def until_replica(admin, holds):
    """Wait until what the engine says of its replica holds."""

    async def held():
        return holds((await admin.info("replication")).get("slave0", {}))

    await wait.until(held, timeout=60)


async def quiet(server, admin):
    for number in range(300):
        await admin.set(f"session:{number}", "x" * 100, ex=3600)
        await admin.get(f"session:{number}")


async def fill(server, admin, *, count=3000, size=4000, name="job"):
    for number in range(count):
        with suppress(RedisError):
            await admin.set(f"{name}:{number}:{time.time()}", "x" * size)


async def filling(server, admin):
    await fill(server, admin, count=60)


async def evicting(server, admin):
    await admin.config_set("maxmemory-policy", "allkeys-lru")
    await fill(server, admin)


async def full_cache(server, admin):
    """A cache that is full, as it is meant to be: much is read, little is written."""
    await admin.set("hot", "1")
    for number in range(20):
        await admin.set(f"page:{number}", "x" * 4000)
        for _ in range(20):
            await admin.get("hot")


async def thrash(server, admin):
    """A cache that is too small: what is asked for was just thrown away."""
    for number in range(3000):
        await admin.set(f"page:{number}", "x" * 4000)
        await admin.get(f"page:{number - 2500}")


async def misses(server, admin):
    for number in range(300):
        await admin.get(f"nothing:{number}")


async def idle(server, admin):
    uptime = float((await look(admin))["uptime_in_seconds"])
    await until(admin, lambda said: said("uptime_in_seconds") > uptime)


async def connections(server, admin, count=0):
    count = count or int(int((await look(admin))["maxclients"]) * 0.95)
    server.kept = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    await until(admin, lambda said: said("connected_clients") + said("rejected_connections") >= count)


async def refused(server, admin):
    await connections(server, admin, 110)


async def churn(server, admin):
    before = float((await look(admin))["total_connections_received"])
    for _ in range(100):
        socket.create_connection(("127.0.0.1", server.port)).close()
    await until(admin, lambda said: said("total_connections_received") >= before + 100)


async def workers(server, admin):
    """Idle workers: 20 clients wait in a blocking command."""
    password = PASSWORDS["default"].encode()
    server.kept = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for client in server.kept:
        client.sendall(b"AUTH default %s\r\nBLPOP bull:q:wait 0\r\n" % password)
    await until(admin, lambda said: said("blocked_clients") == len(server.kept))


async def unread(server, admin):
    """A client that asks for much and reads nothing."""
    await admin.rpush("big", *["x" * 100] * 20_000)
    client = socket.create_connection(("127.0.0.1", server.port))
    server.kept = [client]
    client.sendall(b"AUTH default %s\r\n" % PASSWORDS["default"].encode() + b"LRANGE big 0 -1\r\n" * 20)
    await asyncio.to_thread(_gone, client)


def _gone(client):
    """Wait until the engine has cut a client off, without reading what it sent: a cut shows as an error, too."""
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    assert poll.poll(60_000), "the client was not cut off"


async def overflow(server, admin):
    await admin.config_set("client-output-buffer-limit", "normal 4mb 0 0")
    await unread(server, admin)


async def clients_evicted(server, admin):
    await admin.execute_command("CLIENT", "NO-EVICT", "ON")
    await admin.config_set("maxmemory-clients", "2mb")
    await unread(server, admin)


async def logins(server, admin):
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"AUTH default wrong\r\n")
            client.recv(100)


async def rights(server, admin):
    async with redis.asyncio.Redis.from_url(server.url) as app:
        for _ in range(3):
            with suppress(RedisError):
                await app.execute_command("FLUSHALL")


async def scripts(server, admin):
    for number in range(1100):
        await admin.eval(f"return {number}", 0)


async def no_script(server, admin):
    for _ in range(50):
        with suppress(RedisError):
            await admin.evalsha("0" * 40, 0)


async def slow(server, admin):
    for _ in range(60):
        await admin.eval(SPIN, 0)


async def replica_cut_off(server, admin):
    await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
    await until(admin, lambda said: said("master_link_down_since_seconds"))


async def _follow(server, admin):
    follower = await asyncio.to_thread(Server, server.engine)
    server.more = follower
    follower.admin("CONFIG", "SET", "masteruser", "yard", "masterauth", PASSWORDS["yard"])
    follower.admin("REPLICAOF", "127.0.0.1", server.port)
    await until_replica(admin, lambda said: said.get("state") == "online")
    return follower


async def replica(server, admin):
    await _follow(server, admin)
    await quiet(server, admin)


async def replica_lags(server, admin):
    (await _follow(server, admin)).pause()
    await until_replica(admin, lambda said: said["lag"] >= 12)


async def no_save(server, admin):
    """The directory is gone: neither a snapshot nor a new log can be written."""
    shutil.rmtree(server.seat.directory)
    for command in ("BGSAVE", "BGREWRITEAOF"):
        with suppress(RedisError):
            await admin.execute_command(command)
        await until(admin, lambda said: not said("rdb_bgsave_in_progress") + said("aof_rewrite_in_progress"))


async def no_log(server, admin):
    await admin.config_set("appendonly", "no")


async def fragmented(server, admin):
    pipe = admin.pipeline(transaction=False)
    for number in range(200_000):
        pipe.set(f"k:{number}", "x" * 1000)
        if number % 1000 == 999:
            await pipe.execute()
    for number in range(200_000):
        if number % 10:
            pipe.delete(f"k:{number}")
        if number % 1000 == 999:
            await pipe.execute()
    await until(admin, lambda said: said("mem_fragmentation_ratio") > 2)


async def expiry_storm(server, admin):
    pipe = admin.pipeline(transaction=False)
    for number in range(300_000):
        pipe.set(f"k:{number}", "", px=1000)
        if number % 5000 == 4999:
            await pipe.execute()
    await until(admin, lambda said: said("expired_time_cap_reached_count") >= 5 or said("expired_keys") >= 300_000)


async def loading(server, admin):
    """It is started again with many keys, each of which takes its time."""
    pipe = admin.pipeline(transaction=False)
    for number in range(20_000):
        pipe.set(f"k:{number}", "x")
    await pipe.execute()
    await admin.config_set("key-load-delay", "500")
    await admin.config_rewrite()
    await asyncio.to_thread(server.kill)
    server.process = server.seat.spawn(server.engine)

    async def is_loading():
        with suppress(RedisError, OSError):
            return (await look(admin)).get("loading") == "1"

    await wait.until(is_loading)


async def saturated(server, admin):
    end_at = time.monotonic() + 2
    script = "for i = 1, 20000 do redis.call('PING') end"

    async def busy():
        async with redis.asyncio.Redis.from_url(server.admin_url, socket_timeout=60) as client:
            while time.monotonic() < end_at:
                await client.eval(script, 0)

    await asyncio.gather(busy(), busy())


STATES = {
    # name: (role, bytes, before the first look, between the looks)
    "quiet": ("store", 64 * MB, None, quiet),
    "workers": ("store", 64 * MB, workers, idle),
    "replica": ("store", 64 * MB, None, replica),
    "full_cache": ("cache", 8 * MB, fill, full_cache),
    "full": ("store", 8 * MB, fill, fill),
    "filling": ("store", 8 * MB, lambda s, a: fill(s, a, count=1000), filling),
    "evicting": ("store", 8 * MB, None, evicting),
    "thrash": ("cache", 8 * MB, thrash, thrash),
    "misses": ("cache", 8 * MB, None, misses),
    "connections": ("store", 64 * MB, None, connections),
    "refused": ("store", 64 * MB, None, refused),
    "churn": ("store", 64 * MB, None, churn),
    "overflow": ("store", 64 * MB, None, overflow),
    "clients_evicted": ("store", 64 * MB, None, clients_evicted),
    "logins": ("store", 64 * MB, None, logins),
    "rights": ("store", 64 * MB, None, rights),
    "scripts": ("store", 64 * MB, None, scripts),
    "no_script": ("store", 64 * MB, None, no_script),
    "slow": ("store", 64 * MB, None, slow),
    "saturated": ("store", 64 * MB, None, saturated),
    "replica_cut_off": ("store", 64 * MB, None, replica_cut_off),
    "replica_lags": ("store", 64 * MB, None, replica_lags),
    "no_save": ("store", 64 * MB, None, no_save),
    "no_log": ("store", 64 * MB, None, no_log),
    "fragmented": ("store", 512 * MB, None, fragmented),
    "expiry_storm": ("store", 256 * MB, None, expiry_storm),
    "loading": ("store", 64 * MB, None, loading),
}


def end(server):
    for client in server.kept:
        client.close()
    if server.more:
        server.more.close()
    with suppress(FileNotFoundError):
        server.close()


async def record(engine, name):
    role, memory, before, between = STATES[name]
    server = await asyncio.to_thread(Server, engine, role=role, memory=memory)
    server.kept, server.more = [], None
    try:
        async with redis.asyncio.Redis.from_url(server.admin_url, socket_timeout=60) as admin:
            if before:
                await before(server, admin)
            first, began = await look(admin), time.monotonic()
            first |= await look_at_slow(admin)
            await between(server, admin)
            second = await look(admin)
            seconds = round(time.monotonic() - began, 3)
            with suppress(RedisError):
                second |= await look_at_slow(admin)
    finally:
        await asyncio.to_thread(end, server)
    private = (
        "executable",
        "config_file",
        "run_id",
        "master_replid",
        "process_id",
        "os",
        "tcp_port",
        "availability_zone",
    )
    first = {field: value for field, value in first.items() if field not in private}
    changed = {field: value for field, value in second.items() if field not in private and first.get(field) != value}
    return {"role": role, "seconds": seconds, "first": first, "changed": changed}


async def main(names):
    with tempfile.TemporaryDirectory(prefix="redyard-test-"):
        engines = {"valkey": find(), "redis7": examine(shutil.which("redis-server"))}
        found = {
            "made by": COMMAND,
            "engines": {name: engine.version for name, engine in engines.items()},
            "states": {},
        }
        if names and PLACE.exists():
            found["states"] = json.loads(PLACE.read_text())["states"]
        for name in names or STATES:
            found["states"][name] = {label: await record(engine, name) for label, engine in engines.items()}
            print(name, flush=True)
            PLACE.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
