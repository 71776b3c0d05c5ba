"""The deadline of what must answer although Redis does not."""

import asyncio
import time

import pytest
import redis.exceptions

from redyard.client import Deadline
from redyard.errors import BadKey, RedisAway
from tests.support.clients import heard
from tests.support.wait import until


async def test_a_result_passes_through():
    """A call that answers in time is as it were without a deadline."""

    async def call():
        return 7

    assert 7 == await Deadline("it", 1).run(call)


async def test_a_call_that_hangs_is_given_up():
    """RedisAway comes at the deadline."""
    start = time.monotonic()
    with pytest.raises(RedisAway, match="TimeoutError"):
        await Deadline("it", 0.05).run(asyncio.Event().wait)

    assert time.monotonic() - start < 0.5


async def test_after_a_failure_nobody_waits():
    """Within the pause the call is not even made, and an event told of the failure once."""
    calls = []

    async def call():
        calls.append(1)
        raise redis.exceptions.ConnectionError

    deadline = Deadline("it", 1, pause=100)
    with heard() as events:
        for _ in range(3):
            with pytest.raises(RedisAway):
                await deadline.run(call)

    assert [1] == calls
    assert [{"owner": "it", "reason": "ConnectionError"}] == [event.fields for event in events]


async def test_after_the_pause_the_call_is_made_again():
    """Redis is asked anew, and when it answers all is as before."""
    deadline = Deadline("it", 0.01, pause=0.05)
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
    deadline = Deadline("it", 0.01, pause=100)
    with pytest.raises(RedisAway):
        await deadline.run(asyncio.Event().wait)

    assert 1 == await deadline.run(lambda: asyncio.sleep(0, 1), always=True)


async def test_other_errors_are_not_about_redis():
    """A wrong key is the caller's fault, not an outage."""

    async def call():
        raise BadKey(part="", name="key", reason="it is empty")

    with pytest.raises(BadKey):
        await Deadline("it", 1).run(call)
