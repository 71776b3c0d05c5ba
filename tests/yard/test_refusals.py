"""Bad input and bad days: one clear error each, with its hint and its status, and nothing half-made left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from redyard.engine.directives import RESERVED_CONNECTIONS
from redyard.engine.find import find
from redyard.errors import DiskFull
from redyard.yard.plans import PLANS
from tests.support.wait import wait_until
from tests.support.yards import Sandbox


@pytest.mark.parametrize(
    ("arguments", "name", "status"),
    [
        (["add", "redis", "--plan", "3gb"], "UnknownPlan", 20),
        (["add", "redis", "--name", "redis"], "NameTaken", 22),
        (["add", "redis", "--name", "redis-store"], "NameTaken", 22),
        (["add", "redis", "--name", "Shop"], "BadName", 23),
        (["add", "redis", "--name", "../../etc"], "BadName", 23),
        (["add", "redis", "--name", "a" * 41], "BadName", 23),
        (["info", "nothing"], "UnknownName", 24),
        (["stop", "nothing"], "UnknownName", 24),
        (["remove", "redis"], "NotConfirmed", 26),
        (["remove", "redis", "--confirm", "other"], "NotConfirmed", 26),
        (["add", "redis", "--role", "queue"], "UnknownRole", 21),
        (["run", "--", "no-such-command"], "CommandNotFound", 42),
    ],
)
def test_wrong_request_is_refused(shared_yard: Sandbox, arguments: list[str], name: str, status: int) -> None:
    """A request that cannot be met names the value, says what to do, and changes nothing."""
    before = shared_yard.json("status")["instances"]
    error = shared_yard.error(*arguments)

    assert (name, status) == (error["error"], error["status"])
    assert error["hint"]
    assert [item["name"] for item in before] == [item["name"] for item in shared_yard.json("status")["instances"]]


@pytest.mark.parametrize(
    "arguments", [["status"], ["info", "redis"], ["vars"], ["stop", "redis"], ["down"], ["run", "--", "true"]]
)
def test_commands_without_a_yard_say_so(yard: Sandbox, arguments: list[str]) -> None:
    """Without a yard a command says how to start one, and makes no directory."""
    error = yard.error(*arguments)

    assert ("YardNotRunning", 10) == (error["error"], error["status"])
    assert "redyard up" in error["hint"]
    assert not yard.home.path.exists()


def test_port_in_use_is_named(yard: Sandbox) -> None:
    """A port on which another program listens is refused before anything is made."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        error = yard.error("add", "redis", "--role", "store", "--port", port)

    assert ("PortInUse", 36) == (error["error"], error["status"])
    assert port in error["message"]
    assert [] == list(yard.home.instances.iterdir())


def test_port_taken_while_stopped_is_named_at_the_start(yard: Sandbox) -> None:
    """An instance keeps its port for life: when another program has it, `start` says so and tries no other."""
    yard.json("add", "redis", "--role", "store")
    port = yard.instance("redis-store")["port"]
    yard.json("stop", "redis-store")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        error = yard.error("start", "redis-store")

    assert "PortInUse" == error["error"]
    wait_until(lambda: yard.phase("redis-store") == "running", timeout=20)  # it is tried again by itself
    assert port == yard.instance("redis-store")["port"]


def test_directory_in_the_way_is_named(yard: Sandbox) -> None:
    """A yard's path that is a file is refused with the reason."""
    yard.home.path.write_text("not a directory")
    error = yard.error("add", "redis")

    assert ("YardNotWritable", 12) == (error["error"], error["status"])
    assert "not a directory" == yard.home.path.read_text()


def test_newer_directory_is_left_alone(yard: Sandbox) -> None:
    """A directory that a newer Redyard wrote is not touched."""
    yard.home.path.mkdir()
    yard.home.marker.write_text(json.dumps({"format": 99}))
    error = yard.error("up", "--detach")

    assert ("YardTooNew", 13) == (error["error"], error["status"])
    assert [yard.home.marker] == list(yard.home.path.iterdir())


