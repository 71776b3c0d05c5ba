"""Sessions in Redis, in both formats."""

import asyncio
import json
import time
from hashlib import sha256

import pytest

from redyard import SessionStore, events
from redyard.errors import EvictingServer, InvalidValue, NotForExpress, RedisAway, SessionTooLarge
from redyard.sessions import Change, Session
from tests.support.clients import client, heard
from tests.support.wait import until


def change(*removed, **fields):
    return Change(fields={name: json.dumps(value).encode() for name, value in fields.items()}, removed=list(removed))


async def values(store, session_id):
    record = await store.load(session_id)
    return record and record.values


@pytest.mark.parametrize("name", ["native", "express"])
async def test_a_session_comes_back_as_it_was_saved(server, decode, name):
    """With every kind of client."""
    fields = {"name": "Ada é", "cart": [1, {"n": None}], "zero": 0.5}
    async with client(server.url, decode_responses=decode) as redis:
        store = SessionStore(redis, format=name, deadline=10)
        assert await store.create("an-id", change(**fields))

        assert fields == await values(store, "an-id")


async def test_the_key_is_the_digest_of_the_id(native, redis):
    """Who reads Redis cannot take over a session."""
    await native.create("an-id", change(a=1))

    assert [f"session:{sha256(b'an-id').hexdigest()}".encode()] == [key async for key in redis.scan_iter()]


@pytest.mark.parametrize(("name", "size"), [("native", 43), ("express", 32)])
def test_ids_are_long_and_never_the_same(redis, name, size):
    """256 random bits each, and 192 as Express makes them."""
    store = SessionStore(redis, format=name, deadline=10)
    ids = {store.new_id() for _ in range(1000)}

    assert 1000 == len(ids)
    assert {size} == {len(one) for one in ids}


async def test_an_unknown_id_is_not_adopted(store, redis):
    """Nothing is made under an id that the store did not make."""
    record = await store.create("an-id", change(a=1))
    await store.destroy("an-id")

    assert await store.load("made-up") is None
    assert await store.save(record, change(a=1)) is None
    assert await store.rotate(record, change()) is None
    assert not await store.destroy("made-up")
    assert 0 == await redis.dbsize()


async def test_a_new_session_overwrites_no_other(store):
    """Even if two got the same id."""
    await store.create("an-id", change(a=1))

    assert await store.create("an-id", change(a=2)) is None
    assert {"a": 1} == await values(store, "an-id")


async def test_writers_at_the_same_time_do_not_undo_each_other(store):
    """50 requests that read the same add a field each; all 50 are there."""
    await store.create("an-id", change(start=0))
    records = [await store.load("an-id") for _ in range(50)]
    await asyncio.gather(*(store.save(record, change(**{f"f{n}": n})) for n, record in enumerate(records)))

    assert {"start": 0} | {f"f{n}": n for n in range(50)} == await values(store, "an-id")


async def test_on_one_field_the_last_write_wins(store):
    """Whoever read first."""
    await store.create("an-id", change(a=0))
    one, other = await store.load("an-id"), await store.load("an-id")
    await store.save(other, change(a="other"))
    await store.save(one, change(a="one"))

    assert {"a": "one"} == await values(store, "an-id")


async def test_removed_fields_are_gone(store):
    """And a session without fields is still a session."""
    record = await store.create("an-id", change(a=1))
    await store.save(record, change("a"))

    assert {} == await values(store, "an-id")


async def test_a_rotated_session_has_one_id(store, redis):
    """The data are the same; the old id is worth nothing."""
    record = await store.create("an-id", change(a=1))
    new, moved = await store.rotate(record, change())

    assert {"a": 1} == moved.values == await values(store, new)
    assert await store.load("an-id") is None
    assert 1 == await redis.dbsize()


async def test_of_many_rotations_at_once_one_wins(store, redis):
    """The session is never copied."""
    record = await store.create("an-id", change(a=1))
    done = await asyncio.gather(*(store.rotate(record, change()) for _ in range(20)))

    assert 1 == len([one for one in done if one])
    assert 1 == await redis.dbsize()


