"""What a move cannot be made with: the right error comes soon, and the old engine serves on as if nothing had been."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from redyard.engine.find import find
from redyard.errors import DiskFull, MoveFailed, NoMemory
from tests.support.servers import MB
from tests.support.yards import Sandbox

MEMORY = Path("/proc/meminfo")
STORE = "redis-store"


@contextmanager
def untouched(yard: Sandbox) -> Iterator[None]:
    """Hold that the store is afterwards what it was: its process, its data, its plan; and that it is alone."""
    before, url, directory = looks(yard), yard.url(STORE), yard.home.instances / STORE
    with redis.Redis.from_url(url) as app:
        app.set("kept", "yes")
    yield
    with redis.Redis.from_url(url) as app:
        assert (b"yes", True) == (app.get("kept"), app.set("written", "afterwards"))
    assert before == looks(yard)
    assert ["engine-1"] == [path.name for path in directory.glob("engine-*")]
    assert 1 == json.loads((directory / "spec.json").read_text())["generation"]
    assert [] == [*directory.glob("spec.json.*")]


def looks(yard: Sandbox) -> list[object]:
    """Return what must not change of the store."""
    found = yard.instance(STORE)
    return [found[name] for name in ("pid", "plan", "memory_limit", "phase", "port", "doing")]


def disguised(directory: Path, true: str, shown: str, before: str = "") -> str:
    """Write a program that shows one engine when it is tried, and is another when it is to serve."""
    path = directory / "disguised"
    path.write_text(f'#!/bin/sh\ncase "$1" in --port) exec {shown} "$@";; esac\n{before}\nexec {true} "$@"\n')
    path.chmod(0o755)
    return str(path)


def grow(url: str, megabytes: int) -> None:
    """Write so much that no engine can press it together."""
    with redis.Redis.from_url(url) as app, Path("/dev/urandom").open("rb") as noise:
        for number in range(megabytes):
            app.set(f"noise:{number}", noise.read(MB))


def test_replication_that_is_refused(each_yard: Sandbox) -> None:
    """Where the old engine gives no copy, the move says so in the engine's own words."""
    each_yard.json("add", "redis", "--role", "store")
    with redis.Redis.from_url(each_yard.calls.login("redis", "yard")["url"]) as own:
        own.execute_command("ACL", "SETUSER", "replication", "-psync")
    with untouched(each_yard):
        error = each_yard.error("scale", "redis", "512mb", "--move")

    assert ("MoveFailed", 39) == (error["error"], error["status"])
    assert "NOPERM" in error["message"]


@pytest.mark.needs_redis7
def test_an_engine_that_cannot_read_the_copy(yard: Sandbox) -> None:
    """A program that is older than it said cannot read the copy: the move ends, with what it says of it."""
    yard.json("add", "redis", "--role", "store")
    engine = disguised(yard.root, "redis-server", find().path)
    with untouched(yard), pytest.raises(MoveFailed, match=r"says:\n.*Can't handle RDB format"):
        yard.calls.upgrade("redis", engine)


def test_an_engine_that_ends_at_its_start(yard: Sandbox) -> None:
    """A new engine that ends before it answers is shown with its last words."""
    yard.json("add", "redis", "--role", "store")
    engine = disguised(yard.root, "true", find().path, "echo the disk is on fire; exit 1")
    with untouched(yard), pytest.raises(MoveFailed, match=r"does not start; .*\nthe disk is on fire"):
        yard.calls.upgrade("redis", engine)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 48 MB; where the system forbids to mount one the tests are skipped."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", tmp_path], check=False)
    if done.returncode != 0:
        pytest.skip("may not mount a small file system here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def on(disk: Path, yard: Sandbox) -> None:
    """Have a yard with a store of 6 MB on a disk, and no backups there, which would take and give room."""
    yard.environ |= {"REDYARD_HOME": str(disk / "yard"), "REDYARD_BACKUPS": "off"}
    yard.json("add", "redis", "--role", "store")
    grow(yard.url(STORE), 6)


def filled_meanwhile(disk: Path, yard: Sandbox, engine: str, left: int) -> None:
    """Let a move fail for what is left of a disk, in bytes, once the new engine starts; then give room again."""
    on(disk, yard)
    filler = disk / "filler"
    fill = f"dd if=/dev/zero of={filler} bs=1M 2>/dev/null; truncate -s -{left} {filler}"
    with untouched(yard):
        with pytest.raises(DiskFull, match="redis-store/engine-2"):
            yard.calls.upgrade("redis", disguised(yard.root, engine, engine, fill))
        filler.unlink()
    yard.calls.down()


def test_a_disk_that_becomes_full_in_the_copy(each_yard: Sandbox, small_disk: Path) -> None:
    """The room that was there when the move began is taken: no room on the disk is the error, and nothing is left."""
    filled_meanwhile(small_disk, each_yard, each_yard.environ["REDYARD_ENGINE"], 3 * MB)


def test_a_disk_that_becomes_full_before_the_copy(yard: Sandbox, small_disk: Path) -> None:
    """Where the new engine cannot even write a word, the error is the same."""
    filled_meanwhile(small_disk, yard, find().path, 0)


def test_a_disk_without_room_for_two(yard: Sandbox, small_disk: Path) -> None:
    """A disk that cannot hold the data a second time is told with both figures, and before by --dry-run."""
    on(small_disk, yard)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - 6 * MB)
    with untouched(yard):
        planned = yard.calls.scale("redis", "512mb", move=True, dry_run=True)["changes"][0]["refused"]
        with pytest.raises(NoMemory, match=r"needs [\d.]+mb of disk .* has [\d.]+mb free") as refused:
            yard.calls.scale("redis", "512mb", move=True)
    filler.unlink()
    yard.calls.down()

    assert planned == str(refused.value)


def test_a_machine_without_memory_for_two(yard: Sandbox, tmp_path: Path) -> None:
    """Without memory for a second engine a move is refused with both figures; a restart says how long it stops."""
    told = tmp_path / "meminfo"
    told.write_text(MEMORY.read_text())
    start = f"mount --bind {told} {MEMORY} && exec {sys.executable} -m redyard up --detach"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", start], env=yard.environ, check=False)
    if done.returncode != 0:
        pytest.skip("may not have a view of the machine of its own here")
    yard.calls.add("redis", role="store")
    grow(yard.url(STORE), 8)
    told.write_text(re.sub(r"(MemAvailable:) +\d+", r"\1 30720", MEMORY.read_text()))
    with untouched(yard):
        with pytest.raises(NoMemory, match=r"needs [\d.]+mb of memory .* has 30mb free"):
            yard.calls.scale("redis", "1gb", move=True)
        with pytest.raises(NoMemory):
            yard.calls.upgrade("redis")
        stop = yard.calls.restart("redis", dry_run=True)["changes"][0]
        free = yard.calls.info(STORE)["instances"][0]["machine_memory_free"]

    done = yard.run("restart", "redis")

    assert ("stop and start", 30 * MB) == (stop["way"], free)
    assert f"stops and starts again: about {stop['pause']:.1f} s without it" in done.stderr
    with redis.Redis.from_url(yard.url(STORE)) as app:
        assert b"yes" == app.get("kept")
