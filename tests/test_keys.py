"""The table of keys, and the names that it makes."""

import re

import pytest
from hypothesis import given, strategies as st

from redyard import keys
from redyard.errors import BadKey


def test_rows_are_unique():
    """No two rows have one name or one pattern."""
    assert len(keys.TABLE) == len({row.name for row in keys.TABLE}) == len({row.pattern for row in keys.TABLE})


def test_every_key_of_the_module_is_in_the_table():
    """The reference page reads the table, so nothing may be missing."""
    assert {row for row in vars(keys).values() if isinstance(row, keys.Key)} == set(keys.TABLE)


@pytest.mark.parametrize("row", keys.TABLE, ids=lambda row: row.name)
def test_a_key_expires_or_says_why_not(row):
    """No key stays for ever by accident."""
    assert row.lifetime.seconds > 0 or row.reason
    assert row.type in {"string", "hash", "list", "set", "zset", "stream"}


def test_the_lifetimes_are_those_of_the_guide():
    """Session a day, cache an hour, rate limit 15 minutes, temporary 5 minutes, long-term a week."""
    expected = {
        "SESSION": 86_400, "CACHE": 3_600, "RATE_LIMIT": 900, "TEMPORARY": 300, "LONG_TERM": 604_800, "KEPT": 0
    }  # fmt: skip

    assert expected == {life.name: life.seconds for life in keys.Lifetime}


@pytest.mark.parametrize("row", keys.TABLE, ids=lambda row: row.name)
def test_a_name_is_its_pattern_filled(row):
    """Every part goes to its place."""
    names = re.findall(r"\{(\w+)\}", row.pattern)
    parts = {name: f"a-{name}" for name in names}

    assert row.pattern.format(**parts) == row.make(**parts)


@pytest.mark.parametrize("part", ["", "a\nb", "a\0", "x" * 257])
def test_a_bad_part_is_refused(part):
    """Empty, unprintable and endless names are the caller's error."""
    with pytest.raises(BadKey):
        keys.SESSION.make(id=part)


def test_only_the_last_part_may_contain_a_colon():
    """So that no two keys can be the same by accident."""
    assert "ratelimit:login:2001:db8::1" == keys.RATE_LIMIT.make(name="login", client="2001:db8::1")
    with pytest.raises(BadKey, match="':'"):
        keys.RATE_LIMIT.make(name="a:b", client="c")
    with pytest.raises(BadKey, match="':'"):
        keys.LOCK.make(queue="q", id="a:b")


@given(st.text())
def test_a_strangers_text_always_fits(part):
    """What cannot be a part becomes a digest, and always the same."""
    fitting = keys.fit(part)

    assert fitting == keys.fit(part)
    assert keys.check("key", fitting, free=True)


@given(st.text(), st.text())
def test_different_texts_have_different_keys(one, other):
    """Nobody can choose a text that is another's key."""
    assert (one == other) == (keys.fit(one) == keys.fit(other))
    assert keys.fit(keys.fit(one)) == keys.fit(one) or keys.fit(one).startswith("sha256=")


async def test_the_kit_writes_no_key_outside_the_table(server):
    """What a session, a cache, a limit, a queue and a health check leave fits a pattern, its type, and its lifetime."""
    from redyard import Cache, Queue, RateLimit, SessionStore, Worker
    from redyard.health import Health
    from redyard.sessions import Session
    from tests.support.clients import client

    async with client(server.url) as redis:
        await (await Session(SessionStore(redis)).rotate(user=7)).commit()
        for form in ("native", "express"):
            session = await Session(SessionStore(redis, format=form)).load()
            session["a"] = 1
            await session.commit()
        await Cache(redis).set("product:1", 1)
        await RateLimit(redis, "login").hit("::1")
        await Health(redis).redis()
        queue = Queue(redis, "q", attempts=1)
        jobs = [await queue.add(name) for name in ("good", "bad")]
        await queue.add("later", delay=60)
        await queue.add("first", priority=3)

        async def handle(job):
            await job.log("a line")
            worker.stop()
            if job.name != "good":
                raise ValueError(job.name)

        worker = Worker(queue, handle, concurrency=1)
        await worker.run()
        await worker.run()
        assert ["completed", "failed"] == [await job.state() for job in jobs]
        written = [key async for key in redis.scan_iter()]
        types = {key.decode(): (await redis.type(key)).decode() for key in written}
        expiring = {key.decode() for key in written if await redis.ttl(key) > 0}

    for key, kind in types.items():
        rows = [row for row in keys.TABLE if matches(row, key, kind)]
        assert rows, (key, kind)
        row = min(rows, key=lambda row: row.pattern.count("{"))
        assert (key in expiring) == (row.lifetime is not keys.Lifetime.KEPT), key


def matches(row, key, kind):
    pattern = re.sub(r"\\\{\w+\\\}", "[^:]+", re.escape(row.pattern))
    pattern = re.sub(r"\[\^:\]\+$", ".+", pattern) if row.owner != "queue" else pattern
    return row.type == kind and re.fullmatch(pattern, key)
