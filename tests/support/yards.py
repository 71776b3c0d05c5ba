"""A yard of a test's own: a directory, a range of ports, sockets, and the command as a person types it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redyard.engine.lock import holders
from redyard.engine.process import Process
from redyard.errors import RedyardError
from redyard.settings import Settings
from redyard.yard.calls import Calls
from redyard.yard.home import Home, find_home
from tests.support.commands import nursery
from tests.support.servers import free_ports
from tests.support.wait import wait_until

SPAN = 8
"""Ports of a yard: as many instances as a test makes."""


class Sandbox:
    """A directory for a yard; `close` ends whatever still runs in it."""

    def __init__(self, engine: str | None = None) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="redyard-yard-", dir="/tmp")
        self.root = Path(self._directory.name)
        ports = free_ports(SPAN)
        own = {name: value for name, value in os.environ.items() if not name.startswith(("REDYARD_", "REDIS"))}
        self.environ = own | {
            "REDYARD_HOME": str(self.root / "yard"),
            "REDYARD_RUNTIME": str(self.root / "run"),
            "REDYARD_PORTS": f"{ports[0]}-{ports[-1]}",
            "REDYARD_TRACEBACK": "",
            "COLUMNS": "120",
        }
        if engine:
            self.environ["REDYARD_ENGINE"] = engine

    @property
    def home(self) -> Home:
        """The yard's paths."""
        return find_home(Settings.read(self.environ), self.root)

    @property
    def calls(self) -> Calls:
        """The door to the yard, for a test that needs no command: a process costs half a second."""
        return Calls(self.home)

    def start(self, *args: str, **options: object) -> subprocess.Popen:
        """Start a command and return its process."""
        return subprocess.Popen(
            [sys.executable, "-m", "redyard", *args],
            env=self.environ,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *args: str, timeout: float = 60, **environ: str) -> subprocess.CompletedProcess:
        """Run a command to its end."""
        done = nursery().run(args, self.environ | environ, self.root, timeout)
        return subprocess.CompletedProcess(args, *done)

    def json(self, *args: str) -> dict:
        """Run a command with --json, which must succeed, and return what it prints."""
        done = self.run(args[0], "--json", *args[1:])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def error(self, *args: str, **environ: str) -> dict:
        """Run a command with --json, which must fail, and return its error."""
        done = self.run(args[0], "--json", *args[1:], **environ)
        assert done.returncode != 0, done.stdout
        error = json.loads(done.stderr)
        assert done.returncode == error["status"]
        return error

    def phase(self, name: str) -> str:
        """Return the phase of an instance."""
        return self.instance(name)["phase"]

    def instance(self, name: str) -> dict:
        """Return an instance's line of the status."""
        return next(item for item in self.calls.status()["instances"] if item["name"] == name)

    def process(self, name: str) -> Process:
        """Return the process of an instance's engine."""
        return Process.find(self.instance(name)["pid"])

    def url(self, name: str) -> str:
        """Return the URL of an instance for an app."""
        return self.calls.info(name, show=True)["instances"][0]["url"]

    def yard_pid(self) -> int:
        """Return the process of the yard."""
        return self.calls.status()["yard"]["pid"]

    def kill_yard(self) -> None:
        """End the yard's process at once; its engines go on."""
        process = Process.find(self.yard_pid())
        process.send(signal.SIGKILL)
        wait_until(lambda: not self.home.is_held())
        process.close()

    def kill_during(self, change: Callable[[], object], seconds: float) -> None:
        """Kill the yard so long after a change of it began, and start the next one; the change may fail of it."""

        def quietly() -> None:
            with suppress(RedyardError):
                change()

        worker = threading.Thread(target=quietly)
        worker.start()
        worker.join(seconds)
        self.kill_yard()
        worker.join()
        self.json("up", "--detach")

    def close(self) -> None:
        """End the yard and every engine, and remove the directory."""
        self.run("down")
        for lock in [self.home.lock, *self.home.instances.glob("*/*/*.lock")]:
            for pid in holders(lock) if lock.exists() else []:
                _end(pid)
        self._directory.cleanup()


def _end(pid: int) -> None:
    process = Process.find(pid)
    if process:
        process.send(signal.SIGKILL)
        wait_until(lambda: not process.alive())
        process.close()
