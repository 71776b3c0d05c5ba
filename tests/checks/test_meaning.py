"""Problems of what an app asks, each made on a real engine."""

import pytest
import redis

from redyard.checks import Case, Facts, judge
from redyard.reading import Reading
from tests.support.odd import diagnose


async def test_the_wrong_database(odd):
    """P63: the address's is empty, another is not."""
    server = odd()
    server.do("SET", "shop:1", 1, database=3)
    found = await diagnose(server)
    right = await diagnose(server.url(3))

    assert {"P63"} == found.alarms
    assert found["P63"].remedy.endswith("/3")
    assert set() == right.alarms


async def test_two_apps_share_a_prefix(odd):
    """P64: a slip is a remark, many are a finding."""
    server = odd()
    server.do("SET", "user:1", "text")
    once = await _after(server, 1)
    often = await _after(server, 12)

    assert ("P64" in once, once.alarms) == (True, set())
    assert {"P64"} == often.alarms


async def _after(server, times):
    for _ in range(times):
        with pytest.raises(redis.ResponseError):
            server.do("HGETALL", "user:1")
    return await diagnose(server)


async def test_scripts_that_the_server_does_not_know(odd):
    """P65: again and again."""
    server = odd()
    with server.client() as client:
        for _ in range(60):
            with pytest.raises(redis.exceptions.NoScriptError):
                client.evalsha("f" * 40, 0)
    found = await diagnose(server)

    assert {"P65"} == found.alarms


@pytest.mark.parametrize("command", ["HGETDEL2", "FT.SEARCH"])
async def test_a_command_that_the_server_does_not_know(odd, command):
    """P66: what the app was told, beside the engine's own version."""
    server = odd()
    with pytest.raises(redis.ResponseError) as error:
        server.do(command, "a")
    found = await diagnose(server, facts=Facts(app_error=str(error.value)))

    assert {"P66"} == found.alarms
    assert server.engine.version in found["P66"].evidence["engine"]
    assert ("module" in found["P66"].cause) == ("." in command)


async def test_config_was_renamed(odd):
    """P67: a remark; the rest is examined without it."""
    server = odd("--rename-command", "CONFIG", "")
    found = await diagnose(server)

    assert "P67" in found
    assert set() == found.alarms
    assert "config" in found.examination.unchecked


async def test_info_was_renamed(odd):
    """P67: nothing was found because nothing could be seen, which is no good news."""
    found = await diagnose(odd("--rename-command", "INFO", ""))

    assert {"P67"} == found.alarms
    assert "says nothing" in found["P67"].cause


async def test_transactions_are_thrown_away(odd):
    """P68: because a command in them was wrong."""
    server = odd()
    with server.client() as client, client.client() as one:
        one.execute_command("MULTI")
        with pytest.raises(redis.ResponseError):
            one.execute_command("SETT", "a")
        with pytest.raises(redis.exceptions.ExecAbortError):
            one.execute_command("EXEC")
    found = await diagnose(server)

    assert {"P68"} == found.alarms


async def test_a_queue_that_is_paused(odd):
    """P69: while jobs wait."""
    server = odd("--appendonly", "yes")
    server.do("HSET", "bull:mail:meta", "paused", 1)
    server.do("LPUSH", "bull:mail:paused", 1, 2)
    found = await diagnose(server)

    assert {"P69"} == found.alarms
    assert "HDEL bull:mail:meta paused" in found["P69"].remedy


async def test_nobody_takes_the_jobs(odd):
    """P70: jobs wait, and no worker; or a worker died at its jobs."""
    server = odd("--appendonly", "yes")
    server.do("HSET", "bull:mail:meta", "opts.maxLenEvents", 1000)
    server.do("HSET", "bull:mail:1", "data", "{}")
    server.do("LPUSH", "bull:mail:wait", 1)
    waiting = await diagnose(server)
    server.do("RPOPLPUSH", "bull:mail:wait", "bull:mail:active")
    stalled = await diagnose(server)
    server.do("SET", "bull:mail:1:lock", "it", "PX", 30_000)
    busy = await diagnose(server)

    assert {"P70"} == waiting.alarms
    assert {"P70"} == stalled.alarms
    assert set() == busy.alarms


@pytest.mark.parametrize(
    ("engine_name", "version", "found"),
    [
        ("redis", "7.0.15", True),
        ("redis", "7.2.10", True),
        ("redis", "7.2.11", False),
        ("redis", "8.4.0", False),
        ("valkey", "8.1.3", True),
        ("valkey", "9.1.2", False),
        ("dragonfly", "1.0.0", False),
    ],
)
def test_a_version_with_a_known_hole(engine_name, version, found):
    """By the dated table; a hint, because distributions mend without a new number."""
    reading = Reading.parse({"server_name": engine_name, "redis_version": version})
    findings = [finding for finding in judge(Case(reading=reading)) if finding.check == "known-hole"]

    assert found == bool(findings)
    assert all(finding.severity == "info" for finding in findings)


@pytest.mark.parametrize(
    ("engine_name", "version", "program", "severity"),
    [
        ("redis", "7.0.15", "/usr/local/bin/redis-server", "warning"),
        ("redis", "7.0.15", "/usr/bin/redis-server", "info"),
        ("redis", "4.0.9", "/data/redis-server", "warning"),
        ("redis", "6.2.20", "/data/redis-server", None),
        ("redis", "8.4.0", "/data/redis-server", None),
        ("valkey", "8.0.1", "/data/valkey-server", None),
        ("valkey", "9.1.2", "/data/valkey-server", None),
        ("dragonfly", "1.0.0", "/data/dragonfly", None),
    ],
)
def test_a_version_without_further_fixes(engine_name, version, program, severity):
    """Of upstream's own builds it is an alarm; a distribution goes on mending."""
    reading = Reading.parse({"server_name": engine_name, "redis_version": version, "executable": program})
    findings = [finding for finding in judge(Case(reading=reading, now=1.79e9)) if finding.check == "end-of-life"]

    assert ([severity] if severity else []) == [finding.severity for finding in findings]
