"""A move exchanges the engine behind an address: nothing acknowledged is lost, whatever happens on the way."""

import asyncio
import json
import signal
import socket
import threading
from pathlib import Path

import pytest
import redis

from redyard.engine.directives import TABLE, Limits
from redyard.engine.lock import leader
from redyard.engine.process import Process
from redyard.errors import PortInUse, RedyardError
from redyard.yard.admin import LIVE
from redyard.yard.plans import PLANS
from tests.support.load import Load, kit, plain
from tests.support.servers import answers
from tests.support.wait import until, wait_until
from tests.support.yards import Sandbox

REDIS7 = pytest.mark.needs_redis7


async def command(yard: Sandbox, *words: str) -> dict:
    """Run a command while this loop goes on."""
    return await asyncio.to_thread(yard.json, *words)


def fill(url: str, megabytes: int) -> None:
    """Write so much that copying it takes a moment."""
    with redis.Redis.from_url(url) as app, app.pipeline(transaction=False) as pipe:
        for number in range(megabytes * 100):
            pipe.set(f"filled:{number}", "x" * 10_000)
        pipe.execute()


def swell(url: str, megabytes: int) -> None:
    """Fill with long values, which cost no time to send."""
    with redis.Redis.from_url(url) as app, app.pipeline(transaction=False) as pipe:
        for number in range(megabytes):
            pipe.setrange(f"long:{number}", (1 << 20) - 1, "x")
        pipe.execute()


async def test_nothing_is_lost_and_the_kit_sees_no_error(each_yard: Sandbox) -> None:
    """Scaled up and down by moves under full writing, a store keeps every write; an app on the kit sees no error."""
    await command(each_yard, "add", "redis", "--role", "store")
    url, before = each_yard.url("redis-store"), each_yard.instance("redis-store")["pid"]
    fill(url, 20)
    async with Load(kit(url)) as load:
        await until(lambda: load.popped)
        await command(each_yard, "scale", "redis", "1gb", "--move")
        await command(each_yard, "scale", "redis", "256mb", "--move")

    async with kit(url) as app:
        assert [] == [str(e) for e in load.errors]
        assert set() == await load.missing(app)
        assert 0 == await load.miscounted(app)
        assert load.pushed == len(load.popped) == len(set(load.popped))
    assert url == each_yard.url("redis-store")
    assert before != each_yard.instance("redis-store")["pid"]


async def test_redis_py_loses_nothing(each_yard: Sandbox) -> None:
    """An app on redis-py's own client with its own retries loses no acknowledged write in a move."""
    await command(each_yard, "add", "redis", "--role", "store")
    url = each_yard.url("redis-store")
    async with Load(plain(url)) as load:
        await until(lambda: load.popped)
        await command(each_yard, "restart", "redis")

    async with kit(url) as app:
        assert set() == await load.missing(app)
        assert 0 <= await load.miscounted(app)


@REDIS7
async def test_redis_is_upgraded_to_valkey_under_load(yard: Sandbox) -> None:
    """`upgrade` from Redis 7.0 to the embedded Valkey loses nothing and shows no error to the kit."""
    added = await asyncio.to_thread(yard.run, "add", "redis", "--role", "store", REDYARD_ENGINE="redis-server")
    assert 0 == added.returncode, added.stderr
    url = yard.url("redis-store")
    await asyncio.to_thread(yard.kill_yard)
    await command(yard, "up", "--detach")
    async with Load(kit(url)) as load:
        await until(lambda: load.popped)
        answer = await command(yard, "upgrade", "redis")

    assert ["redis", "valkey"] == [name.split()[0] for name in answer["changes"][0]["engine"]]
    async with kit(url) as app:
        assert [] == [str(e) for e in load.errors]
        assert set() == await load.missing(app)
        assert 0 == await load.miscounted(app)
        assert "valkey_version" in await app.info("server")


