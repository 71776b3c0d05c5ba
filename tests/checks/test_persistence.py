"""Problems of persistence and backups, each made on a real engine."""

import shutil
import subprocess
from pathlib import Path

import pytest
import redis

from redyard.checks import Case, Facts, Severity, judge
from redyard.engine.find import examine, find
from tests.conftest import REDIS7
from tests.support.odd import Odd, diagnose, settle

DAY = 86400.0


async def test_saves_fail_and_writes_stop(odd):
    """P52: the directory has gone."""
    server = odd("--save", "3600 1", "--stop-writes-on-bgsave-error", "yes")
    server.do("SET", "a", 1)
    shutil.rmtree(server.directory)
    server.do("BGSAVE")
    settle(lambda: _status(server) == "err")
    server.directory.mkdir()
    found = await diagnose(server)

    assert {"P52"} == found.alarms
    assert "MISCONF" in found["P52"].evidence["SET"]
    assert "BGSAVE" in found["P52"].remedy


def _status(server):
    with server.client() as client:
        return client.info("persistence")["rdb_last_bgsave_status"]


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
async def test_saves_cannot_be_started(odd):
    """P34: the system refuses the fork; the save took no time at all."""
    server = odd("--save", "3600 1")
    server.do("SET", "a", 1)
    watch = ("strace", "-f", "-qq", "-o", "/dev/null", "-p", str(server.process.pid))
    with subprocess.Popen([*watch, "-e", "inject=clone,fork,vfork:error=ENOMEM"]) as tracer:
        settle(lambda: "TracerPid:\t0" not in Path(f"/proc/{server.process.pid}/status").read_text())
        with pytest.raises(redis.ResponseError):
            server.do("BGSAVE")
        tracer.terminate()
    found = await diagnose(server)

    assert {"P34"} == found.alarms
    assert "overcommit_memory=1" in found["P34"].remedy


async def test_a_restart_would_lose_everything(odd):
    """P53: jobs, and nothing on disk; a cache may."""
    server = odd()
    server.do("HSET", "bull:mail:1", "data", "{}")
    server.do("ZADD", "bull:mail:completed", 1, 1)
    store = await diagnose(server)
    cache = await diagnose(server, facts=Facts(role="cache"))

    assert {"P53"} == store.alarms
    assert "CONFIG SET appendonly yes" in store["P53"].remedy
    assert "P53" not in cache


async def test_it_loads_its_files(odd):
    """P54: wait, and do not restart."""
    server = odd()
    server.do("EVAL", "for i = 1, 20000 do redis.call('SET', 'key:' .. i, i) end", 0)
    server.stop(save=True)
    server.words += ["--key-load-delay", "300", "--loading-process-events-interval-bytes", "1024"]
    server.start()
    found = await diagnose(server)

    assert {"P54"} == found.alarms


async def test_a_damaged_log(odd):
    """P55: it does not start, and its log says why."""
    server = odd("--appendonly", "yes", "--aof-load-truncated", "no")
    server.do("EVAL", "for i = 1, 100 do redis.call('SET', 'key:' .. i, i) end", 0)
    server.stop()
    (piece,) = server.directory.glob("appendonlydir/*.incr.aof")
    piece.write_bytes(piece.read_bytes()[:500] + b"garbage\r\n" + piece.read_bytes()[520:])
    server.start(wait=False)
    server.process.wait()
    found = await diagnose(server, facts=Facts(log=server.log.read_text()))

    assert {"P03", "P55"} == found.alarms
    assert "check-aof" in found["P55"].remedy


async def test_a_dump_of_a_newer_version(engine, tmp_path):
    """P56: neither engine reads what a later one wrote."""
    (tmp_path / "dump.rdb").write_bytes(b"REDIS9999" + b"\0" * 64)
    server = Odd(engine, directory=str(tmp_path), wait=False)
    server.process.wait()
    found = await diagnose(server, facts=Facts(log=server.log.read_text()))

    assert {"P03", "P56"} == found.alarms


@pytest.mark.needs_redis7
async def test_a_dump_of_another_engine(tmp_path):
    """P56: Redis 7 does not read what Valkey 9 wrote."""
    valkey = Odd(find(), directory=str(tmp_path))
    valkey.do("SET", "a", 1)
    valkey.stop(save=True)
    other = Odd(examine(REDIS7), directory=str(tmp_path), wait=False)
    other.process.wait()
    found = await diagnose(other, facts=Facts(log=other.log.read_text()))

    assert {"P03", "P56"} == found.alarms


@pytest.mark.parametrize(
    ("facts", "remedy"),
    [
        (Facts(backup_every=DAY), "capture"),
        (Facts(backup_every=DAY, backup_at=-3 * DAY), "capture"),
        (Facts(backup_every=DAY, backup_at=-DAY), "verify"),
        (Facts(backup_every=DAY, backup_at=-DAY, backup_verified_at=-8 * DAY), "verify"),
        (Facts(backup_every=DAY, backup_at=0, backup_verified_at=0, backup_size=6, volume_size=10), "export"),
    ],
)
async def test_a_backup_that_is_none(odd, facts, remedy):
    """P57: absent, old, unproved, or too big for the platform."""
    found = await diagnose(odd(), facts=facts, clock=lambda: 0.0)

    assert {"P57"} == found.alarms
    assert f"redyard backups {remedy}" == found["P57"].remedy


async def test_a_good_backup_is_no_finding(odd):
    """P57: recent and proved."""
    facts = Facts(backup_every=DAY, backup_at=0, backup_verified_at=0, backup_size=4, volume_size=10)

    assert "P57" not in await diagnose(odd(), facts=facts, clock=lambda: 0.0)


@pytest.mark.parametrize(
    ("facts", "check"),
    [
        (Facts(backup_trouble="the storage s3://b failed"), "backups-behind"),
        (Facts(backup_lag=31.0), "backups-behind"),
        (Facts(backup_gap_at=-60.0), "backups-behind"),
        (Facts(backup_off_machine=False), "one-disk"),
    ],
)
def test_backups_that_lack_something(facts, check):
    """Trouble, a lag, a gap, and the disk that they share with the data are each told, as a warning."""
    well = Facts(backup_lag=0.1, backup_off_machine=True, backup_gap_at=-DAY)

    assert [(check, Severity.WARNING)] == [(row.check, row.severity) for row in judge(Case(facts=facts))]
    assert [] == judge(Case(facts=well))


async def test_a_restart_lost_the_data(odd):
    """P71: it has another run and a fraction of the keys."""
    server = odd()
    server.do("EVAL", "for i = 1, 50 do redis.call('SET', 'session:' .. i, i, 'EX', 1000) end", 0)
    before = server.reading(1.0)
    server.stop()
    server.start()
    found = await diagnose(server, before=before)

    assert {"P71"} == found.alarms
