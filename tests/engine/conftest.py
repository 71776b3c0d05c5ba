"""Seats of a test's own: prepared and not started, ended and removed afterwards."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redyard.engine import access
from redyard.engine.directives import Limits
from redyard.engine.lock import holders
from redyard.engine.process import Process
from redyard.engine.seat import Seat
from tests.support.servers import MB, PASSWORDS, free_port
from tests.support.wait import wait_until


@pytest.fixture
def make_seat() -> Iterator[Callable[..., Seat]]:
    """A function that prepares the place of an engine, in a directory with this name."""
    made = []
    with tempfile.TemporaryDirectory(prefix="redyard-seat-", dir="/tmp") as root:

        def make(name: str = "engine", *, role: str = "store", memory: int = 64 * MB, connections: int = 20) -> Seat:
            seat = Seat(Path(root) / name, Path(root) / f"{name}-sockets" / "s")
            seat.prepare(
                role=role, limits=Limits(memory, connections, 16), port=free_port(), users=access.render(PASSWORDS)
            )
            made.append(seat)
            return seat

        yield make
        for seat in made:
            end_all(seat)


@pytest.fixture
def seat(make_seat: Callable[..., Seat]) -> Seat:
    """The place of a store that was not started yet."""
    return make_seat()


def end_all(seat: Seat) -> None:
    """End everything that has the lock of a seat."""
    for pid in holders(seat.lock) if seat.lock.exists() else []:
        process = Process.find(pid)
        if process:
            process.send(signal.SIGKILL)
            wait_until(lambda process=process: not process.alive())
            process.close()
