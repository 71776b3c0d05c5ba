"""The yard and its engines, through starts, stops, crashes and adoptions: real commands, real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
import redis

from redyard.engine.process import Process
from tests.support.servers import answers
from tests.support.wait import until, wait_until
from tests.support.yards import Sandbox


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def test_add_starts_a_yard_and_serves_a_store_and_a_cache(each_yard: Sandbox) -> None:
    """`redyard add redis` in an empty directory ends with two engines that answer and share the plan 3:1."""
    added = each_yard.json("add", "redis", "--plan", "512mb")

    limits = {item["name"]: item["memory_limit"] for item in added["instances"]}
    assert {"redis-store": 384 << 20, "redis-cache": 128 << 20} == limits
    for name in limits:
        with client(each_yard.url(name)) as app:
            assert app.ping()


def test_role_makes_one_instance_with_the_whole_plan(yard: Sandbox) -> None:
    """`--role cache` makes a cache alone, and its variables name a cache alone."""
    added = yard.json("add", "redis", "--role", "cache")

    assert [("redis-cache", 256 << 20)] == [(item["name"], item["memory_limit"]) for item in added["instances"]]
    assert ["REDIS_CACHE_URL"] == list(yard.json("vars"))


def test_killed_engine_serves_again_by_itself(each_yard: Sandbox) -> None:
    """After a kill -9 the engine is back with every write that it acknowledged, on the same port."""
    each_yard.json("add", "redis", "--role", "store")
    process, url = each_yard.process("redis-store"), each_yard.url("redis-store")
    with client(url) as app:
        for number in range(1000):
            app.set(f"key:{number}", number)
    process.send(signal.SIGKILL)
    wait_until(lambda: answers(url))

    with client(url) as app:
        assert 1000 == app.dbsize()
    assert process.pid != each_yard.instance("redis-store")["pid"]


def test_killed_yard_is_not_noticed_by_the_app_and_the_next_adopts(each_yard: Sandbox) -> None:
    """A kill -9 of the yard cuts no connection of the app; the next `up` takes over the very same engines."""
    each_yard.json("add", "redis")
    before = {name: each_yard.instance(name)["pid"] for name in ("redis-store", "redis-cache")}
    with client(each_yard.url("redis-store")) as app:
        own = app.client_id()
        each_yard.kill_yard()

        assert own == app.client_id()
        each_yard.json("up", "--detach")
        assert own == app.client_id()
    assert before == {name: each_yard.instance(name)["pid"] for name in before}


def test_engine_that_died_with_its_yard_is_started_by_the_next(yard: Sandbox) -> None:
    """What was wanted when the yard was killed is wanted by the next one, dead or alive."""
    yard.json("add", "redis", "--role", "store")
    process, url = yard.process("redis-store"), yard.url("redis-store")
    with client(url) as app:
        app.set("kept", "yes")
    yard.kill_yard()
    process.send(signal.SIGKILL)
    wait_until(lambda: not process.alive())
    yard.json("up", "--detach")

    with client(url) as app:
        assert "yes" == app.get("kept")


def test_engine_is_adopted_without_its_status_file(yard: Sandbox) -> None:
    """A yard killed before it noted the engine's number finds it by the lock that it holds."""
    yard.json("add", "redis", "--role", "store")
    pid = yard.instance("redis-store")["pid"]
    yard.kill_yard()
    (yard.home.instances / "redis-store" / "status.json").unlink()
    yard.json("up", "--detach")

    assert pid == yard.instance("redis-store")["pid"]


def test_strangers_process_is_never_adopted(yard: Sandbox) -> None:
    """A number in the status file that now belongs to another process is not believed; that process is left alone."""
    yard.json("add", "redis", "--role", "store")
    engine = yard.process("redis-store")
    yard.kill_yard()
    engine.send(signal.SIGKILL)
    wait_until(lambda: not engine.alive())
    path = yard.home.instances / "redis-store" / "status.json"
    stranger = Process.find(os.getpid())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": stranger.pid, "mark": stranger.mark}))
    yard.json("up", "--detach")

    assert stranger.pid != yard.instance("redis-store")["pid"]
    assert stranger.alive()