async def test_an_alias_leads_to_the_new_id_for_a_moment(native, redis):
    """Requests in flight read, write and end the session that they know by the old id; nobody moves it again."""
    record = await native.create("an-id", change(a=1))
    new, _ = await native.rotate(record, change(), alias=5)
    old = await native.load("an-id")
    saved = await native.save(record, change(b=2))
    again, same = await native.rotate(record, change(), alias=5)

    assert (True, {"a": 1}) == (old.moved, old.values)
    assert saved
    assert (True, old.key) == (same.moved, same.key)
    assert await native.load(again) is None
    assert {"a": 1, "b": 2} == await values(native, new)
    assert 0 < await redis.pttl(native.records.key("an-id")) <= 5000
    assert await native.destroy("an-id")
    assert 0 == await redis.dbsize()


async def test_a_sign_in_moves_what_an_alias_leads_to(native):
    """Its new id is known to nobody else."""
    record = await native.create("an-id", change(a=1))
    between, _ = await native.rotate(record, change(), alias=5)
    new, _ = await native.rotate(record, Change(fields={}, removed=[], user="7"))

    assert [None, None] == [await native.load("an-id"), await native.load(between)]
    assert {"a": 1} == await values(native, new)


# ---- times


async def ttl_after(redis, key, left, use):
    """Return the ms that a key lives after a use, when it had so many left before."""
    await redis.pexpire(key, left)
    await use()
    return await redis.pttl(key)


async def test_a_touch_is_throttled_and_never_a_rewrite(store, redis):
    """Reading starts the idle time anew once a minute, by the key's time to live alone."""
    record = await store.create("an-id", change(a=1))
    before = await redis.dump(record.key)
    lately = await ttl_after(redis, record.key, 86_350_000, lambda: store.load("an-id"))
    long_ago = await ttl_after(redis, record.key, 86_330_000, lambda: store.load("an-id"))
    touched = await store.load("an-id")

    assert lately <= 86_350_000
    assert 86_390_000 < long_ago <= 86_400_000
    assert not touched.touched
    assert before == await redis.dump(record.key)


async def test_a_write_starts_the_idle_time_anew(store, redis):
    """It is a use as well."""
    record = await store.create("an-id", change(a=1))
    left = await ttl_after(redis, record.key, 1000, lambda: store.save(record, change(a=2)))

    assert left > 86_000_000


async def test_a_session_ends_after_its_absolute_time_however_it_is_used(redis):
    """Neither a touch nor a write goes beyond; one whose time is over is gone at once."""
    store = SessionStore(redis, idle=100, absolute=300, touch=1, deadline=10)
    record = await store.create("an-id", change(a=1))
    now = int(time.time() * 1000)
    seen = []
    uses = (lambda: store.load("an-id"), lambda: store.save(record, change(a=2)))
    for age in (0, 250_000, 299_000):
        await redis.hset(record.key, ":created", now - age)
        seen += [await ttl_after(redis, record.key, 500, use) for use in uses]
    await redis.hset(record.key, ":created", now - 300_000)
    await redis.pexpire(record.key, 500)

    bounds = [(90_000, 100_000)] * 2 + [(40_000, 50_000)] * 2 + [(0, 1000)] * 2
    assert [True] * 6 == [low < left <= high for left, (low, high) in zip(seen, bounds, strict=True)]
    assert await store.load("an-id") is None
    assert 0 == await redis.dbsize()


async def test_idle_absolute_and_renewal_times_hold_together(redis):
    """A use that renews the id starts the idle time anew, not the absolute one; what ends first ends the session."""
    store = SessionStore(redis, idle=100, absolute=300, renewal=50, touch=1, deadline=10)
    session = await Session(store).load()
    session["a"] = 1
    await session.commit()
    first = session.record.key
    await redis.hincrby(first, ":created", -240_000)
    await redis.hincrby(first, ":renewed", -240_000)
    await redis.pexpire(first, 500)
    renewed = await Session(store, session.id, renews=True).load()
    left = await redis.pttl(renewed.record.key)
    await redis.hincrby(renewed.record.key, ":created", -60_000)
    await redis.pexpire(renewed.record.key, 500)

    assert session.id != renewed.id
    assert {"a": 1} == dict(renewed)
    assert 50_000 < left <= 60_000
    assert await store.load(renewed.id) is None


