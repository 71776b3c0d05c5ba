"""The yard's socket takes whole requests of its owner and of root, soon and not too many; the yard goes on."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from redyard.errors import YardBusy, revive
from redyard.yard import api
from redyard.yard.audit import Trail
from redyard.yard.calls import TIMEOUTS
from redyard.yard.door import BURST, LARGEST_HEAD, MOST, RATE, Pace
from redyard.yard.peer import peer_of
from redyard.yard.yard import Yard
from tests.support.wait import wait_until
from tests.support.yards import Sandbox
from tests.yard.test_api import post

NOBODY = 65534
PYTHON = "/usr/bin/python3"
"""One that every user may run."""
KNOCK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect(sys.argv[1])
    try:
        door.sendall(b"POST /status HTTP/1.1\\r\\nHost: yard\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
        print(len(door.recv(100)))
    except (ConnectionResetError, BrokenPipeError):
        print(0)
"""


def connect(yard: Sandbox, stack: ExitStack) -> socket.socket:
    """A connection that says nothing yet."""
    door = stack.enter_context(socket.socket(socket.AF_UNIX))
    door.settimeout(20)
    door.connect(str(yard.home.api))
    return door


def answer(door: socket.socket) -> bytes:
    """What comes until the yard closes."""
    try:
        return b"".join(iter(lambda: door.recv(65536), b""))
    except ConnectionResetError:
        return b""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Connections that are closed at the end."""
    with ExitStack() as made:
        yield made


@pytest.fixture
def opened(yard: Sandbox) -> Sandbox:
    """A yard whose directories and socket somebody has opened to all by mistake."""
    yard.json("up", "--detach")
    for path in (yard.root, yard.home.runtime, *yard.home.runtime.parents[:1]):
        path.chmod(0o711)
    yard.home.api.chmod(0o666)
    return yard


@pytest.mark.skipif(os.getuid() != 0 or not Path(PYTHON).exists(), reason="only root can be another user")
def test_other_users_are_not_answered(opened: Sandbox):
    """Who is neither the owner nor root is told nothing, whatever the files' rights are; the log says so."""
    asked = [PYTHON, "-c", KNOCK, str(opened.home.api)]
    other = subprocess.run(asked, capture_output=True, text=True, check=True, user=NOBODY, group=NOBODY, cwd="/")
    own = subprocess.run(asked, capture_output=True, text=True, check=True, cwd="/")

    assert ("0", "100") == (other.stdout.strip(), own.stdout.strip())
    assert f"it is of the user {NOBODY}" in opened.home.log.read_text()


def test_user_of_a_peer_is_known():
    """By the system, not by what the peer says."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert os.geteuid() == peer_of(ours).uid


def test_request_that_does_not_come_is_not_waited_for(shared_yard: Sandbox, stack: ExitStack):
    """A head or a body that stays away costs its connection, after some seconds."""
    whole = b"POST /status HTTP/1.1\r\nHost: yard\r\nContent-Length: 100\r\n\r\n{"
    doors = [connect(shared_yard, stack) for _ in range(3)]
    for door, start in zip(doors, (b"", whole[:15], whole), strict=True):
        door.sendall(start)

    assert [b""] * 3 == [answer(door) for door in doors]


def test_head_without_an_end_is_refused(shared_yard: Sandbox, stack: ExitStack):
    """It is not kept in memory for as long as somebody sends."""
    door = connect(shared_yard, stack)
    door.sendall(b"POST /status HTTP/1.1\r\n" + b"X: " + b"x" * (2 * LARGEST_HEAD))

    assert answer(door).startswith(b"HTTP/1.1 400 ")


def test_too_many_connections_are_closed(yard: Sandbox, stack: ExitStack):
    """Those beyond the limit, at once; the others and the engines are served as before, and room is made again."""
    yard.json("up", "--detach")
    doors = [connect(yard, stack) for _ in range(MOST + 10)]
    closed = [door for door in doors[MOST:] if answer(door) == b""]
    for door in doors[1:]:
        door.close()

    assert 10 == len(closed)
    assert wait_until(lambda: post(yard, "/status", b"{}")[0]) == 200


async def test_calls_beyond_the_pace_are_refused(tmp_path: Path):
    """With an error that says when to come again."""

    async def nothing() -> dict[str, str]:
        return {}

    yard = SimpleNamespace(trail=Trail(tmp_path / "audit", dict, list), **dict.fromkeys(TIMEOUTS, nothing))
    door = httpx.ASGITransport(api.make_app(cast("Yard", yard), Pace(0.001, 3)), client=(str(os.geteuid()), 1))
    async with httpx.AsyncClient(transport=door, base_url="http://yard") as client:
        answers = [await client.post("/status") for _ in range(4)]
    error = answers[-1].json()

    assert [200, 200, 200, 400] == [answer.status_code for answer in answers]
    assert ("YardBusy", 67) == (error["error"], error["status"])
    assert isinstance(revive(error), YardBusy)


def test_pace_is_kept():
    """A burst at first, then so many a second."""
    pace = Pace()
    first = sum(not pace.wait(1.0) for _ in range(int(2 * BURST)))
    later = sum(not pace.wait(2.0) for _ in range(int(2 * BURST)))

    assert (BURST, RATE) == (first, later)
    assert 1 / RATE == pytest.approx(pace.wait(2.0))