def test_frozen_engine_is_adopted_and_shown_as_silent(yard: Sandbox) -> None:
    """An engine that hangs while the yard starts is taken over, called silent, and called running when it answers."""
    yard.json("add", "redis", "--role", "store")
    process = yard.process("redis-store")
    yard.kill_yard()
    process.send(signal.SIGSTOP)
    try:
        yard.json("up", "--detach")
        wait_until(lambda: yard.phase("redis-store") == "silent", timeout=20)
    finally:
        process.send(signal.SIGCONT)
    wait_until(lambda: yard.phase("redis-store") == "running", timeout=20)

    assert process.pid == yard.instance("redis-store")["pid"]


def test_down_stops_engines_and_up_brings_them_back_with_their_data(each_yard: Sandbox) -> None:
    """`down` lets every engine save and leaves no process; `up` serves the same keys on the same ports."""
    each_yard.json("add", "redis")
    url, pid = each_yard.url("redis-store"), each_yard.process("redis-store")
    with client(url) as app:
        app.set("kept", "yes")
    each_yard.json("down")

    assert not pid.alive()
    each_yard.json("up", "--detach")
    with client(url) as app:
        assert "yes" == app.get("kept")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_yard_cleanly(yard: Sandbox, number: signal.Signals) -> None:
    """A yard in the foreground ends at SIGTERM and at Ctrl-C with status 0, after its engines have saved."""
    process = yard.start("up")
    wait_until(lambda: yard.run("status").returncode == 0)
    yard.json("add", "redis", "--role", "store")
    engine = yard.process("redis-store")
    process.send_signal(number)
    process.communicate(timeout=30)

    assert 0 == process.returncode
    assert not engine.alive()
    assert (yard.home.instances / "redis-store" / "engine-1" / "data" / "dump.rdb").exists()


def test_yard_leaves_no_socket_and_no_process_behind(yard: Sandbox) -> None:
    """After `down` the directory of sockets is gone and nothing of the yard runs."""
    yard.json("add", "redis")
    own = str(yard.root)
    yard.json("down")

    assert not yard.home.runtime.exists()
    running = [item.info["cmdline"] or [] for item in psutil.process_iter(["cmdline"])]
    assert [] == [line for line in running if any(own in part for part in line)]


def test_one_yard_a_directory(yard: Sandbox) -> None:
    """A second `up` in the same directory is refused with the number of the first."""
    yard.json("up", "--detach")

    error = yard.error("up")
    assert ("YardAlreadyRunning", 11) == (error["error"], error["status"])
    assert str(yard.yard_pid()) in error["message"]


def test_two_adds_at_once_start_one_yard(yard: Sandbox) -> None:
    """Two commands that both find no yard end with one yard and both add-ons."""
    commands = [yard.start("add", "redis", "--name", name, "--role", "cache", "--json") for name in ("one", "two")]
    outputs = [command.communicate(timeout=60) for command in commands]

    assert [0, 0] == [command.returncode for command in commands], outputs
    assert {"one-cache", "two-cache"} == {item["name"] for item in yard.json("status")["instances"]}


def test_stopped_instance_stays_stopped_over_a_restart_of_the_yard(yard: Sandbox) -> None:
    """`stop` is remembered; `start` ends it."""
    yard.json("add", "redis", "--role", "store")
    yard.json("stop", "redis-store")
    yard.json("down")
    yard.json("up", "--detach")

    assert "stopped" == yard.phase("redis-store")
    yard.json("start", "redis-store")
    assert "running" == yard.phase("redis-store")


def test_restart_gives_a_new_process_with_the_same_data(yard: Sandbox) -> None:
    """`restart` saves, ends and starts again."""
    yard.json("add", "redis", "--role", "store")
    url, pid = yard.url("redis-store"), yard.instance("redis-store")["pid"]
    with client(url) as app:
        app.set("kept", "yes")
    yard.json("restart", "redis")

    assert pid != yard.instance("redis-store")["pid"]
    with client(url) as app:
        assert "yes" == app.get("kept")


