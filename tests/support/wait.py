"""Wait for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], timeout: float = 10) -> object:
    """Return the condition's first true value; fail with its last one after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not true within {timeout} s; last value: {value!r}"
        await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], object], timeout: float = 10) -> object:
    """Do the same in a test that has no event loop."""
    return asyncio.run(until(condition, timeout))
