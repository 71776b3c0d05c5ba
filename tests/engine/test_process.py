"""A process is known by its number and its start, outlives its parent, and no stranger is taken for it."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from redyard.engine.process import Process, start_mark
from tests.support.wait import wait_until


@pytest.fixture
def child() -> Iterator[subprocess.Popen]:
    """A child of this process that does nothing."""
    with subprocess.Popen(["sleep", "1000"]) as child:
        yield child
        child.kill()


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that is no child of this one: its parent has ended."""
    started = subprocess.run(
        ["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True, check=True
    )
    pid, mark = int(started.stdout), start_mark(int(started.stdout))
    yield pid
    if start_mark(pid) == mark:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["child", "stranger"])
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    """A running process, our child and a stranger in turn."""
    found = request.getfixturevalue(request.param)
    process = Process.find(found if isinstance(found, int) else found.pid)
    yield process
    process.close()


def test_found_by_number_and_mark(process):
    """A process is found again by its number and its start."""
    again = Process.find(process.pid, process.mark)
    again.close()

    assert (process.pid, process.mark) == (again.pid, again.mark)


def test_wrong_mark_finds_nothing(process):
    """A process that started at another time is a stranger."""
    assert Process.find(process.pid, "another-start") is None


def test_mark_stays(process):
    """The mark of a process does not change while it runs."""
    assert process.mark == start_mark(process.pid)


def test_marks_differ(child, stranger):
    """Two processes have two marks, or at least two numbers."""
    assert (child.pid, start_mark(child.pid)) != (stranger, start_mark(stranger))


def test_no_such_process():
    """A number that no process has finds nothing."""
    assert (None, None) == (Process.find(2**22 + 1), start_mark(2**22 + 1))


def test_zombie_is_not_alive(child):
    """A process that has ended and was not collected yet is not found."""
    child.send_signal(signal.SIGKILL)
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)

    assert (None, None) == (start_mark(child.pid), Process.find(child.pid))


def test_ended_process_is_not_alive(process):
    """A process is alive until it ends."""
    before = process.alive()
    process.send(signal.SIGKILL)
    wait_until(lambda: not process.alive())

    assert (True, False) == (before, process.alive())


def test_ended_child_is_collected(child):
    """A look at a child that has ended leaves no zombie."""
    process = Process.find(child.pid)
    process.send(signal.SIGKILL)
    wait_until(lambda: not process.alive())
    process.close()

    assert not psutil.pid_exists(child.pid)


def test_stopped_process_is_alive(process):
    """A frozen process has not ended."""
    process.send(signal.SIGSTOP)

    assert process.alive()


async def test_end_wakes_all_who_wait(process):
    """Everybody who waits for the end is woken by it."""
    waiting = [asyncio.create_task(process.ended()) for _ in range(3)]
    await asyncio.sleep(0)
    early = any(task.done() for task in waiting)
    process.send(signal.SIGKILL)
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)

    assert (False, False) == (early, process.alive())


async def test_wait_that_is_cancelled_leaves_nothing(process):
    """Who gives up waiting leaves the process and later waiters alone."""
    waiting = asyncio.create_task(process.ended())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    alive = process.alive()
    process.send(signal.SIGKILL)
    async with asyncio.timeout(5):
        await process.ended()

    assert (True, False) == (alive, process.alive())


async def test_end_before_the_wait(process):
    """The wait for a process that has ended is over at once."""
    process.send(signal.SIGKILL)
    await asyncio.to_thread(process.wait, 5)
    async with asyncio.timeout(1):
        await process.ended()

    assert not process.alive()


def test_wait_says_whether_it_ended(process):
    """A wait with a bound is False for what goes on and True for what has ended."""
    going_on = process.wait(0.01)
    process.send(signal.SIGKILL)

    assert (False, True) == (going_on, process.wait(5))


def test_signal_after_the_end_harms_nobody(process):
    """A signal to a process that has ended does nothing."""
    process.send(signal.SIGKILL)
    process.wait(5)
    process.send(signal.SIGKILL)

    assert not process.alive()


def test_signal_never_reaches_a_stranger(child):
    """Without a handle of the process, one that has its number now gets no signal."""
    former = Process(child.pid, "an-earlier-start")
    former.close()
    former.send(signal.SIGKILL)
    now = Process.find(child.pid)
    ended = now.wait(0.05)
    now.close()

    assert not ended


def test_close_twice(process):
    """Letting go is safe twice, and the process goes on."""
    process.close()
    process.close()

    assert process.alive()