QUICK = """
from redyard.yard import reconcile
reconcile.PAUSES = tuple(pause / {times} for pause in reconcile.PAUSES)
from redyard.cli.main import main
main()
"""
"""A yard whose pauses after crashes are so many times shorter: they are 25 s in all."""


@pytest.fixture(params=[pytest.param(1, marks=pytest.mark.soak), 20])
def quick_yard(request: pytest.FixtureRequest, yard: Sandbox) -> Iterator[Sandbox]:
    """A yard in the foreground that pauses for a second in all; the soak test's as long as any."""
    words = [sys.executable, "-c", QUICK.format(times=request.param), "up"]
    with subprocess.Popen(words, env=yard.environ, cwd=yard.root, stdout=subprocess.DEVNULL):
        wait_until(yard.home.is_held)
        yield yard
        yard.run("down")


def test_engine_that_always_dies_is_given_up_visibly(quick_yard: Sandbox) -> None:
    """After too many crashes in a row the instance has failed, says the engine's own words, and `start` tries again."""
    yard = quick_yard
    yard.json("add", "redis", "--role", "store")
    manifest = yard.home.instances / "redis-store" / "engine-1" / "data" / "appendonlydir" / "appendonly.aof.manifest"
    good = manifest.read_text()
    yard.json("stop", "redis-store")
    manifest.write_text("this is no manifest\n")
    error = yard.error("start", "redis-store")

    assert "EngineDied" == error["error"]
    assert "manifest" in error["message"]
    wait_until(lambda: yard.phase("redis-store") == "failed", timeout=60)
    failed = yard.instance("redis-store")
    assert 10 == failed["crashes"]
    assert "manifest" in failed["reason"]
    manifest.write_text(good)
    yard.json("start", "redis-store")
    assert "running" == yard.phase("redis-store")


def test_remove_takes_the_data_and_frees_the_name(yard: Sandbox) -> None:
    """`remove` ends the engines, deletes their directories, and the name can be used again."""
    yard.json("add", "redis")
    yard.json("remove", "redis", "--confirm", "redis")

    assert [] == list(yard.home.instances.iterdir())
    assert [] == yard.json("status")["instances"]
    yard.json("add", "redis", "--role", "store")


async def test_add_killed_in_the_middle_leaves_nothing(yard: Sandbox) -> None:
    """When the yard is killed while it makes an add-on, the next yard removes what there is of it."""
    yard.json("up", "--detach")
    pid = Process.find(yard.yard_pid())
    command = yard.start("add", "redis", "--json")
    await until(yard.home.unfinished.exists)
    pid.send(signal.SIGKILL)
    command.communicate(timeout=60)

    yard.json("up", "--detach")
    assert [] == yard.json("status")["instances"]
    assert [] == list(yard.home.instances.iterdir())
    assert not yard.home.unfinished.exists()
    yard.json("add", "redis")


def test_yard_killed_in_the_middle_of_a_restart_leaves_no_stopped_instance(yard: Sandbox) -> None:
    """A restart writes nothing down: what was wanted before it is wanted by the next yard."""
    yard.json("add", "redis", "--role", "store")
    engine, yard_process = yard.process("redis-store"), Process.find(yard.yard_pid())
    engine.send(signal.SIGSTOP)  # it does not end, so that the restart hangs in its middle
    command = yard.start("restart", "redis", "--json")
    wait_until(lambda: json.loads((yard.home.instances / "redis-store/status.json").read_text())["phase"] == "stopping")
    yard_process.send(signal.SIGKILL)
    engine.send(signal.SIGCONT)
    command.communicate(timeout=60)
    yard.json("up", "--detach")

    assert "running" == yard.instance("redis-store")["wanted"]
    wait_until(lambda: yard.phase("redis-store") == "running")
