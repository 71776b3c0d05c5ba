"""A long change of an engine tells a person how far it is."""

import contextlib
import os
import pty
import subprocess
import sys

import redis


def test_progress_is_shown_at_a_terminal(yard):
    """While a move copies, the terminal shows what it is doing; the result goes to stdout alone."""
    yard.json("add", "redis", "--role", "store")
    with redis.Redis.from_url(yard.url("redis-store")) as app, app.pipeline(transaction=False) as pipe:
        for number in range(4000):
            pipe.set(f"filled:{number}", "x" * 20_000)
        pipe.execute()
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "redyard", "scale", "redis", "512mb", "--move"],
        env=yard.environ | {"TERM": "xterm"}, stderr=slave, stdout=subprocess.PIPE, text=True, close_fds=True,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # Linux: a terminal that nobody holds any more is an error
        while received := os.read(master, 4096):
            shown += received
    said = process.communicate(timeout=60)[0]
    os.close(master)

    assert "Scaling redis to 512mb" in shown.decode()
    assert "redis-store: " in shown.decode()
    assert "writes paused for" in said
