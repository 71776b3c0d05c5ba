"""The yard backs up its stores by itself: over moves, crashes and its own end."""

import asyncio
import json
import signal
import time
from operator import itemgetter
from pathlib import Path

import pytest
import redis

from redyard import events
from redyard.backups import restore
from redyard.backups.keep import GOAL, Facts, off_machine
from redyard.backups.proof import last_proof
from redyard.backups.storage import Directory
from redyard.backups.timeline import Timeline
from redyard.errors import NoBackups, NotConfirmed
from redyard.metrics import kit
from redyard.settings import Settings
from redyard.yard.backup_figures import figures
from redyard.yard.backups import Backups
from tests.support.servers import answers
from tests.support.wait import wait_until
from tests.support.yards import Sandbox


def storage(yard: Sandbox) -> Directory:
    """Return where the yard keeps the backups of its store."""
    return Directory(yard.home.path / "backups" / "redis-store")


def facts(yard: Sandbox) -> dict:
    """Return what the status tells of the store's backups."""
    return yard.instance("redis-store")["backups"]


def add_store(yard: Sandbox) -> redis.Redis:
    """Add a store and wait until it is followed; return an app's client."""
    yard.json("add", "redis", "--role", "store")
    wait_until(lambda: facts(yard)["following"])
    return redis.Redis.from_url(yard.url("redis-store"), decode_responses=True)


def test_a_move_costs_no_base_and_no_moment(each_yard: Sandbox) -> None:
    """The stream goes on with the new engine's next byte; what both wrote comes back; a later base continues it."""
    with add_store(each_yard) as app:
        app.set("before", 1)
        each_yard.json("restart", "redis")
        wait_until(lambda: facts(each_yard)["following"])
        app.set("after", 2)
        each_yard.json("backups", "capture", "redis")
        assert 1 == len(Timeline(storage(each_yard).names()).bases)
        each_yard.json("backups", "capture", "redis", "--base")
        app.set("last", 3)
    restored = each_yard.json("backups", "restore", "redis", "--into", "copy")

    with redis.Redis.from_url(each_yard.url("copy-store"), decode_responses=True) as copy:
        assert ["1", "2", "3"] == copy.mget("before", "after", "last")
    assert {"0": 3} == restored["keys"]
    assert 1 == len(restore.windows(storage(each_yard)))


def test_a_killed_engine_loses_no_write_and_no_moment_of_the_backups(each_yard: Sandbox) -> None:
    """The moment before a kill -9 has every write that was acknowledged, and so has the state after it; no gap."""
    process, count = None, 0
    with add_store(each_yard) as app:
        process, url = each_yard.process("redis-store"), each_yard.url("redis-store")
        wait_until((each_yard.home.path / "spool" / "redis-store" / "places.json").exists)
        for count in range(1, 2000):
            app.set(f"key:{count}", count)
    died = time.time()
    process.send(signal.SIGKILL)
    wait_until(lambda: not process.alive() and answers(url))
    with redis.Redis.from_url(url) as app:
        app.set("after", 1)
    wait_until(lambda: facts(each_yard)["following"])
    each_yard.json("backups", "capture", "redis")
    before = each_yard.json("backups", "restore", "redis", "--at", stamp(died + 0.01), "--into", "copy")
    after = each_yard.json("backups", "restore", "redis", "--into", "other")

    assert ({"0": count}, {"0": count + 1}) == (before["keys"], after["keys"])
    assert [] == restore.gaps(restore.windows(storage(each_yard)))


def test_a_killed_yard_goes_on_with_the_next_byte(yard: Sandbox) -> None:
    """What was written while there was no yard is in the backups of the next one, without a new base."""
    with add_store(yard) as app:
        app.set("before", 1)
        yard.json("backups", "capture", "redis")
        yard.kill_yard()
        app.set("meanwhile", 2)
        yard.json("up", "--detach")
        wait_until(lambda: facts(yard)["following"])
        yard.json("backups", "capture", "redis")

    assert 1 == len(Timeline(storage(yard).names()).bases)
    assert {"0": 2} == yard.json("backups", "restore", "redis", "--into", "copy")["keys"]


def test_a_flush_is_taken_back(yard: Sandbox) -> None:
    """--before-flush restores what was there just before it, by a name alone; `open` serves the same."""
    with add_store(yard) as app:
        app.mset({f"key:{number}": number for number in range(20)})
        yard.json("connect", "redis", "--admin", "--confirm", "redis-store", "--", "FLUSHALL")
        app.set("after", 1)
    made = yard.json("backups", "restore", "redis", "--before-flush", "--into", "copy")

    assert ({"0": 20}, "FLUSHALL") == (made["keys"], made["before"])


