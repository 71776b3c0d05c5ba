"""Memory by prefix: every key, exactly."""

import asyncio
import os
import threading

import pytest

from redyard.doctor import look_at_memory
from redyard.doctor.memory import Deep, look
from redyard.doctor.target import from_url
from redyard.doctor.wire import Wire
from redyard.errors import RedisAway
from tests.support.servers import free_port


def filled(odd):
    server = odd()
    server.do("EVAL", "for i = 1, 3000 do redis.call('SET', 'session:' .. i, i, 'EX', 900) end", 0)
    server.do("EVAL", "for i = 1, 50 do redis.call('SET', 'cart:' .. i, string.rep('x', 5000)) end", 0)
    server.do("SET", "alone", "x")
    server.do("EVAL", "for i = 1, 20000 do redis.call('RPUSH', 'log:all', 'line ' .. i) end", 0)
    return server


async def test_every_key_is_counted(odd):
    """Keys, bytes, those without an end, and the biggest by name."""
    server = filled(odd)
    deep = await look_at_memory(server.url())
    rows = {row["name"]: row for row in deep.to_json()["prefixes"]}
    with server.client() as client:
        exact = sum(client.memory_usage(f"session:{number}") for number in range(1, 3001))

    assert {"session": 3000, "cart": 50, "log": 1, "(none)": 1} == {name: row["keys"] for name, row in rows.items()}
    assert exact == rows["session"]["bytes"]
    assert (0.0, 1.0) == (rows["session"]["endless_share"], rows["cart"]["endless_share"])
    assert "log:all" == deep.to_json()["biggest"][0]["key"]
    assert 1 == pytest.approx(sum(row["share"] for row in rows.values()), abs=0.001)


async def test_every_element_is_measured(odd):
    """A collection's few first elements tell little of the others; a sample is asked for."""
    server = odd()
    fields = {f"f{number}": "x" * (10 if number % 2 else 5000) for number in range(600)}
    server.client().hset("uneven:hash", mapping=fields)
    exact, sampled = [
        (await look_at_memory(server.url(), deep=Deep(samples=samples))).to_json()["bytes"] for samples in (0, 1)
    ]

    assert server.do("MEMORY", "USAGE", "uneven:hash", "SAMPLES", 0) == exact
    assert exact != sampled


async def test_a_look_goes_on_where_it_was_left(odd):
    """An unfinished look is a value; the next one needs only that."""
    server = filled(odd)
    target = from_url(server.url(), {})
    deep, rounds = Deep(), 0
    while not deep.finished:
        wire = Wire.dial(target, target.host, None, 5)
        deep = look(wire, deep, pages=1)
        wire.close()
        rounds += 1
    whole = await look_at_memory(server.url())

    assert rounds > 1
    assert whole.keys == deep.keys
    assert {"session": 0, "cart": 0, "log": 0, "(none)": 0} == deep.growth(
        {row.name: row.bytes for row in whole.prefixes.values()}
    )


async def test_without_scripts_it_is_the_same(odd):
    """Who may not run them asks key by key."""
    server = filled(odd)
    server.do("ACL", "SETUSER", "looker", "on", ">secret", "~*", "+@all", "-@scripting")
    one, other = [await look_at_memory(url) for url in (server.url(), server.url(0, "looker:secret"))]

    assert one.prefixes == other.prefixes
    assert [big.size for big in one.biggest] == [big.size for big in other.biggest]
    assert other.finished


async def test_keys_that_it_may_not_see(odd):
    """They are left out, by both ways, and nothing fails."""
    server = filled(odd)
    server.do("ACL", "SETUSER", "cart", "on", ">secret", "~cart:*", "+@all")
    server.do("ACL", "SETUSER", "bare", "on", ">secret", "~cart:*", "+@all", "-@scripting")
    for login in ("cart:secret", "bare:secret"):
        deep = await look_at_memory(server.url(0, login))

        assert {b"cart"} == set(deep.prefixes)
        assert 50 == deep.keys


async def test_scripts_that_are_flushed_half_way(odd):
    """The look sends its own again."""
    server = filled(odd)
    deep = await look_at_memory(server.url(), told=lambda _: server.do("SCRIPT", "FLUSH"))

    assert 3052 == deep.keys


async def test_a_server_that_stops_half_way(odd, monkeypatch):
    """An error of the table, and not a wait without an end."""
    monkeypatch.setattr("redyard.doctor.memory.WITHIN", 0.2)
    server = filled(odd)
    with pytest.raises(RedisAway, match="stopped answering"):
        await look_at_memory(server.url(), told=lambda _: server.freeze())


async def test_a_look_that_is_given_up_ends(odd):
    """Its thread waits for no answer any more: nothing of it is left behind."""
    server = filled(odd)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told(_):
        server.freeze()
        loop.call_soon_threadsafe(asked.set)

    going = asyncio.create_task(look_at_memory(server.url(), told=told))
    await asked.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going

    assert not looking()


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux alone has it")
async def test_a_look_that_stands_aside(odd):
    """It takes what is left over on its server's processor; this thread stays what it was."""
    seen = set()
    server = filled(odd)
    mine = os.sched_getscheduler(0), os.sched_getaffinity(0)
    deep = await look_at_memory(server.url(), told=lambda _: seen.add(what_it_is()), aside=True)

    assert 3052 == deep.keys
    assert (os.SCHED_IDLE, 1) in seen
    assert mine == (os.sched_getscheduler(0), os.sched_getaffinity(0))


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux alone has it")
async def test_a_look_for_which_nothing_is_left_over(odd, monkeypatch):
    """It stands aside no longer, and goes on where it was."""
    monkeypatch.setattr("redyard.doctor.aside.EVERY", 0)
    monkeypatch.setattr("redyard.doctor.aside.MOSTLY", -1)
    seen = []
    deep = await look_at_memory(filled(odd).url(), told=lambda _: seen.append(what_it_is()[0]), aside=True)

    assert 3052 == deep.keys
    assert [os.SCHED_IDLE, os.SCHED_OTHER] == [seen[0], *set(seen[1:])]


def what_it_is():
    """Return this thread's class, and on how many processors it may run."""
    return os.sched_getscheduler(0), len(os.sched_getaffinity(0))


def looking():
    """Return the threads of looks, when they had time to end."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("look")]
    for thread in threads:
        thread.join(10)
    return [thread for thread in threads if thread.is_alive()]


async def test_progress_is_told(odd):
    """After each page."""
    told = []
    await look_at_memory(filled(odd).url(), told=lambda deep: told.append(deep.keys))

    assert sorted(told) == told
    assert len(told) > 1


async def test_by_a_unix_socket(odd, tmp_path):
    """As by any other address."""
    server = odd("--unixsocket", tmp_path / "socket")
    server.do("SET", "a:1", "x", database=2)
    deep = await look_at_memory(f"unix://{tmp_path}/socket?db=2", aside=True)

    assert [("a", 1)] == [(row.name, row.keys) for row in deep.prefixes.values()]


async def test_by_tls(secured):
    """As by any other address, whose certificate is verified."""
    secured.server.admin("SET", "a:1", "x")
    deep = await look_at_memory(secured.url(), environ=secured.environ(), aside=True)

    assert [("a", 1)] == [(row.name, row.keys) for row in deep.prefixes.values()]


async def test_nobody_is_there():
    """An error of the table."""
    with pytest.raises(RedisAway):
        await look_at_memory(f"redis://127.0.0.1:{free_port()}")
