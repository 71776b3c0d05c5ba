"""One request's view of a session."""

import pytest

from redyard import SessionStore
from redyard.errors import BadKey, RedisAway, SessionNotLoaded
from redyard.sessions import Session
from tests.support.clients import client


@pytest.fixture
def store(redis):
    return SessionStore(redis)


@pytest.fixture
async def kept(store):
    """The id of a session that exists."""
    await store.save("an-id", {"a": 1, "list": [1]}, new=True)
    return "an-id"


async def test_a_session_must_be_loaded_first(store):
    """Neither reading nor writing guesses what is there."""
    for use in (lambda s: s["a"], lambda s: s.get("a"), len, list, lambda s: s.update(a=1), lambda s: s.clear()):
        with pytest.raises(SessionNotLoaded):
            use(Session(store))


async def test_a_session_is_like_a_dict(store, kept):
    """It reads, writes, counts and compares like one."""
    session = await Session(store, kept).load()
    session["b"] = 2
    del session["a"]

    assert {"list": [1], "b": 2} == dict(session)
    assert (2, None, True, 2) == (len(session), session.get("a"), "b" in session, session.pop("b"))
    assert "<Session of 1 fields>" == repr(session)


async def test_nothing_is_stored_for_a_visitor_without_data(store, redis):
    """Loading and committing an empty session asks nothing of Redis."""
    session = await Session(store).load()

    assert not await session.commit()
    assert session.id is None
    assert 0 == await redis.dbsize()


async def test_what_changed_is_kept(store, kept):
    """New, changed and removed fields, and changes inside of a value."""
    session = await Session(store, kept).load()
    session["list"].append(2)
    session["new"] = None
    del session["a"]
    assert await session.commit()

    assert {"list": [1, 2], "new": None} == await store.load(kept)


async def test_only_what_changed_is_written(store, kept):
    """Two requests with different changes both have their way."""
    one, other = await Session(store, kept).load(), await Session(store, kept).load()
    one["one"], other["other"] = 1, 2
    await one.commit()
    await other.commit()

    assert {"a": 1, "list": [1], "one": 1, "other": 2} == await store.load(kept)


async def test_a_session_that_was_only_read_is_not_written(server, store, kept):
    """A commit without a change asks nothing of Redis."""
    session = await Session(store, kept).load()
    server.admin("CONFIG", "RESETSTAT")
    assert await session.commit()

    assert "cmdstat_evalsha" not in str(server.admin("INFO", "commandstats"))


async def test_a_first_write_makes_an_id(store):
    """The one of the cookie is not used: it was unknown."""
    session = await Session(store, "made-up").load()
    session["a"] = 1
    assert await session.commit()

    assert session.id not in {None, "made-up"}
    assert {"a": 1} == await store.load(session.id)


async def test_a_session_destroyed_by_another_request_stays_destroyed(store, kept):
    """The slow request's changes are dropped."""
    slow = await Session(store, kept).load()
    slow["a"] = 2
    await (await Session(store, kept).load()).destroy()

    assert not await slow.commit()
    assert await store.load(kept) is None


async def test_rotation_keeps_the_data_and_what_is_not_yet_kept(store, kept):
    """The old id is worth nothing at once."""
    session = await Session(store, kept).load()
    session["b"] = 2
    del session["a"]
    await session.rotate()
    assert await store.load(kept) is None
    await session.commit()

    assert {"list": [1], "b": 2} == await store.load(session.id)
    assert kept != session.id


async def test_rotation_loads(store, kept):
    """A session may be rotated first thing."""
    session = await Session(store, kept).rotate()

    assert 1 == session["a"]


async def test_rotating_a_visitor_without_a_session_is_legal(store):
    """Signing in is the first thing that many do."""
    session = await Session(store).rotate()
    session["account"] = 7
    await session.commit()

    assert {"account": 7} == await store.load(session.id)


async def test_what_is_written_after_the_end_begins_another_session(store, kept):
    """Under a new id, without the old data."""
    session = await Session(store, kept).load()
    await session.destroy()
    session["note"] = "goodbye"
    await session.commit()

    assert kept != session.id
    assert {"note": "goodbye"} == await store.load(session.id)


@pytest.mark.parametrize("name", ["", "a\0", "x" * 300])
async def test_a_field_needs_a_good_name(store, name):
    """The empty one is the store's own."""
    session = await Session(store).load()
    with pytest.raises(BadKey):
        session[name] = 1


async def test_without_redis_a_visitor_is_anonymous_and_nothing_can_be_kept():
    """Reading goes on; writing says that it cannot."""
    async with client("redis://127.0.0.1:1") as redis:
        session = await Session(SessionStore(redis), "an-id").load()
        assert session.away
        assert session.get("a") is None
        assert not await session.commit()
        session["a"] = 1
        with pytest.raises(RedisAway):
            await session.commit()
        with pytest.raises(RedisAway):
            await session.destroy()
