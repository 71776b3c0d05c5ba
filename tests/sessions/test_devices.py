"""All the sessions of a user."""

import asyncio

import pytest

from redyard import SessionStore
from redyard.errors import NotForExpress
from redyard.sessions import Session, Visitor


class Visit(Session):
    """A request from a device."""

    device = "Firefox"

    def visitor(self):
        return Visitor(self.device, "203.0.113.5")


async def sign_in(store, user, device="Firefox"):
    session = Visit(store)
    session.device = device
    await session.rotate(user=user)
    session["account"] = user
    await session.commit()
    return session


def key(store, user="7"):
    return f"session-index:{user}"


async def test_a_user_sees_their_devices(native, redis):
    """What each is, from where, since when and when it was last seen; of others nothing."""
    phone, laptop = await sign_in(native, 7, "Phone"), await sign_in(native, 7, "Laptop" * 100)
    await sign_in(native, 8, "Other")
    await redis.zadd(key(native), {phone.handle: 10_000, laptop.handle: 20_000})
    found = await phone.devices()

    assert [("Laptop" * 100)[:200], "Phone"] == [one.device for one in found]
    assert [laptop.handle, phone.handle] == [one.handle for one in found]
    assert [20.0, 10.0] == [one.seen for one in found]
    assert {"203.0.113.5"} == {one.address for one in found}
    assert all(abs(one.created - found[0].created) < 60 for one in found)
    assert found == await native.list("7")
    assert [] == await (await Session(native).load()).devices()


async def test_a_visitor_who_signs_in_keeps_the_session_and_becomes_a_user(native):
    """Under a new id, which is the listed one."""
    session = await Session(native).load()
    session["cart"] = [1]
    await session.commit()
    anonymous = session.handle
    await session.rotate(user="ada@example.com")

    assert [session.handle] == [one.handle for one in await native.list("ada@example.com")]
    assert anonymous != session.handle
    assert "ada@example.com" == (await Session(native, session.id).load()).user


async def test_another_user_takes_over_the_session(native):
    """The list of the one from before does not show it any more."""
    session = await sign_in(native, 7)
    await session.rotate(user=8)

    assert ([], 1) == (await native.list(7), len(await native.list(8)))


async def test_all_others_are_signed_out(native):
    """This one stays, and so do other people's."""
    first, second, third = [await sign_in(native, 7) for _ in range(3)]
    other = await sign_in(native, 8)

    assert 2 == await second.destroy_others()
    assert [None, None] == [await native.load(first.id), await native.load(third.id)]
    assert [second.handle] == [one.handle for one in await native.list(7)]
    assert await native.load(other.id)


async def test_all_are_signed_out(native, redis):
    """By one of them, or by the store; nothing is left behind."""
    sessions = [await sign_in(native, 7) for _ in range(3)]
    ids = [one.id for one in sessions]
    assert 3 == await sessions[0].destroy_all()
    assert [None] * 3 == [await native.load(one) for one in ids]
    await sign_in(native, 8)
    assert 1 == await native.destroy_all(8)

    assert (0, True, None) == (await redis.dbsize(), sessions[0].ended, sessions[0].id)


async def test_one_device_is_signed_out(native):
    """By its handle, and only by the user whose it is."""
    mine, other = await sign_in(native, 7), await sign_in(native, 8)

    assert [False, False, False] == [
        await native.destroy_one(7, other.handle),
        await native.destroy_one(7, ""),
        await native.destroy_one(7, "made-up"),
    ]
    assert await native.destroy_one(7, mine.handle)
    assert await native.load(mine.id) is None
    assert await native.load(other.id)


async def test_signing_out_and_rotating_leave_no_orphan(native, redis):
    """The index holds what there is."""
    one, other = await sign_in(native, 7), await sign_in(native, 7)
    await one.rotate()
    await other.destroy()

    assert [one.handle.encode()] == await redis.zrange(key(native), 0, -1)
    await one.destroy()
    assert 0 == await redis.dbsize()


async def test_an_expired_session_is_forgotten(native, redis):
    """By the next list, by the next touch of another one, and at last by the index's own end."""
    gone, other = await sign_in(native, 7), await sign_in(native, 7)
    await redis.delete(gone.record.key)
    assert [other.handle] == [one.handle for one in await native.list(7)]
    assert 1 == await redis.zcard(key(native))
    await redis.zadd(key(native), {"long-ago": 5})
    await redis.pexpire(other.record.key, 1000)
    await native.load(other.id)

    assert [other.handle.encode()] == await redis.zrange(key(native), 0, -1)
    assert 86_000 < await redis.ttl(key(native)) <= 86_400


async def test_a_touch_brings_back_a_lost_index(native, redis):
    """It is made of the sessions, and is never the truth."""
    session = await sign_in(native, 7)
    await redis.delete(key(native))
    await redis.pexpire(session.record.key, 1000)
    await native.load(session.id)

    assert [session.handle] == [one.handle for one in await native.list(7)]


async def test_nobody_scans(server, native):
    """However many keys there are."""
    session = await sign_in(native, 7)
    server.admin("CONFIG", "RESETSTAT")
    await session.devices()
    await session.destroy_others()
    await session.destroy_all()

    assert "scan" not in str(server.admin("INFO", "commandstats"))
    assert "cmdstat_keys" not in str(server.admin("INFO", "commandstats"))


async def test_a_write_that_comes_late_does_not_bring_a_session_back(native, redis):
    """Signing out everywhere holds, whatever ends later."""
    sessions = [await sign_in(native, 7) for _ in range(10)]
    for number, session in enumerate(sessions):
        session["late"] = number
    await native.destroy_all(7)
    await asyncio.gather(*(session.commit() for session in sessions))

    assert 0 == await redis.dbsize()


async def test_sessions_shared_with_express_know_no_user(redis):
    """It says so."""
    store = SessionStore(redis, format="express")
    with pytest.raises(NotForExpress):
        await store.list(7)
    for options in ({"user": 7}, {"alias": 5}):
        with pytest.raises(NotForExpress):
            await Session(store).rotate(**options)
