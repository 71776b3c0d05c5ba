"""Add-ons with TLS, by an engine that has it and by an edge before one that has not: the same for apps."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import redis

from redyard import Redis
from redyard.engine.lock import leader
from redyard.engine.process import Process
from redyard.errors import AddressUnusable, NotEncrypted
from redyard.yard import addresses, certificates
from redyard.yard.authority import Authority
from tests.support.load import Load
from tests.support.wait import until, wait_until
from tests.support.yards import Sandbox

APP = "import asyncio; from redyard import Redis; print(asyncio.run(Redis.from_env().ping()))"


async def call(function: object, *args: object, **options: object) -> object:
    return await asyncio.to_thread(function, *args, **options)


def app(yard: Sandbox, name: str | None = None, **changes: str) -> Redis:
    return Redis.from_env(environ={**yard.calls.variables(name), **changes})


def edge_pid(yard: Sandbox, name: str = "redis-store") -> int:
    return next(item for item in yard.calls.certificates()["instances"] if item["name"] == name)["edge_pid"]


def age(yard: Sandbox) -> None:
    """Put a certificate of the yard's authority in place that was made 61 days ago: it is due."""
    by = Authority(yard.home.authorities).signer
    made = certificates.make_server(by, "redis-store", ["127.0.0.1", "::1"], now=time.time() - 61 * certificates.DAY)
    (yard.home.instances / "redis-store" / "tls" / "server.pem").write_text(made.pem)


def drops(load: Load) -> int:
    """Return how many connections the app's client had to make beyond the first."""
    return load.client.stats.connects - 1


async def test_an_app_needs_no_flag(each_yard: Sandbox) -> None:
    """`redyard run` gives the address and the authority; the kit trusts that and nothing else; plain is not served."""
    added = await call(each_yard.json, "add", "redis", "--tls")
    variables = each_yard.calls.variables()
    done = await call(each_yard.run, "run", "--", sys.executable, "-c", APP)

    assert ("True\n", 0) == (done.stdout, done.returncode), done.stderr
    assert ["rediss", "rediss"] == [variables[name].partition(":")[0] for name in ("REDIS_URL", "REDIS_CACHE_URL")]
    assert "REDISHOST" not in variables
    assert all(item["encryption"].startswith("TLS by") for item in added["instances"])
    async with app(each_yard, REDIS_URL=variables["REDIS_URL"].replace("rediss:", "redis:")) as plain:
        with pytest.raises(redis.RedisError, match="speaks TLS"):
            await plain.ping()
    seen = await call(each_yard.run, "doctor", "redis-store", "--json")
    assert not {"unknown-authority", "P13"} & set(seen.stdout.split('"')), seen.stdout


async def test_nobody_is_dropped_by_new_certificates(each_yard: Sandbox) -> None:
    """Under load, certificates and the authority are made anew: 0 connections end, 0 commands fail; new ones see it."""
    await call(each_yard.json, "add", "redis", "--role", "store", "--tls")
    before = each_yard.calls.certificates()["instances"][0]["serial"]
    async with Load(app(each_yard)) as load:
        await until(lambda: load.popped)
        for _ in range(3):
            await call(each_yard.calls.renew, "redis")
        renewed = await call(each_yard.calls.renew, "redis", authority=True)
        written = len(load.written)
        await until(lambda: len(load.written) > written)
        dropped = drops(load)

    assert (0, []) == (dropped, load.errors)
    assert [True, False] == [item["signs"] for item in renewed["authorities"]]
    async with app(each_yard) as fresh:
        assert await fresh.ping()
        certificate = fresh._lane._link.transport.get_extra_info("peercert")
    assert before != renewed["instances"][0]["serial"] == certificate["serialNumber"].lower().lstrip("0")


