"""A lane on which the server tells what changed."""

import asyncio

import pytest

from redyard.client import Breaker
from redyard.client.tracking import Tracker
from redyard.errors import RedisAway
from tests.support.clients import client, restart
from tests.support.wait import until


class Heard:
    """A tracker, what it kept and what it told."""

    def __init__(self, redis):
        self.kept, self.changes = {}, []
        keep, changed = self.kept.__setitem__, self.changes.append
        self.tracker = Tracker(redis, Breaker("a test", 1), keep=keep, changed=changed)

    @property
    def reads(self):
        return self.tracker.reads


async def test_it_tells_of_what_was_read(server, redis, decode):
    """And of nothing else, once for each read; keys that were missing count, too."""
    async with client(server.url, decode_responses=decode) as reader:
        heard = Heard(reader)
        await redis.set("é", "1")
        assert [b"1", None] == await heard.reads.get_many(["é", "b"])
        await redis.set("other", "1")
        await redis.set("é", "2")
        await redis.set("é", "3")
        await redis.set("b", "1")
        await until(lambda: "b" in heard.changes)

        assert (["é", "b"], {"é": b"1"}) == (heard.changes, heard.kept)
        assert b"3" == await heard.reads.get("é")


async def test_a_key_that_is_no_text_is_heard_of(redis):
    """It harms nobody's reply."""
    heard = Heard(redis)
    await heard.tracker.lane.send(("GET", b"\xff"))
    await redis.set(b"\xff", "1")
    await until(lambda: heard.changes)

    assert await heard.reads.get("a") is None


async def test_the_end_of_the_connection_makes_everything_doubtful(own_server, own_redis):
    """And a new epoch."""
    heard = Heard(own_redis)
    await heard.reads.get("a")
    epoch = heard.tracker.epoch
    await restart(own_server)
    await until(lambda: None in heard.changes)

    assert epoch + 1 == heard.tracker.epoch
    assert not heard.tracker.here


async def test_it_ends_with_its_client(server):
    """Which closes all its connections."""
    async with client(server.url) as redis:
        heard = Heard(redis)
        await heard.reads.get("a")
        assert heard.tracker.here

    assert not heard.tracker.here
    assert [None] == heard.changes


async def test_who_waits_for_a_value_is_woken_by_each_change(redis):
    """Until it is what he wants."""
    tracker, seen = Heard(redis).tracker, []

    def done(value):
        seen.append(value)
        return value == b"3"

    waiting = asyncio.create_task(tracker.read_until("a", done, 10))
    for number in (1, 2, 3):
        await until(lambda: tracker._waiting and seen)
        before = len(seen)
        await redis.set("a", number)
        await until(lambda: len(seen) > before)  # noqa: B023 - awaited at once

    assert b"3" == await waiting
    assert [None, b"1", b"2", b"3"] == seen
    assert {} == tracker._waiting


async def test_who_waits_too_long_is_told(redis):
    """By a TimeoutError; nothing of the wait is left."""
    tracker = Heard(redis).tracker
    with pytest.raises(TimeoutError):
        await tracker.read_until("a", lambda _: False, 0.05)

    assert {} == tracker._waiting


async def test_without_a_server_nobody_waits():
    """The read fails as any other."""
    async with client("redis://127.0.0.1:1") as redis:
        tracker = Heard(redis).tracker
        with pytest.raises(RedisAway):
            await tracker.read_until("a", lambda _: False, 10)