def test_a_moment_takes_the_place_of_the_store(each_yard: Sandbox) -> None:
    """Restored over itself, the store has the moment at the same address; what it had is captured, and can be had."""
    with add_store(each_yard) as app:
        app.set("kept", 1)
        each_yard.json("backups", "capture", "redis")
        moment = time.time()
        url, refused = each_yard.url("redis-store"), ("backups", "restore", "redis", "--over")
        wait_until(lambda: time.time() > moment + 0.2)
        app.set("mistake", 2)
        assert NotConfirmed.__name__ == each_yard.error(*refused)["error"]
        words = ("--at", stamp(moment + 0.1), "--over", "--confirm", "redis-store")
        assert {"0": 1} == each_yard.json("backups", "restore", "redis", *words)["keys"]
    with redis.Redis.from_url(url, decode_responses=True) as app:
        assert ["kept"] == list(app.scan_iter())
    wait_until(lambda: facts(each_yard)["following"])
    windows = restore.windows(storage(each_yard))
    before = restore.find(storage(each_yard), windows[0].last)
    words = ("--at", stamp(before.at + 0.001), "--into", "copy")

    assert {"0": 2} == each_yard.json("backups", "restore", "redis", *words)["keys"]


def test_backups_can_be_off_and_elsewhere(yard: Sandbox, tmp_path: Path) -> None:
    """REDYARD_BACKUPS names another directory, or none at all; a cache has none."""
    yard.environ["REDYARD_BACKUPS"] = str(tmp_path / "elsewhere")
    with add_store(yard):
        wait_until(lambda: Directory(tmp_path / "elsewhere" / "redis-store").names("base/"))
    yard.run("down")
    assert events.FOLLOW_LOST.name not in yard.home.log.read_text()
    yard.environ["REDYARD_BACKUPS_RECIPIENT"] = "nonsense"
    yard.json("up", "--detach")
    assert (False, True) == (facts(yard)["following"], "RECIPIENT" in facts(yard)["trouble"])
    yard.run("down")
    yard.environ["REDYARD_BACKUPS"] = "off"
    yard.json("up", "--detach")

    assert facts(yard) is None
    assert NoBackups.__name__ == yard.error("backups", "capture", "redis")["error"]


def test_removed_stores_leave_no_backups_here(yard: Sandbox) -> None:
    """The backups in the yard's own directory go with the store; who stops and starts before is warned of nothing."""
    with add_store(yard):
        pass
    yard.calls.stop("redis")
    yard.calls.start("redis")
    wait_until(lambda: facts(yard)["following"])
    assert events.FOLLOW_LOST.name not in yard.home.log.read_text()
    yard.calls.remove("redis", "redis")

    assert [] == list((yard.home.path / "backups").glob("*")) + list((yard.home.path / "spool").glob("*"))


async def test_the_yard_has_backups_proved_by_the_command(yard: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof by the clock is the command's; what it finds is an event."""
    with await asyncio.to_thread(add_store, yard) as app:
        app.set("key", 1)
        for name, value in yard.environ.items():
            monkeypatch.setenv(name, value)
        kept, heard = Backups(yard.home, Settings.read(yard.environ)), []
        unsubscribe = events.subscribe(lambda event: heard.append(event.kind))
        await kept._prove("redis-store")
        assert [events.PROVED] == heard
        for path in (yard.home.path / "backups" / "redis-store" / "base").glob("*.zst"):
            path.write_bytes(b"damaged")
        await kept._prove("redis-store")
        unsubscribe()

    assert [events.PROVED, events.NOT_PROVED] == heard
    assert last_proof(storage(yard))


def stamp(at: float) -> str:
    """Return a moment as a person types it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f"{at % 1:.3f}"[1:] + "Z"


def test_the_yard_tells_how_its_backups_are(yard: Sandbox) -> None:
    """Figures for metrics and alerts, and the doctor's warning while they lie on the disk of the data."""
    with add_store(yard) as app:
        app.set("key", "x" * 1000)
        yard.json("backups", "capture", "redis")
        wait_until(lambda: "redyard_backup_age_seconds" in yard.run("metrics", "redis").stdout, timeout=30)
    lines = [line.rsplit(" ", 1) for line in yard.run("metrics", "redis").stdout.splitlines() if line[0] != "#"]
    found = {name.partition("{")[0]: float(value) for name, value in lines if name.startswith("redyard_backup")}

    assert {row.name for row in kit.KIT if row.name.startswith("redyard_backup")} == set(found)
    assert (1, 0) == (found["redyard_backup_following"], found["redyard_backup_gaps_total"])
    assert found["redyard_backup_goal_seconds"] >= GOAL
    assert found["redyard_backup_last_moment_seconds"] > 1e9
    checks = {item["check"] for item in json.loads(yard.run("doctor", "redis-store", "--json").stdout)["findings"]}
    assert {"one-disk"} == checks & {"one-disk", "backups", "backups-behind"}


def test_figures_of_backups_that_wait(tmp_path: Path) -> None:
    """The age counts from what is in the storage; what is not known has no figure; snapshots are following, too."""
    said = Facts(
        storage="s3://b", trouble="", stored_until=900.0, since=100.0, waiting=7, snapshots_every=60.0, goal=120.0
    )
    found = {sample.metric.name.removeprefix("redyard_"): sample.value for sample in figures(said, 1000.0)}

    assert (100.0, 120.0, 900.0) == itemgetter("backup_age_seconds", "backup_goal_seconds", "backup_proof_age_seconds")(
        found
    )
    assert (1.0, 7) == (found["backup_following"], found["backup_waiting_bytes"])
    assert "backup_lag_seconds" not in found
    assert not off_machine(str(tmp_path / "not" / "yet"), tmp_path)
