"""Sessions in Redis."""

import asyncio
import time
from hashlib import sha256

import pytest

from redyard import SessionStore
from redyard.errors import EvictingServer, InvalidValue, NotJSON, RedisAway
from tests.support.clients import client


async def test_a_session_comes_back_as_it_was_saved(server, decode):
    """With every kind of client."""
    fields = {"name": "Ada é", "cart": [1, {"n": None}]}
    async with client(server.url, decode_responses=decode) as redis:
        store = SessionStore(redis)
        assert await store.save("an-id", fields, new=True)

        assert fields == await store.load("an-id")


async def test_the_key_is_the_digest_of_the_id(redis):
    """Who reads Redis cannot take over a session."""
    await SessionStore(redis).save("an-id", {"a": 1}, new=True)

    assert [f"session:{sha256(b'an-id').hexdigest()}".encode()] == [key async for key in redis.scan_iter()]


def test_ids_are_long_and_never_the_same():
    """256 random bits each."""
    ids = {SessionStore.new_id() for _ in range(1000)}

    assert 1000 == len(ids)
    assert {43} == {len(one) for one in ids}


async def test_a_session_lives_a_day_after_its_last_use(redis):
    """Saving and touching start its time anew; loading does when told to."""
    store, key = SessionStore(redis), f"session:{sha256(b'an-id').hexdigest()}"
    await store.save("an-id", {"a": 1}, new=True)
    seen = [await redis.ttl(key)]
    for use in (
        lambda: store.touch("an-id"),
        lambda: store.load("an-id", touch=True),
        lambda: store.save("an-id", {"a": 2}),
        lambda: store.load("an-id"),
    ):
        await redis.expire(key, 100)
        await use()
        seen.append(await redis.ttl(key))

    assert [86_400, 86_400, 86_400, 86_400, 100] == [value + (value % 10 == 9) for value in seen]


async def test_an_unknown_id_is_not_adopted(redis):
    """Nothing is made under an id that the store did not make."""
    store = SessionStore(redis)

    assert await store.load("made-up") is None
    assert not await store.save("made-up", {"a": 1})
    assert not await store.touch("made-up")
    assert not await store.destroy("made-up")
    assert await store.rotate("made-up") is None
    assert 0 == await redis.dbsize()


async def test_a_destroyed_session_does_not_come_back(redis):
    """A slow request that still held it writes nothing."""
    store = SessionStore(redis)
    await store.save("an-id", {"a": 1}, new=True)
    assert await store.destroy("an-id")

    assert not await store.save("an-id", {"a": 2})
    assert 0 == await redis.dbsize()


async def test_a_new_session_overwrites_no_other(redis):
    """Even if two got the same id."""
    store = SessionStore(redis)
    await store.save("an-id", {"a": 1}, new=True)

    assert not await store.save("an-id", {"a": 2}, new=True)
    assert {"a": 1} == await store.load("an-id")


async def test_writers_at_the_same_time_do_not_undo_each_other(redis):
    """50 requests add a field each; all 50 are there."""
    store = SessionStore(redis)
    await store.save("an-id", {"start": 0}, new=True)
    await asyncio.gather(*(store.save("an-id", {f"f{n}": n}) for n in range(50)))

    assert {"start": 0} | {f"f{n}": n for n in range(50)} == await store.load("an-id")


async def test_removed_fields_are_gone(redis):
    """And a session without fields is still a session."""
    store = SessionStore(redis)
    await store.save("an-id", {"a": 1}, new=True)
    await store.save("an-id", {}, removed=["a"])

    assert {} == await store.load("an-id")


async def test_a_rotated_session_has_one_id(redis):
    """The data are the same; the old id is worth nothing."""
    store = SessionStore(redis)
    await store.save("an-id", {"a": 1}, new=True)
    new, fields = await store.rotate("an-id")

    assert {"a": 1} == fields == await store.load(new)
    assert await store.load("an-id") is None
    assert 1 == await redis.dbsize()


async def test_of_many_rotations_at_once_one_wins(redis):
    """The session is never copied."""
    store = SessionStore(redis)
    await store.save("an-id", {"a": 1}, new=True)
    done = await asyncio.gather(*(store.rotate("an-id") for _ in range(20)))

    assert 1 == len([one for one in done if one])
    assert 1 == await redis.dbsize()


async def test_what_is_no_json_is_refused(redis):
    """The error names the field."""
    with pytest.raises(NotJSON, match="'when'"):
        await SessionStore(redis).save("an-id", {"when": object()}, new=True)


async def test_an_evicting_server_is_refused(server, redis):
    """People would be signed out at random; the override is explicit."""
    server.admin("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    try:
        with pytest.raises(EvictingServer, match="a session store"):
            await SessionStore(redis).load("an-id")
        assert await SessionStore(redis, allow_eviction=True).load("an-id") is None
    finally:
        server.admin("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_a_session_needs_a_lifetime(redis):
    """Not 0 seconds."""
    with pytest.raises(InvalidValue):
        SessionStore(redis, ttl=0)


async def test_a_hanging_redis_is_given_up_soon_and_then_at_once(own_server, own_redis):
    """Half a second the first time, nothing the second."""
    store = SessionStore(own_redis)
    await store.load("an-id")
    own_server.pause()
    times = []
    for _ in range(2):
        start = time.monotonic()
        with pytest.raises(RedisAway):
            await store.load("an-id")
        times.append(time.monotonic() - start)
    own_server.resume()

    assert times[0] < 0.9
    assert times[1] < 0.05