async def test_moves_lose_nothing(each_yard: Sandbox) -> None:
    """Scaled up by a move and restarted under load: no error in the kit, every write is there, the port stays."""
    await call(each_yard.json, "add", "redis", "--role", "store", "--tls")
    url = each_yard.calls.variables()["REDIS_URL"]
    async with Load(app(each_yard)) as load:
        await until(lambda: load.popped)
        await call(each_yard.json, "scale", "redis", "1gb", "--move")
        await call(each_yard.json, "restart", "redis")

    assert url == each_yard.calls.variables()["REDIS_URL"]
    async with app(each_yard) as other:
        assert [] == [str(error) for error in load.errors]
        assert set() == await load.missing(other)
        assert 0 == await load.miscounted(other)
    assert len(load.popped) == load.pushed == len(set(load.popped))


@pytest.mark.needs_redis7
async def test_an_upgrade_keeps_the_encryption(yard: Sandbox) -> None:
    """From Redis 7, which has TLS, to the embedded Valkey, which has not: an edge takes over, and stays afterwards."""
    added = await call(yard.run, "add", "redis", "--role", "store", "--tls", REDYARD_ENGINE="redis-server")
    assert 0 == added.returncode, added.stderr
    async with app(yard) as client:
        await client.set("kept", "yes")
        await call(yard.kill_yard)
        await call(yard.json, "up", "--detach")
        await call(yard.json, "upgrade", "redis")
        await until(lambda: edge_pid(yard))

        assert b"yes" == await client.get("kept")
        assert "edge" in yard.calls.certificates()["instances"][0]["encryption"]
        await call(yard.calls.upgrade, "redis", "redis-server", pause=True)

        assert b"yes" == await client.get("kept")
        assert "edge" in yard.calls.certificates()["instances"][0]["encryption"]


async def test_the_edge_outlives_the_yard(yard: Sandbox) -> None:
    """A kill -9 of the yard drops nobody; the next adopts the edge, renews what is due, starts a dead one, ends it."""
    await call(yard.json, "add", "redis", "--role", "store", "--tls")
    pid = edge_pid(yard)
    async with app(yard) as client:
        await client.set("a", 1)
        await call(yard.kill_yard)
        assert b"1" == await client.get("a")
        age(yard)
        await call(yard.json, "up", "--detach")
        await until(lambda: yard.calls.certificates()["instances"][0]["days_left"] > 89)

        assert (b"1", 1, pid) == (await client.get("a"), client.stats.connects, edge_pid(yard))
        os.kill(pid, signal.SIGKILL)
        await until(lambda: edge_pid(yard) not in {None, pid})

        assert b"1" == await client.get("a")
    await call(yard.json, "down")

    assert None is leader(yard.home.instances / "redis-store" / "edge" / "edge.lock")


async def test_stop_start_crash_and_remove(each_yard: Sandbox) -> None:
    """A stopped one refuses, a started and a crashed one serves again; of a removed one nothing is left."""
    await call(each_yard.json, "add", "redis", "--role", "store", "--tls")
    client = app(each_yard, REDIS_URL=each_yard.calls.variables()["REDIS_URL"] + "?socket_timeout=2")
    async with client:
        await client.set("a", 1)
        await call(each_yard.calls.stop, "redis")
        with pytest.raises(redis.RedisError):
            await client.get("a")
        await call(each_yard.calls.start, "redis")
        assert b"1" == await client.get("a")
        process = each_yard.process("redis-store")
        process.send(signal.SIGKILL)
        process.close()
        await until(lambda: each_yard.instance("redis-store")["pid"] not in {None, process.pid})
        await until(lambda: each_yard.phase("redis-store") == "running")
        assert b"1" == await client.get("a")
    pid = edge_pid(each_yard)
    await call(each_yard.calls.remove, "redis", "redis")

    assert None is (Process.find(pid) if pid else None)
    assert [] == list(each_yard.home.instances.iterdir())


