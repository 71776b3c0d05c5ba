"""A limit for waits that share a timer."""

import asyncio

import pytest

from redyard.client.within import Limit


async def test_a_wait_in_time_is_left_alone():
    """Its result is what it was, and no wait stays behind."""
    limit = Limit()
    with limit.within(5):
        result = await asyncio.sleep(0, "here")

    assert "here" == result
    assert not limit.waits


async def test_waits_that_are_late_end():
    """All of them, each by a TimeoutError in its own task; one that began later ends later."""
    limit = Limit()

    async def wait(seconds):
        with limit.within(seconds):
            await asyncio.Event().wait()

    ended = await asyncio.gather(*(wait(seconds) for seconds in (0.01, 0.01, 0.03)), return_exceptions=True)

    assert [TimeoutError] * 3 == [type(error) for error in ended]
    assert not limit.waits


async def test_a_task_is_cancelled_by_another():
    """That stays a cancellation."""
    limit = Limit()

    async def wait():
        with limit.within(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_was_late_goes_on():
    """Its cancellation is over with the block: it can wait again, and be cancelled."""
    limit = Limit()
    with pytest.raises(TimeoutError), limit.within(0):
        await asyncio.Event().wait()
    task = asyncio.current_task()

    assert 0 == task.cancelling()
    assert "again" == await asyncio.sleep(0, "again")


async def test_an_error_of_a_late_wait_stays_that_error():
    """What a block raised at its cancellation is more than that it was late."""

    async def wait():
        with Limit().within(0):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise LookupError from None

    with pytest.raises(LookupError):
        await wait()


def test_a_limit_lives_through_event_loops():
    """A timer that ended with its loop does not keep the next from being set."""
    limit = Limit()

    async def wait(seconds):
        with limit.within(seconds):
            await asyncio.Event().wait()

    async def leave():
        task = asyncio.create_task(wait(60))
        await asyncio.sleep(0)
        return task

    asyncio.run(leave())
    with pytest.raises(TimeoutError):
        asyncio.run(wait(0.01))
