"""One request's view of a session, in both formats."""

import pytest

from redyard import SessionStore
from redyard.errors import BadKey, InvalidValue, NotJSON, RedisAway, SessionNotLoaded
from redyard.sessions import Session
from tests.support.clients import client
from tests.support.wait import until


@pytest.fixture
async def kept(store):
    """The id of a session that exists."""
    return await make(store, a=1, list=[1])


async def make(store, user=None, **fields):
    session = await Session(store).rotate(user=user) if user else await Session(store).load()
    session.update(fields)
    await session.commit()
    return session.id


async def stored(store, session_id):
    return dict(await Session(store, session_id).load())


async def test_a_session_must_be_loaded_first(store):
    """Neither reading nor writing guesses what is there."""
    uses = (lambda s: s["a"], lambda s: s.get("a"), len, list, lambda s: s.update(a=1), lambda s: s.clear())
    for use in (*uses, lambda s: "a" in s, lambda s: s.csrf_valid("x")):
        with pytest.raises(SessionNotLoaded):
            use(Session(store))
    assert "<Session, not loaded>" == repr(Session(store))


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

    assert {"list": [1, 2], "new": None} == await stored(store, kept)


async def test_a_session_can_be_kept_twice_in_a_request(store):
    """As a WebSocket does, which has many moments."""
    session = await Session(store).load()
    for step in range(3):
        session["step"] = step
        session["more"] = [step]
        assert await session.commit()
        assert not await session.commit()
    del session["more"]
    assert await session.commit()

    assert {"step": 2} == await stored(store, session.id)


async def test_only_what_changed_is_written(store, kept):
    """Two requests with different changes both have their way."""
    one, other = await Session(store, kept).load(), await Session(store, kept).load()
    one["one"], other["other"] = 1, 2
    await one.commit()
    await other.commit()

    assert {"a": 1, "list": [1], "one": 1, "other": 2} == await stored(store, kept)


async def test_a_session_that_was_only_read_is_not_written(server, store, kept):
    """A commit without a change asks nothing of Redis, also where a field was set to what it was."""
    session = await Session(store, kept).load()
    assert (1, [1]) == (session["a"], session["list"])
    session["a"] = 1
    session["gone"] = 1
    del session["gone"]
    server.admin("CONFIG", "RESETSTAT")

    assert not await session.commit()
    assert "cmdstat_evalsha" not in str(server.admin("INFO", "commandstats"))


async def test_a_first_write_makes_an_id(store):
    """The one of the cookie is not used: it was unknown."""
    session = await Session(store, "made-up").load()
    session["a"] = 1
    assert await session.commit()

    assert session.id not in {None, "made-up"}
    assert {"a": 1} == await stored(store, session.id)


async def test_a_session_destroyed_by_another_request_stays_destroyed(store, kept):
    """The slow request's changes are dropped."""
    slow = await Session(store, kept).load()
    slow["a"] = 2
    await Session(store, kept).destroy()

    assert not await slow.commit()
    assert await store.load(kept) is None


async def test_a_slow_request_does_not_rotate_back_what_was_destroyed(store, kept):
    """Nothing of the old session goes into the new one, but what the slow request itself wrote."""
    slow = await Session(store, kept).load()
    slow["mine"] = 2
    await Session(store, kept).destroy()
    await slow.rotate()
    await slow.commit()

    assert {"mine": 2} == await stored(store, slow.id)


async def test_rotation_keeps_the_data_and_what_is_not_yet_kept(store, kept):
    """The old id is worth nothing at once."""
    session = await Session(store, kept).load()
    session["b"] = 2
    session["list"].append(2)
    del session["a"]
    await session.rotate()
    assert await store.load(kept) is None
    await session.commit()

    assert {"list": [1, 2], "b": 2} == await stored(store, session.id)
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

    assert {"account": 7} == await stored(store, session.id)


async def test_an_alias_is_refused_at_a_sign_in(native):
    """The old id may be known to somebody else."""
    with pytest.raises(InvalidValue, match="alias"):
        await Session(native).rotate(user=7, alias=5)


