"""The Express app as a process, and its packages, installed once by `npm ci` from the lock beside this file."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
MADE = HERE / "node_modules" / ".made-from-package-lock.json"


def install() -> None:
    """Install the packages unless they were installed from this very lock."""
    lock = HERE / "package-lock.json"
    with (HERE / "package.json").open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if MADE.exists() and MADE.read_text() == lock.read_text():
            return
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True, capture_output=True)
        shutil.copy(lock, MADE)


@contextmanager
def express(url: str, secrets: Sequence[str], **options: object) -> Iterator[tuple[str, int]]:
    """Serve the app on a Redis and yield its address and its process's number."""
    install()
    environ = {
        **os.environ,
        "REDIS_URL": url,
        "SECRETS": json.dumps(list(secrets)),
        "SESSION_OPTIONS": json.dumps(options),
        "NODE_ENV": "production",
    }
    process = subprocess.Popen(
        ["node", HERE / "app.cjs"], env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port, "the Express app ended; its error is above"
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
