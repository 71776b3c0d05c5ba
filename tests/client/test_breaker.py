"""The deadline of what must answer although Redis does not."""

import asyncio
import time

import pytest
import redis.exceptions

from redyard import events
from redyard.client import Breaker
from redyard.client.breaker import Watch
from redyard.errors import BadKey, RedisAway
from tests.support.clients import heard
from tests.support.wait import until


async def test_a_result_passes_through():
    """A call that answers in time is as it were without a deadline."""

    async def call():
        return 7

    assert 7 == await Breaker("it", 1).run(call)


async def test_a_call_that_hangs_is_given_up():
    """RedisAway comes at the deadline."""
    start = time.monotonic()
    with pytest.raises(RedisAway, match="TimeoutError"):
        await Breaker("it", 0.05).run(asyncio.Event().wait)

    assert time.monotonic() - start < 0.5


async def test_after_a_failure_nobody_waits():
    """Within the pause the call is not even made, and an event told of the failure once."""
    calls = []

    async def call():
        calls.append(1)
        raise redis.exceptions.ConnectionError

    deadline = Breaker("it", 1, pause=100)
    with heard() as seen:
        for _ in range(3):
            with pytest.raises(RedisAway):
                await deadline.run(call)

    assert [1] == calls
    assert [{"owner": "it", "reason": "ConnectionError"}] == [event.fields for event in seen]


async def test_after_the_pause_the_call_is_made_again():
    """Redis is asked anew, and when it answers all is as before."""
    deadline = Breaker("it", 0.01, pause=0.05)
    with pytest.raises(RedisAway):
        await deadline.run(asyncio.Event().wait)

    async def answers():
        try:
            return await deadline.run(lambda: asyncio.sleep(0, "here"))
        except RedisAway:
            return None

    assert "here" == await until(answers)


async def test_what_must_be_asked_is_asked_within_the_pause():
    """`always` does not skip the call."""
    deadline = Breaker("it", 0.01, pause=100)
    with pytest.raises(RedisAway):
        await deadline.run(asyncio.Event().wait)

    assert 1 == await deadline.run(lambda: asyncio.sleep(0, 1), always=True)


async def test_other_errors_are_not_about_redis():
    """A wrong key is the caller's fault, not an outage."""

    async def call():
        raise BadKey(part="", name="key", reason="it is empty")

    with pytest.raises(BadKey):
        await Breaker("it", 1).run(call)


async def opened(**terms):
    """Return a breaker that has just seen a failure."""
    breaker = Breaker("it", 0.01, **terms)
    with pytest.raises(RedisAway):
        await breaker.run(asyncio.Event().wait)
    return breaker


async def admitted(breaker, call):
    """Wait until the breaker lets a call try."""
    task = asyncio.create_task(breaker.run(call))
    await asyncio.sleep(0)
    return None if task.done() and isinstance(task.exception(), RedisAway) else task


async def test_after_the_pause_one_call_tries_for_all():
    """While it is on its way the others are refused; its answer opens the door to them."""
    breaker = await opened(pause=0.05)
    breaker.seconds = 5
    answer = asyncio.get_running_loop().create_future()
    probe = await until(lambda: admitted(breaker, lambda: answer))
    for _ in range(3):
        with pytest.raises(RedisAway, match="a moment ago"):
            await breaker.run(lambda: asyncio.sleep(0, "not yet"))
    answer.set_result("here")

    assert "here" == await probe
    assert ["also"] * 3 == [await breaker.run(lambda: asyncio.sleep(0, "also")) for _ in range(3)]


async def test_a_try_that_fails_begins_the_pause_again():
    """The next call is refused, and is not made."""
    breaker = await opened(pause=0.05)
    failing = asyncio.get_running_loop().create_future()
    breaker.pause = 100
    probe = await until(lambda: admitted(breaker, lambda: failing))
    failing.set_exception(redis.exceptions.ConnectionError())
    with pytest.raises(RedisAway, match="ConnectionError"):
        await probe
    with pytest.raises(RedisAway, match="a moment ago"):
        await breaker.run(lambda: asyncio.sleep(0))


async def test_a_try_that_is_cancelled_does_not_close_the_door_for_good():
    """The one who tried has gone: after a while another may."""
    breaker = await opened(pause=0.05)
    probe = await until(lambda: admitted(breaker, asyncio.Event().wait))
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)

    assert "here" == await (await until(lambda: admitted(breaker, lambda: asyncio.sleep(0, "here"))))


async def test_events_tell_of_both_ends():
    """Away is told once, however many calls fail, and back once."""
    with heard(events.REDIS_AWAY, events.REDIS_BACK) as seen:
        breaker = await opened(pause=0)
        with pytest.raises(RedisAway):
            await breaker.run(asyncio.Event().wait)
        for _ in range(3):
            await breaker.run(lambda: asyncio.sleep(0))

    assert [("redis.away", {"owner": "it", "reason": "TimeoutError"}), ("redis.back", {"owner": "it"})] == [
        (event.kind.name, event.fields) for event in seen
    ]


async def test_a_watch_ends_waits_that_are_too_long():
    """By one timer for all, not before seven eighths of the time; what was answered is left alone."""
    loop = asyncio.get_running_loop()
    watch, futures = Watch(0.08), [loop.create_future() for _ in range(3)]
    start = time.monotonic()
    for future in futures:
        watch.add(future)
    futures[0].set_result(7)
    futures[1].cancel()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.08 s"):
        await futures[2]

    assert 7 == futures[0].result()
    assert time.monotonic() - start >= 0.069


def test_a_watch_serves_one_event_loop_after_another():
    """A timer of a loop that is closed ends nothing of the next one's."""
    watch = Watch(0.02)

    async def wait():
        future = asyncio.get_running_loop().create_future()
        watch.add(future)
        with pytest.raises(TimeoutError):
            await future
        watch.add(asyncio.get_running_loop().create_future())

    for _ in range(3):
        asyncio.run(wait())