@pytest.mark.parametrize("options", [{"idle": 0}, {"idle": 0.5}, {"absolute": -1}, {"touch": -1}, {"largest": -5}])
def test_times_and_sizes_are_positive(redis, options):
    """An error at the start, not a session that ends at once."""
    with pytest.raises(InvalidValue):
        SessionStore(redis, **options)


def test_a_format_that_nobody_knows_is_refused(redis):
    """And what the format of Express has not."""
    with pytest.raises(InvalidValue, match="format of sessions"):
        SessionStore(redis, format="django")
    for options in ({"absolute": 9}, {"renewal": 9}, {"encrypt": "x" * 32}):
        with pytest.raises(NotForExpress):
            SessionStore(redis, format="express", **options)


# ---- bad records, bad values, bad servers


@pytest.mark.parametrize(
    "damage",
    [
        ("SET", "no hash, no JSON"),
        ("HSET", "a", "hunter2"),
        ("HSET", "a", "1"),
        ("HSET", "a", "{", ":created", "soon", ":renewed", "1"),
        ("RPUSH", "hunter2"),
        ("SET", "[1]"),
        ("SET", "null"),
        ("SET", '{"cookie":7}'),
        ("SET", '{"cookie":{"expires":"soon"}}'),
    ],
)
async def test_a_record_that_cannot_be_read_is_no_session(store, redis, caplog, damage):
    """It is counted and logged, without what it holds; the next write begins another session."""
    command, *rest = damage
    await redis.execute_command(command, store.records.key("an-id"), *rest)
    with heard(events.SESSION_UNREADABLE) as seen:
        assert await store.load("an-id") is None

    assert 1 == store.unreadable == len(seen)
    assert "cannot be read" in caplog.text
    assert "hunter2" not in caplog.text + str(seen)


async def test_a_session_too_large_is_refused(redis):
    """The error says how large it would be, and which field is the largest."""
    store = SessionStore(redis, largest=100, deadline=10)
    record = await store.create("an-id", change(a="x" * 50))
    with pytest.raises(SessionTooLarge, match="the session would have 105 bytes; the limit is 100"):
        await store.save(record, change(b="x" * 49))

    assert await store.save(record, change("a", b="x" * 49))


async def test_an_evicting_server_is_refused(server, redis):
    """People would be signed out at random; the override is explicit."""
    server.admin("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    try:
        with pytest.raises(EvictingServer, match="a session store"):
            await SessionStore(redis).load("an-id")
        assert await SessionStore(redis, allow_eviction=True).load("an-id") is None
    finally:
        server.admin("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_full_server_still_answers_reads(server, store):
    """Only the write fails; nobody is anonymous because of it."""
    record = await store.create("an-id", change(a=1))
    server.admin("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(RedisAway):
            await store.save(record, change(a=2))
        assert {"a": 1} == await values(store, "an-id")
    finally:
        server.admin("CONFIG", "SET", "maxmemory", str(64 << 20))


async def test_a_hanging_redis_is_given_up_soon_and_then_at_once(own_server, own_redis):
    """Long before the client would; then nothing is asked, whatever is wanted, but whether it is back."""
    store = SessionStore(own_redis)
    record = await until(lambda: created(store))
    own_server.pause()
    start = time.monotonic()
    with pytest.raises(RedisAway):
        await store.load("an-id")
    waited = time.monotonic() - start
    asked = own_redis.stats.commands[b"EVALSHA"]
    for use in (store.load("an-id"), store.save(record, change(a=2)), store.destroy("an-id"), store.list("7")):
        with pytest.raises(RedisAway):
            await use
    asked_again = own_redis.stats.commands[b"EVALSHA"]
    own_server.resume()

    assert waited < 2.5
    assert asked == asked_again
    assert await until(lambda: answers(store))


async def created(store):
    try:
        return await store.create("an-id", change(a=1)) or await store.load("an-id")
    except RedisAway:
        return None  # a loaded machine needs more than its deadline


async def answers(store):
    try:
        return await store.load("an-id")
    except RedisAway:
        return None