@pytest.mark.parametrize(
    ("engine", "name", "status"),
    [("/no/such/engine", "EngineUnusable", 31), ("/bin/true", "EngineUnusable", 31)],
)
def test_wrong_engine_is_named(yard: Sandbox, engine: str, name: str, status: int) -> None:
    """REDYARD_ENGINE that names no engine is an error that shows it, and no instance is made."""
    yard.environ["REDYARD_ENGINE"] = engine
    error = yard.error("add", "redis")

    assert (name, status) == (error["error"], error["status"])
    assert engine in error["message"]
    assert [] == list(yard.home.instances.iterdir())


def test_engine_that_dies_at_its_first_start_leaves_nothing(yard: Sandbox) -> None:
    """When the engine ends while `add` starts it, its last words are shown and the add-on is not there."""
    script = yard.root / "engine"
    real = find().path
    script.write_text(f'#!/bin/sh\ncase "$1" in --port) exec {real} "$@";; esac\necho "the disk is on fire"\nexit 1\n')
    script.chmod(0o755)
    yard.environ["REDYARD_ENGINE"] = str(script)
    error = yard.error("add", "redis")

    assert ("EngineDied", 32) == (error["error"], error["status"])
    assert "the disk is on fire" in error["message"]
    assert [] == list(yard.home.instances.iterdir())
    assert [] == yard.json("status")["instances"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB; where the system forbids to mount one the tests are skipped."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", tmp_path], check=False)
    if done.returncode != 0:
        pytest.skip("may not mount a small file system here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def test_full_disk_makes_nothing(yard: Sandbox, small_disk: Path) -> None:
    """On a disk without room `add` says so and leaves no half-made add-on."""
    yard.environ["REDYARD_HOME"] = str(small_disk / "yard")
    yard.json("up", "--detach")
    filler = small_disk / "filler"
    fill(filler)
    error = yard.error("add", "redis")

    assert ("DiskFull", 40) == (error["error"], error["status"])
    assert [] == list(yard.home.instances.iterdir())
    filler.unlink()
    yard.json("add", "redis", "--role", "cache")
    yard.json("down")


def test_setting_on_a_full_disk_is_taken_back(yard: Sandbox, small_disk: Path) -> None:
    """When a setting cannot be written down, the engine has the old value again."""
    yard.environ["REDYARD_HOME"] = str(small_disk / "yard")
    yard.json("add", "redis", "--role", "cache")
    fill(small_disk / "filler")
    with pytest.raises(DiskFull):
        yard.calls.set("redis", "slowlog-max-len", "7")
    shown = yard.calls.settings("redis")["instances"][0]["settings"]

    assert [] == [row for row in shown if row["set_by_you"]]
    with redis.Redis.from_url(yard.calls.login("redis", "yard")["url"], decode_responses=True) as admin:
        assert {"slowlog-max-len": "128"} == admin.config_get("slowlog-max-len")
    (small_disk / "filler").unlink()
    yard.json("down")


def test_full_engine_still_answers_its_owner(each_yard: Sandbox) -> None:
    """The connection beyond plan + 8 gets the engine's own error, while `status` and `info` still work."""
    each_yard.json("add", "redis", "--role", "cache")
    url = each_yard.url("redis-cache")
    limit = PLANS["256mb"].connections + RESERVED_CONNECTIONS
    clients = [redis.Redis.from_url(url, retry=None) for _ in range(limit)]
    refused = ""
    for client in clients:
        try:
            client.ping()
        except redis.RedisError as error:
            refused = str(error)

    try:
        assert "max number of clients reached" in refused
        assert "running" == each_yard.phase("redis-cache")
        assert limit - 1 == each_yard.json("info", "redis-cache")["instances"][0]["clients"]
    finally:
        for client in clients:
            client.close()


def test_hanging_yard_is_told_from_none(yard: Sandbox) -> None:
    """A yard's process that hangs is called silent, not absent."""
    yard.json("up", "--detach")
    pid = yard.yard_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        error = yard.error("status")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert ("YardSilent", 14) == (error["error"], error["status"])