@REDIS7
async def test_way_back_to_redis_goes_by_the_log(yard: Sandbox) -> None:
    """Redis 7 cannot follow Valkey 9: the upgrade asks for --pause, and with it nothing is lost on the way back."""
    await command(yard, "add", "redis", "--role", "store")
    url, pid = yard.url("redis-store"), yard.instance("redis-store")["pid"]
    with redis.Redis.from_url(url.replace("/0", "/5")) as app:
        app.set("fifth", "5", ex=1000)
    error = yard.error("upgrade", "redis", "--engine", "redis-server")
    untouched = yard.instance("redis-store")["pid"]
    async with Load(kit(url)) as load:
        await until(lambda: load.popped)
        await command(yard, "upgrade", "redis", "--engine", "redis-server", "--pause")

    assert ("PauseNeeded", pid) == (error["error"], untouched)
    async with kit(url) as app:
        assert [] == [str(e) for e in load.errors]
        assert set() == await load.missing(app)
        assert 0 == await load.miscounted(app)
        assert "valkey_version" not in await app.info("server")
    with redis.Redis.from_url(url.replace("/0", "/5")) as app:
        assert 0 < app.ttl("fifth") <= 1000


def test_all_that_a_store_holds_goes_along(each_yard: Sandbox) -> None:
    """Databases, times to live and functions are there after a move, and after a crash right behind it."""
    each_yard.json("add", "redis", "--role", "store")
    url = each_yard.url("redis-store")
    with redis.Redis.from_url(url) as app:
        app.set("plain", "1", ex=1000)
        app.function_load("#!lua name=mine\nredis.register_function('answer', function() return 42 end)")
        app.execute_command("SET", "elsewhere", "2")
    with redis.Redis.from_url(url.replace("/0", "/3")) as app:
        app.set("third", "3")
    each_yard.json("restart", "redis")
    process = each_yard.process("redis-store")
    process.send(signal.SIGKILL)
    wait_until(lambda: not process.alive() and answers(url))

    with redis.Redis.from_url(url) as app:
        assert 0 < app.ttl("plain") <= 1000
        assert 42 == app.fcall("answer", 0)
    with redis.Redis.from_url(url.replace("/0", "/3")) as app:
        assert b"3" == app.get("third")