async def test_an_id_is_renewed_by_itself(redis):
    """After its time, for requests that can tell the browser; the old one leads to it for requests in flight."""
    store = SessionStore(redis, renewal=100)
    old = await make(store, a=1)
    young = await Session(store, old, renews=True).load()
    await redis.hincrby(store.records.key(old), ":renewed", -100_000)
    silent = await Session(store, old).load()
    one, other = [await Session(store, old, renews=True).load() for _ in range(2)]

    assert [old, old, old] == [young.id, silent.id, other.id]
    assert one.id not in {None, old}
    assert [True, False] == [one.kept, other.kept]
    assert [{"a": 1}] * 2 == [dict(one), dict(other)]


async def test_what_is_written_after_the_end_begins_another_session(store, kept):
    """Under a new id, without the old data."""
    session = await Session(store, kept).load()
    await session.destroy()
    session["note"] = "goodbye"
    await session.commit()

    assert kept != session.id
    assert {"note": "goodbye"} == await stored(store, session.id)


@pytest.mark.parametrize("name", ["", "a\0", "x" * 300, ":own"])
async def test_a_field_needs_a_good_name(native, name):
    """Those that begin with ':' are the store's own."""
    session = await Session(native).load()
    with pytest.raises(BadKey):
        session[name] = 1


async def test_what_is_no_json_is_refused(store, kept):
    """The error names the field; nothing is written."""
    session = await Session(store, kept).load()
    session["a"], session["when"] = 2, object()
    with pytest.raises(NotJSON, match="'when'"):
        await session.commit()

    assert {"a": 1, "list": [1]} == await stored(store, kept)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, {"a": -float("inf")}]])
async def test_what_json_would_change_is_refused(store, kept, value):
    """Also where it was put into a value later."""
    session = await Session(store, kept).load()
    with pytest.raises(NotJSON, match="'n'"):
        session["n"] = value
    session["list"].append(value)
    with pytest.raises(NotJSON, match="'list'"):
        await session.commit()


async def test_without_redis_a_visitor_is_anonymous_and_nothing_can_be_kept():
    """Reading goes on; every act that matters says that it cannot be done."""
    async with client("redis://127.0.0.1:1") as redis:
        session = await Session(SessionStore(redis), "an-id").load()
        assert (True, None, "an-id") == (session.degraded, session.get("a"), session.id)
        assert not await session.commit()
        session["a"] = 1
        for act in (session.commit, session.destroy, session.rotate, session.devices, session.destroy_all):
            with pytest.raises(RedisAway):
                await act()
    assert "an-id" == session.id


async def test_a_session_that_was_degraded_can_be_read_again(own_server, own_redis):
    """When Redis is back, as a WebSocket may live to see; then it can be kept as well."""
    store = SessionStore(own_redis)
    session_id = await until(lambda: begun(store))
    own_server.pause()
    session = await Session(store, session_id).load()
    assert session.degraded
    own_server.resume()
    await until(lambda: healthy(session))
    session["b"] = 2
    await until(lambda: kept_at_last(session))

    assert {"a": 1, "b": 2} == dict(await session.reload())


async def begun(store):
    session = await Session(store).load()
    session["a"] = 1
    try:
        return await session.commit() and session.id
    except RedisAway:
        return None  # a loaded machine needs more than the store's deadline


async def healthy(session):
    return not (await session.reload()).degraded


async def kept_at_last(session):
    try:
        return await session.commit() or session.kept
    except RedisAway:
        return None


# ---- tokens against forged requests


async def test_a_token_differs_each_time_and_holds(store):
    """In the session that made it, and in no other."""
    session = await Session(store).load()
    tokens = {session.csrf_token() for _ in range(5)}
    await session.commit()
    again, other = await Session(store, session.id).load(), await Session(store).load()
    other.csrf_token()

    assert 5 == len(tokens)
    assert [True] * 5 == [again.csrf_valid(token) for token in tokens]
    assert [False] * 5 == [other.csrf_valid(token) for token in tokens]


@pytest.mark.parametrize("token", [None, "", "x", "é", "A" * 64, "=" * 64])
async def test_a_token_that_nobody_made_is_refused(store, token):
    """Also by a visitor without a session."""
    session = await Session(store).load()
    assert not session.csrf_valid(token)
    session.csrf_token()
    assert not session.csrf_valid(token)


async def test_a_sign_in_ends_the_tokens_from_before_it(native):
    """Who planted the session knew them."""
    session = await Session(native).load()
    token = session.csrf_token()
    await session.commit()
    await session.rotate(user=7)
    assert not session.csrf_valid(token)
    new = session.csrf_token()
    await session.commit()

    assert (await Session(native, session.id).load()).csrf_valid(new)
