"""Random schedules of calls and faults: whatever happens, replies are not mixed up and nothing runs twice.

A failure names its seed; `SCHEDULE_SEED=... make test ARGS=tests/faults/test_schedules.py` runs that one again.
"""

import asyncio
import os
import random
from collections.abc import Callable, Iterable
from importlib.util import find_spec

import pytest

from tests.faults.schedule import Schedule
from tests.support.proxy import Proxy
from tests.support.servers import Server

FEW = 75
"""Schedules for each engine and each event loop in `make test`: 300 with both of both."""

AT_ONCE = 10
"""Schedules that share an event loop: while one waits out a silence, others go on."""

MANY = int(os.environ.get("SOAK_SCHEDULES", "10000"))
SEED = os.environ.get("SCHEDULE_SEED")


def uvloop() -> asyncio.AbstractEventLoop:
    """Return a loop of the extra `fast`."""
    return pytest.importorskip("uvloop").new_event_loop()


LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, *([uvloop] if find_spec("uvloop") else [])])


def seeds(count: int) -> Iterable[int]:
    """Return the seed that was asked for, or new ones."""
    return [int(SEED)] if SEED else (random.SystemRandom().randrange(10**9) for _ in range(count))


def run(server: Server, new_loop: Callable[[], asyncio.AbstractEventLoop], count: int) -> list[str]:
    """Run schedules, a few at a time; return what went wrong."""
    waiting = iter(seeds(count))
    problems: list[str] = []

    async def take() -> None:
        for seed in waiting:
            async with Proxy(server.port) as proxy:
                try:
                    problems.extend(await Schedule(server, proxy, seed).run())
                except (AssertionError, TimeoutError) as error:
                    problems.append(f"seed {seed}: {error!r}")
            if problems:
                return

    async def take_turns() -> None:
        await asyncio.gather(*(take() for _ in range(AT_ONCE)))

    server.admin("SET", "text", "text")
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(take_turns())
    return problems


@LOOPS
def test_nothing_is_mixed_up(server, new_loop):
    """Callers get their own answers or true errors, counters count once, the client works afterwards."""
    assert [] == run(server, new_loop, FEW)


@pytest.mark.soak
@LOOPS
def test_nothing_is_mixed_up_for_long(server, new_loop, capsys):
    """The same, many times over."""
    problems = run(server, new_loop, MANY)
    with capsys.disabled():
        print(f"\n{MANY} schedules on {server.engine.name} and {new_loop.__name__}")

    assert [] == problems
