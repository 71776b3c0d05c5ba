"""Problems of latency, each made on a real engine."""

import shutil
import subprocess
import threading
from functools import partial

import pytest

from tests.support.odd import diagnose, in_thread, settle, spin

LOOP = "local n = 0; while true do n = n + 1 end"


def filled(odd, count, *words):
    server = odd(*words)
    server.do("EVAL", f"for i = 1, {count} do redis.call('SET', 'key:' .. i, i) end", 0)
    server.do("SLOWLOG", "RESET")
    return server


async def test_a_command_that_reads_everything(odd):
    """P40: the command, its client and what to use instead; names of keys are cut."""
    server = filled(odd, 150_000, "--slowlog-log-slower-than", 1000)
    settle(lambda: server.do("KEYS", "key:*-secret") is not None and _slow(server, "KEYS"))
    found = await diagnose(server)

    assert {"P40"} == found.alarms
    assert "--scan" in found["P40"].remedy
    assert "secret" not in str(found["P40"].evidence)


def _slow(server, name):
    return any(entry["command"].startswith(name.encode()) and entry["duration"] >= 10_000 for entry in _log(server))


def _log(server):
    with server.client() as client:
        return client.slowlog_get(128)


async def test_a_hot_key(odd):
    """P41: a hint, and never an alarm."""
    server = filled(odd, 30, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", 1)
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for _ in range(6000):
            pipe.get("key:7")
        pipe.execute()
    found = await diagnose(server)

    assert set() == found.alarms
    assert "key:7" == found["P41"].evidence["key"]


async def test_a_script_that_does_not_end(odd):
    """P42: BUSY on everything, and the command that ends it."""
    server = odd("--busy-reply-threshold", 50)
    thread = threading.Thread(target=_swallow, args=(server, LOOP))
    thread.start()
    settle(lambda: _busy(server))
    found = await diagnose(server)
    server.do("SCRIPT", "KILL")
    thread.join()

    assert {"P42"} == found.alarms
    assert "SCRIPT KILL" in found["P42"].remedy


def _swallow(server, script):
    try:
        server.do("EVAL", script, 0)
    except Exception as error:  # noqa: BLE001
        assert "killed" in str(error)  # noqa: PT017


def _busy(server):
    try:
        server.do("PING")
    except Exception as error:  # noqa: BLE001
        return "BUSY" in str(error)
    return False


async def test_a_script_that_takes_long(odd):
    """P43: found in the slow log after it ended."""
    server = odd()
    server.do("EVAL", spin(0.15), 0)
    found = await diagnose(server)

    assert {"P43"} == found.alarms


async def test_a_script_below_the_threshold_is_silence(odd):
    """P43: while it runs nothing answers, and the cause names scripts."""
    server = odd("--busy-reply-threshold", 60_000)
    with server.client() as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("EVAL", spin(4), 0)
        settle(server.silent)
        found = await diagnose(server)
        connection.disconnect()

    assert {"P05"} == found.alarms
    assert "script" in found["P05"].cause


async def test_deleting_takes_long(odd):
    """P44: only where it is not done in the background."""
    server = odd("--lazyfree-lazy-user-del", "no", "--slowlog-log-slower-than", 1000)
    server.do("EVAL", "for i = 1, 400000 do redis.call('SADD', 'a:big', 'member' .. i) end", 0)
    server.do("SLOWLOG", "RESET")
    server.do("DEL", "a:big")
    found = await diagnose(server)

    assert {"P44"} == found.alarms
    assert "UNLINK" in found["P44"].remedy


async def test_each_write_waits_for_the_disk(odd):
    """P45: named, though it may be wanted."""
    found = await diagnose(odd("--appendonly", "yes", "--appendfsync", "always"))

    assert "P45" in found
    assert found.alarms <= {"P45"}


async def test_many_keys_end_at_once(odd):
    """P47: their removal takes all the time that it may."""
    server = odd("--latency-monitor-threshold", 1)
    server.do("EVAL", "for i = 1, 300000 do redis.call('SET', 'it:' .. i, i, 'PX', 1200) end", 0)
    server.do("SLOWLOG", "RESET")
    settle(lambda: _expiring(server))
    found = await diagnose(server)

    assert {"P47"} == found.alarms


def _expiring(server):
    with server.client() as client:
        info = client.info("stats")
    return info["expired_time_cap_reached_count"] >= 6 and info["expired_stale_perc"] >= 12


async def test_a_cache_that_is_too_small(odd):
    """P48: it throws away what is asked for next."""
    server = odd("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
    with server.client() as client:
        for _ in range(2):
            pipe = client.pipeline(transaction=False)
            for number in range(4000):
                pipe.get(f"cache:{number}")
                pipe.set(f"cache:{number}", "x" * 4000, ex=3600)
            pipe.execute()
    found = await diagnose(server)

    assert {"P48"} == found.alarms


async def test_a_cold_cache(odd):
    """P49: between two readings, whatever was before."""
    server = odd("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with server.client() as client:
        before = server.reading(1.0)
        pipe = client.pipeline(transaction=False)
        for number in range(2000):
            pipe.get(f"cache:{number}")
        pipe.execute()
    found = await diagnose(server, before=before, clock=lambda: 5.0)

    assert "P49" in found.alarms


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
async def test_a_disk_that_does_not_keep_up(odd):
    """P46: a flush that takes over two seconds."""
    server = odd("--appendonly", "yes", "--appendfsync", "everysec")
    watch = ("strace", "-f", "-qq", "-o", "/dev/null", "-p", str(server.process.pid))
    with subprocess.Popen([*watch, "-e", "inject=fdatasync:delay_enter=2500000"]) as tracer:
        info = partial(server.client().info, "persistence")
        settle(lambda: server.do("INCR", "writes") and int(info()["aof_delayed_fsync"]) >= 3, 60)
        tracer.terminate()
    found = await diagnose(server)

    assert "P46" in found.alarms


@pytest.mark.soak
async def test_the_engines_thread_is_fully_used(odd):
    """P50: by two readings."""
    server = odd()
    over = threading.Event()

    def load():
        with server.client(client_name="load") as client:
            while not over.is_set():
                client.eval(spin(0.02), 0)

    thread = threading.Thread(target=load)
    thread.start()
    found = await diagnose(server, watch=1.0)
    over.set()
    await in_thread(thread.join)

    assert "P50" in found.alarms
