"""Sessions that are encrypted in Redis."""

import pytest

from redyard import SessionStore
from redyard.errors import MissingExtra, WeakSecret
from redyard.sessions import Session, seal

NEW, OLD = "a-key-of-today-with-32-characters", "a-key-of-yesterday-32-characters"


async def kept(store, **fields):
    """Return the id of a session with these fields."""
    session = await Session(store).load()
    session.update(fields)
    await session.commit()
    return session.id


async def test_values_are_sealed(redis):
    """Redis learns neither values nor what they are alike; the app reads them as ever."""
    store = SessionStore(redis, encrypt=NEW)
    one = await kept(store, name="hunter2", same="hunter2")
    raw = await redis.hgetall(store.records.key(one))

    assert "hunter2" not in str(raw)
    assert raw[b"name"] != raw[b"same"]
    assert {"name": "hunter2", "same": "hunter2"} == dict(await Session(store, one).load())


async def test_keys_can_be_changed(redis):
    """The new one in front: old sessions hold, and are sealed anew where they change."""
    one = await kept(SessionStore(redis, encrypt=OLD), a=1, b=1)
    session = await Session(SessionStore(redis, encrypt=[NEW, OLD]), one).load()
    session["a"] = 2
    await session.rotate()
    await session.commit()

    assert {"a": 2, "b": 1} == dict(await Session(SessionStore(redis, encrypt=[NEW, OLD]), session.id).load())


@pytest.mark.parametrize("how", ["field", "session", "key", "plain"])
async def test_what_was_not_sealed_for_this_place_is_no_session(redis, how):
    """Not a value of another field or session, of an unknown key, or one that somebody wrote in the clear."""
    store = SessionStore(redis, encrypt=NEW)
    one, other = await kept(store, a=1, b=2), await kept(store, a=3)
    key = store.records.key(one)
    forged = {
        "field": await redis.hget(key, "b"),
        "session": await redis.hget(store.records.key(other), "a"),
        "key": await redis.hget(key, "a"),
        "plain": b"1",
    }
    await redis.hset(key, "a", forged[how])
    reader = SessionStore(redis, encrypt=OLD) if how == "key" else store

    assert await reader.load(one) is None
    assert 1 == reader.unreadable


@pytest.mark.parametrize("key", ["", "short", [], [NEW, "short"]])
def test_a_weak_key_is_refused(redis, key):
    """At the start."""
    with pytest.raises(WeakSecret, match="encrypting sessions"):
        SessionStore(redis, encrypt=key)


def test_without_the_extra_it_says_which(redis, monkeypatch):
    """At the start as well."""
    monkeypatch.setattr(seal, "AESGCM", None)
    with pytest.raises(MissingExtra, match="crypto"):
        SessionStore(redis, encrypt=NEW)
