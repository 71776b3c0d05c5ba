"""What systemd is told: the yard is ready when it serves, and says when it stops."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from redyard.yard.notify import READY, STOPPING, notify


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """The supervisor's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(20)
        yield line


def test_a_yard_says_when_it_serves_and_when_it_stops(yard, listener):
    """READY comes when the instances answer; at SIGTERM the stores save, the status is 0, the data are there."""
    yard.json("add", "redis")
    yard.run("down")
    yard.environ["NOTIFY_SOCKET"] = listener.getsockname()
    process = yard.start("up")
    ready = listener.recv(1024).decode().splitlines()
    phases = [one["phase"] for one in yard.json("status")["instances"]]
    process.send_signal(signal.SIGTERM)
    stopping = listener.recv(1024).decode().splitlines()
    process.communicate()

    assert [READY, f"STATUS=2 instances in {yard.home.path}"] == ready
    assert ["running", "running"] == phases
    assert STOPPING == stopping[0]
    assert 0 == process.returncode


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_socket_is_reached():
    """Its name begins with @."""
    name = f"redyard-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0{name}")
        notify({"NOTIFY_SOCKET": f"@{name}"}, READY)
        said = line.recv(100)

    assert b"READY=1" == said


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere"}, {"NOTIFY_SOCKET": "x"}])
def test_where_nobody_listens_nothing_happens(environ: dict[str, str]):
    """A yard that somebody starts by hand."""
    notify(environ, READY, "here")