async def test_backups_and_restores(yard: Sandbox) -> None:
    """The yard follows by the Unix socket; a restored add-on is encrypted, too."""
    await call(yard.json, "add", "redis", "--role", "store", "--tls")
    async with app(yard) as client:
        await client.set("a", "before")
    await call(yard.calls.capture, "redis")
    await call(yard.json, "backups", "restore", "redis", "--into", "again")
    async with app(yard, "again") as other:
        assert b"before" == await other.get("a")
    assert yard.calls.variables("again")["REDIS_URL"].startswith("rediss:")


async def test_clients_with_certificates(each_yard: Sandbox) -> None:
    """--tls-clients: the variables name the app's certificate, the kit shows it; without it there is no way in."""
    await call(each_yard.json, "add", "redis", "--role", "store", "--tls-clients")
    variables = each_yard.calls.variables()
    async with app(each_yard) as client:
        assert await client.ping()
    async with app(each_yard, REDIS_CERT_FILE="") as stranger:
        with pytest.raises(redis.RedisError, match="wants a certificate"):
            await stranger.ping()
    assert variables["REDIS_CERT_FILE"] == variables["REDIS_KEY_FILE"]
    assert 0o600 == Path(variables["REDIS_CERT_FILE"]).stat().st_mode & 0o777
    await call(each_yard.calls.restart, "redis")
    async with app(each_yard) as client:
        assert await client.ping()


def test_an_edge_whose_port_is_taken_is_told(yard: Sandbox) -> None:
    """Nothing stays of the add-on, and the error names the port."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = yard.error("add", "redis", "--tls", "--role", "cache", "--port", str(port))

    assert "PortInUse" == error["error"]
    assert [] == yard.calls.status()["instances"]


def test_public_addresses_want_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it they are refused, by a message that names the option; with it they are allowed."""
    import ipaddress

    monkeypatch.setattr(addresses, "_own", lambda: [ipaddress.ip_address(text) for text in ("127.0.0.1", "8.8.4.4")])
    with pytest.raises(AddressUnusable, match="without --tls"):
        addresses.check("0.0.0.0")

    assert "0.0.0.0" == addresses.check("0.0.0.0", tls=True)
    assert "travel encrypted" in addresses.exposure("8.8.4.4", tls=True)
    assert {"8.8.4.4", "localhost", "127.0.0.1", "::1"} <= addresses.names("0.0.0.0")


def test_show_and_renew(yard: Sandbox) -> None:
    """For a person and as JSON; what has no TLS is told so; keys are in no output."""
    yard.json("add", "redis", "--role", "store", "--tls")
    yard.calls.add("plain", role="cache")
    shown, said = yard.json("tls", "show"), yard.run("tls", "show", "redis").stdout
    logged = [json.loads(line) for line in yard.run("logs", "redis-store", "--json").stdout.splitlines()]

    assert ["redis-store"] == [item["name"] for item in shown["instances"]]
    assert 89 <= shown["instances"][0]["days_left"] <= 90
    assert {"localhost", "127.0.0.1", "::1"} <= set(shown["instances"][0]["names"])
    assert "redis-store" in said
    assert [("info", "redis-store")] == [
        (line["level"], line["name"]) for line in logged if line["source"] == "edge" and "serves" in line["message"]
    ]
    assert "PRIVATE KEY" not in f"{shown} {said} {yard.home.log.read_text()}"
    with pytest.raises(NotEncrypted, match="plain has no TLS"):
        yard.calls.renew("plain")
    assert "Usage" == yard.error("tls", "renew")["error"]


def test_an_address_of_another_interface(yard: Sandbox) -> None:
    """The certificate is for the address that the engine listens on; its days left are a metric."""
    yard.json("add", "redis", "--role", "cache", "--bind", "127.0.0.2", "--tls")
    done = yard.run("run", "--", sys.executable, "-c", APP.replace("from_env()", "from_env('cache')"))

    assert "True\n" == done.stdout, done.stderr
    assert "@127.0.0.2:" in yard.calls.variables()["REDIS_CACHE_URL"]
    wait_until(lambda: 'redyard_certificate_expires_seconds{instance="redis-cache"}' in yard.calls.metrics()["text"])
