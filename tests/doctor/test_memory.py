"""Memory by prefix: every key, exactly."""

import pytest

from redyard.doctor import look_at_memory
from redyard.doctor.line import Line
from redyard.doctor.memory import Deep, look
from redyard.doctor.target import from_url
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
        line = await Line.dial(target, target.host)
        deep = await look(line, deep, pages=1)
        await line.close()
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


async def test_progress_is_told(odd):
    """After each page."""
    told = []
    await look_at_memory(filled(odd).url(), told=lambda deep: told.append(deep.keys))

    assert sorted(told) == told
    assert len(told) > 1


async def test_nobody_is_there():
    """An error of the table."""
    with pytest.raises(RedisAway):
        await look_at_memory(f"redis://127.0.0.1:{free_port()}")