def test_memory_is_given_back(yard: Sandbox) -> None:
    """A store that was large and is emptied moves when it is scaled down, and takes little memory afterwards."""
    yard.json("add", "redis", "--role", "store", "--plan", "512mb")
    url = yard.url("redis-store")
    fill(url, 300)
    with redis.Redis.from_url(url) as app:
        names = list(app.scan_iter(count=10_000))
        app.delete(*names[: len(names) * 9 // 10])
    answer = yard.json("scale", "redis", "256mb")

    assert ["move"] == [change["way"] for change in answer["changes"]]
    assert answer["changes"][0]["rss"] > 280 << 20
    assert answer["moved"][0]["memory"] < 100 << 20


def test_bigger_plan_needs_no_move(yard: Sandbox) -> None:
    """A larger plan is given to the running engines of an add-on: memory, connections, buffers, clients' memory."""
    yard.json("add", "redis")
    before = {name: yard.instance(name)["pid"] for name in ("redis-store", "redis-cache")}
    answer = yard.json("scale", "redis", "1gb")
    limits = {item["name"]: item["memory_limit"] for item in answer["instances"]}

    assert {"redis-store": 768 << 20, "redis-cache": 256 << 20} == limits
    assert before == {name: yard.instance(name)["pid"] for name in before}
    for name, limit in limits.items():
        assert plan_of(name, Limits(limit, PLANS["1gb"].connections, 16)) == live(yard, name)


def test_smaller_plan_keeps_what_its_owner_set(each_yard: Sandbox) -> None:
    """An owner's value of a setting that follows the plan stays, in place, by a move, and when a yard takes over."""
    each_yard.json("add", "redis", "--role", "store", "--plan", "512mb")
    each_yard.calls.set("redis", "repl-backlog-size", str(20 << 20))
    wanted = plan_of("redis-store", Limits(256 << 20, 100, 16)) | {"repl-backlog-size": str(20 << 20)}
    each_yard.calls.scale("redis", "256mb")
    in_place = live(each_yard, "redis-store")
    each_yard.calls.restart("redis")
    moved = live(each_yard, "redis-store")
    each_yard.kill_yard()
    each_yard.json("up", "--detach")
    wait_until(lambda: each_yard.phase("redis-store") == "running")

    assert [wanted] * 3 == [in_place, moved, live(each_yard, "redis-store")]


def plan_of(name: str, limits: Limits) -> dict[str, str]:
    """Return what an engine has by its plan."""
    role = name.removeprefix("redis-")
    return {row.name: row.value(role, limits) for row in TABLE if row.depends_on_plan and row.name in LIVE}


def live(yard: Sandbox, name: str) -> dict[str, str]:
    """Return what it has."""
    with redis.Redis.from_url(yard.calls.login(name, "yard")["url"], decode_responses=True) as admin:
        return admin.config_get(*LIVE)


def test_store_that_would_not_fit_is_refused(each_yard: Sandbox) -> None:
    """A plan that a store's data do not fit into is refused with the figures, and nothing changes."""
    each_yard.json("add", "redis", "--role", "store", "--plan", "512mb")
    swell(each_yard.url("redis-store"), 300)
    pid = each_yard.instance("redis-store")["pid"]
    error = each_yard.error("scale", "redis", "256mb", "--move")
    found = each_yard.instance("redis-store")

    assert "DoesNotFit" == error["error"]
    assert "256mb" in error["message"]
    assert ("512mb", 512 << 20, pid) == tuple(found[key] for key in ("plan", "memory_limit", "pid"))


def test_cache_asks_before_it_drops_keys(each_yard: Sandbox) -> None:
    """A cache that would have to drop keys says how many; with --evict they go, and it has the plan."""
    each_yard.json("add", "redis", "--role", "cache", "--plan", "512mb")
    swell(each_yard.url("redis-cache"), 350)
    error = each_yard.error("scale", "redis", "256mb")
    done = each_yard.json("scale", "redis", "256mb", "--evict")

    assert "WouldEvict" == error["error"]
    assert done["instances"][0]["memory_used"] <= 270 << 20
    with redis.Redis.from_url(each_yard.url("redis-cache")) as app:
        assert 0 < app.dbsize() < 350


def test_an_engine_that_cannot_be_run_is_refused(each_yard: Sandbox) -> None:
    """An upgrade to a file that is no engine, or is not to be run, names it; the old engine serves on."""
    each_yard.json("add", "redis", "--role", "store")
    pid, url = each_yard.instance("redis-store")["pid"], each_yard.url("redis-store")
    false, closed = each_yard.root / "false", each_yard.root / "closed"
    false.write_text("#!/bin/sh\nexit 1\n")
    false.chmod(0o700)
    closed.write_text("")
    closed.chmod(0)
    errors = [each_yard.error("upgrade", "redis", "--engine", str(path)) for path in (false, closed, closed / "x")]

    assert all(str(each_yard.root) in error["message"] for error in errors)
    assert pid == each_yard.instance("redis-store")["pid"]
    assert answers(url)
    assert 1 == len(list((each_yard.home.instances / "redis-store").glob("engine-*")))


def test_dry_run_changes_nothing(yard: Sandbox) -> None:
    """`--dry-run` tells way, figures and pause of a change, and changes nothing."""
    yard.json("add", "redis")
    before = yard.json("status")["instances"]
    plans = [
        yard.json("scale", "redis", "1gb", "--dry-run"),
        yard.json("restart", "redis", "--dry-run"),
        yard.json("upgrade", "redis", "--dry-run"),
    ]
    after = yard.json("status")["instances"]

    assert [["in place"] * 2, ["move"] * 2, ["move"] * 2] == [[row["way"] for row in plan["changes"]] for plan in plans]
    assert [(item["pid"], item["plan"]) for item in before] == [(item["pid"], item["plan"]) for item in after]


def test_stopped_instance_cannot_be_scaled(yard: Sandbox) -> None:
    """An instance that does not run is not scaled; the error says how to start it."""
    yard.json("add", "redis", "--role", "store")
    yard.json("stop", "redis")

    assert "NotRunning" == yard.error("scale", "redis", "1gb")["error"]
    assert "UnknownPlan" == yard.error("scale", "redis", "3tb")["error"]


@pytest.mark.parametrize("whom", ["yard", "old", "new"])
def test_kill_during_a_copy_leaves_the_old_engine_true(each_yard: Sandbox, whom: str) -> None:
    """Whoever is killed while the new engine still copies: the old data are served, and no second engine is left."""
    each_yard.json("add", "redis", "--role", "store", "--plan", "1gb")
    url = each_yard.url("redis-store")
    fill(url, 150)
    yard_process, old = Process.find(each_yard.yard_pid()), each_yard.process("redis-store")
    running = each_yard.start("scale", "redis", "2gb", "--move", "--json")
    directory = each_yard.home.instances / "redis-store"
    wait_until((directory / "engine-2" / "engine.lock").exists)
    new = wait_until(lambda: _holder(directory / "engine-2" / "engine.lock", besides=yard_process.pid))
    {"yard": yard_process, "old": old, "new": new}[whom].send(signal.SIGKILL)
    running.communicate()
    if whom == "yard":
        wait_until(lambda: not each_yard.home.is_held())
        each_yard.json("up", "--detach")
    wait_until(lambda: answers(url))

    with redis.Redis.from_url(url) as app:
        assert 15_000 == app.dbsize()
    assert not new.alive()
    assert ["engine-1"] == [path.name for path in directory.glob("engine-*")]
    assert "1gb" == json.loads((directory / "spec.json").read_text())["plan"]


def test_taken_ports_nearby_are_passed_over(yard: Sandbox) -> None:
    """The port that a new engine has for a moment is one that nobody listens on."""
    yard.json("add", "redis", "--role", "store")
    port = yard.instance("redis-store")["port"]
    taken = [_hold(number) for number in range(port + 1000, port + 1003)]
    try:
        moved = yard.json("restart", "redis")["moved"]
    finally:
        for listener in filter(None, taken):
            listener.close()

    assert 1 == len(moved)
    assert port == yard.instance("redis-store")["port"]


def test_a_port_that_is_stolen_in_the_swap_comes_back(each_yard: Sandbox) -> None:
    """Whoever takes the port between the two engines: the old one serves there again when the thief has gone."""
    each_yard.json("add", "redis", "--role", "store")
    url, port = each_yard.url("redis-store"), each_yard.instance("redis-store")["port"]
    with redis.Redis.from_url(url) as app:
        app.set("kept", "yes")
    thief, pid, refused = robbed(each_yard, port)
    while_stolen = each_yard.instance("redis-store")["pid"]
    thief.stop()
    wait_until(lambda: answers(url))

    assert isinstance(refused, PortInUse)
    assert pid == while_stolen == each_yard.instance("redis-store")["pid"]
    with redis.Redis.from_url(url) as app:
        assert (b"yes", True) == (app.get("kept"), app.set("written", "afterwards"))
    assert 1 == len(list((each_yard.home.instances / "redis-store").glob("engine-*")))


def robbed(yard: Sandbox, port: int) -> tuple["Thief", int, RedyardError | None]:
    """Restart a store until a thief was quick enough to take its port; return the process before, and the error."""
    for _ in range(30):
        pid, error = yard.instance("redis-store")["pid"], None
        thief = Thief(port)
        thief.start()
        try:
            yard.calls.restart("redis")
        except RedyardError as raised:
            error = raised
        if thief.caught:
            return thief, pid, error
        thief.stop()
    raise AssertionError("the port was never free")


class Thief(threading.Thread):
    """Takes a port in the first moment in which nobody listens there."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.caught: socket.socket | None = None
        self._port = port
        self._stopped = threading.Event()

    def run(self) -> None:
        while self.caught is None and not self._stopped.is_set():
            self.caught = _hold(self._port)

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self.caught:
            self.caught.close()


def _hold(port: int) -> socket.socket | None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener


def _holder(lock: Path, *, besides: int) -> Process | None:
    """Return the engine that holds a lock; the yard has it open, too, while it starts the engine."""
    found = leader(lock)
    return found if found and found.pid != besides else None
