"""Commands as processes that begin at once: they are forked from one that has loaded the command line.

A new interpreter takes a third of a second for each, and the tests run a thousand. What such a start loads, costs and
shows in the process list is tested by real ones (`Sandbox.start`, tests/cli/test_main.py, tests/cli/test_hiding.py).
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LARGEST = 200_000
"""Bytes of a command's words and environment."""

READY = b"ready\n"
"""What the process says once it can be asked."""


class Nursery:
    """The process that the commands are forked from. It ends with the one that made it."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp")
        self._door = os.path.join(self._directory.name, "door")
        words = [sys.executable, "-m", "tests.support.commands", self._door]
        self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert READY == self._process.stdout.readline(), "it did not start"

    def run(self, words: Sequence[str], environ: dict[str, str], cwd: Path, timeout: float) -> tuple[int, str, str]:
        """Run a command; return its status and what it wrote to stdout and stderr."""
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            line.connect(self._door)
            asked = json.dumps({"words": list(words), "environ": environ, "cwd": str(cwd)}).encode()
            socket.send_fds(line, [asked], [out.fileno(), err.fileno()])
            pid = int(line.recv(20))
            line.settimeout(timeout)
            try:
                status = int(line.recv(20))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(words), timeout) from None
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
            return status, *texts

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._directory.cleanup()


@cache
def nursery() -> Nursery:
    """Return this process's nursery; `tests/conftest.py` closes it."""
    return Nursery()


def serve(path: str) -> None:
    """Fork a command for each that asks, until stdin ends."""
    for package in ("redyard.cli", "redyard.cli.commands"):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(path)
        door.listen(100)
        os.write(sys.stdout.fileno(), READY)
        while sys.stdin not in select.select([door, sys.stdin], [], [])[0]:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                return _attend(line)
            line.close()
    return None


def _attend(line: socket.socket) -> None:
    """Fork the command, tell its number, and its status when it has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, files, *_ = socket.recv_fds(line, LARGEST, 2)
    asked = json.loads(message)
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(asked, files)
    line.send(b"%d" % pid)
    line.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _become(asked: dict, files: list[int]) -> None:
    """Be the command, as a new process would be."""
    from redyard.cli.main import main

    for file, place in zip([os.open(os.devnull, os.O_RDONLY), *files], (0, 1, 2), strict=True):
        os.dup2(file, place)
        os.close(file)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    time.tzset()
    sys.argv = ["redyard", *asked["words"]]
    sys.exit(main())


if __name__ == "__main__":
    serve(sys.argv[1])
