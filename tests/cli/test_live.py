"""`redyard top` in a terminal of its own: what it draws, and how it ends."""

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest
import redis

from tests.support.wait import wait_until

ENTERS, LEAVES = b"\x1b[?1049h", b"\x1b[?1049l"
"""What a terminal is told when a program takes the whole screen, and when it gives it back."""

SIZE = struct.pack("HHHH", 40, 120, 0, 0)


class Terminal:
    """A program in a terminal of 40 lines; `said` is all that it wrote so far."""

    def __init__(self, environ: dict[str, str], *words: str) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, SIZE)
        command = [sys.executable, "-m", "redyard", *words]
        self.said = b""
        self.process = subprocess.Popen(  # of a session of its own, whose terminal this is: Ctrl-C reaches it alone
            ["setsid", "--ctty", *command],
            stdin=there,
            stdout=there,
            stderr=there,
            env=environ | {"TERM": "xterm"},
        )
        os.close(there)

    def has(self, text: bytes) -> bool:
        """Take what it wrote meanwhile, and say whether a text is there."""
        while select.select([self._here], [], [], 0)[0]:
            try:
                some = os.read(self._here, 65536)
            except OSError:  # it has ended: Linux tells so
                break
            if not some:
                break
            self.said += some
        return text in self.said

    def type(self, text: bytes) -> None:
        os.write(self._here, text)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._here)


pytestmark = pytest.mark.skipif(shutil.which("setsid") is None, reason="needs setsid of util-linux")


@pytest.fixture
def terminal(shared_yard) -> Iterator[Terminal]:
    made = Terminal(shared_yard.environ, "top", "redis-store", "--every", "0.2")
    yield made
    made.close()


def test_top_goes_on_until_it_is_interrupted(shared_yard, terminal):
    """It takes the screen, shows who comes, and gives the screen back."""
    wait_until(lambda: terminal.has(b"redis-store"), timeout=30)
    url = shared_yard.json("vars")["REDIS_URL"]
    with redis.Redis.from_url(url, client_name="shop-of-the-test") as visitor:
        visitor.ping()
        wait_until(lambda: terminal.has(b"shop-of-the-test"), timeout=30)
    terminal.type(b"\x03")
    wait_until(lambda: terminal.has(LEAVES), timeout=30)

    assert 0 == terminal.process.wait(10)
    assert terminal.said.index(ENTERS) < terminal.said.index(b"redis-store") < terminal.said.index(LEAVES)
    assert b"Traceback" not in terminal.said
