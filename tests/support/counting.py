"""A writer in a process of its own: it counts in a server as fast as that goes, until the server is gone.

It notes of each round when it was begun, when it was acknowledged, and how far the count was then. In the process of
a follower it would take the follower's turns, and a test would measure that.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import redis

TOGETHER = 50
"""Counts, each beside a larger write, of a round."""


class Round(NamedTuple):
    """When a round was begun and acknowledged (Unix time), and the count after it."""

    began: float
    done: float
    count: int


class Counting:
    """Writers that run until their server dies; `rounds` are known then."""

    def __init__(self, url: str, notes: Path, writers: int) -> None:
        self._notes = [notes / f"writer-{number}" for number in range(writers)]
        self._running = [
            subprocess.Popen([sys.executable, "-m", "tests.support.counting", url, str(number), str(path)])
            for number, path in enumerate(self._notes)
        ]

    def has_begun(self) -> bool:
        """Say whether each writer was acknowledged something."""
        return all(path.exists() and path.stat().st_size for path in self._notes)

    def rounds(self) -> list[list[Round]]:
        """Wait for the writers' end, and return each one's rounds."""
        assert [0] * len(self._running) == [process.wait(30) for process in self._running]
        lines = [path.read_text().splitlines() for path in self._notes]
        return [[Round(float(a), float(b), int(c)) for a, b, c in map(str.split, rows)] for rows in lines]

    def end(self) -> None:
        """End writers that a test has left."""
        for process in self._running:
            process.kill()
            process.wait()


def count(url: str, number: str, notes: str) -> None:
    """Write rounds until the server is gone."""
    with (
        redis.Redis.from_url(url, retry=None) as app,
        open(notes, "wb", buffering=0) as file,
        suppress(redis.RedisError),
    ):
        while True:
            began = time.time()
            with app.pipeline(transaction=False) as pipe:
                for _ in range(TOGETHER):
                    pipe.incr(f"count:{number}").set(f"filled:{number}", "x" * 200)
                found = pipe.execute()[-2]
            os.write(file.fileno(), b"%.6f %.6f %d\n" % (began, time.time(), found))


if __name__ == "__main__":
    count(*sys.argv[1:])
