"""A real engine for tests, with the users and settings of the add-on, and switches for what can go wrong with it."""

import os
import random
import signal
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from redyard.engine import access
from redyard.engine.directives import Limits
from redyard.engine.files import last_lines
from redyard.engine.find import Engine, unexamined
from redyard.engine.lock import end_orphans
from redyard.engine.process import Process
from redyard.engine.seat import Seat
from redyard.errors import DirectoryBusy, EngineDied, EngineSilent
from redyard.settings import Settings

MB = 1024 * 1024

PASSWORDS = {user.name: f"secret-of-{user.name}" for user in access.TABLE}
"""A test's engine listens on loopback and lives for minutes: its passwords are no secrets, and so can be read."""

PORTS = range(20000, 32000)
"""Below the system's own range, and not the yard's: nobody is given one of them by chance."""

LOOPBACK = "127.0.0.1"

WITHIN = 10.0
"""Seconds that an engine may take to answer or to end; it takes some milliseconds."""

ENOUGH = 0.9
"""A full store may have this part of what it uses: a small change of a buffer must not make room."""


_held: deque[int] = deque()
"""Ports given to this process: sockets that hold them by UDP, so that no other process's tests are given them."""

HELD = 200
"""So many are held; the oldest are let go first."""


def free_port() -> int:
    """Return a port that nobody listens on and that no other test process was given lately."""
    return free_ports(1).start


def free_ports(count: int) -> range:
    """Return so many ports in a row, as `free_port` does."""
    while True:
        first = random.choice(PORTS[: 1 - count or None])  # noqa: S311 - no secret
        ports = range(first, first + count)
        if all(map(_take, ports)):
            return ports


def _take(port: int) -> bool:
    """Hold a port if nobody has it."""
    claim = socket.socket(type=socket.SOCK_DGRAM)
    with socket.socket() as probe:
        try:
            claim.bind((LOOPBACK, port))
            probe.bind((LOOPBACK, port))
        except OSError:
            claim.close()
            return False
    _held.append(claim.detach())
    while len(_held) > HELD:
        os.close(_held.popleft())
    return True


class Server:
    """An engine of its own, on a port of its own, in a directory that goes with it.

    `role`, `memory` (bytes) and `connections` are those of an instance of the add-on. Without an `engine`, the one that
    REDYARD_ENGINE names, else the first that is found.
    """

    def __init__(
        self, engine: Engine | None = None, *, role: str = "store", memory: int = 64 * MB, connections: int = 100
    ) -> None:
        self.engine = engine or unexamined(Settings.read(os.environ).engine)
        self.role = role
        self.memory = memory
        self._limits = Limits(memory, connections, 16)
        self._directory = tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp")  # short: a socket is in it
        root = Path(self._directory.name)
        self.seat = Seat(root / "engine", root / "s")
        self.process: Process | None = None
        self.port = 0
        self._move()
        self.start()

    @property
    def url(self) -> str:
        """The URL of an app on the add-on."""
        return f"redis://default:{PASSWORDS['default']}@127.0.0.1:{self.port}/0"

    @property
    def admin_url(self) -> str:
        """The URL of a user who may do everything."""
        return f"redis://yard:{PASSWORDS['yard']}@127.0.0.1:{self.port}/0"

    def admin(self, *command: object) -> Any:
        """Run one command as a user who may do everything."""
        with self._admin() as admin:
            return admin.execute_command(*command)

    def answers(self) -> bool:
        """Say whether it answers PING."""
        with suppress(redis.RedisError), self._admin() as admin:
            return bool(admin.ping())
        return False

    # ---- faults

    def pause(self) -> None:
        """Freeze it: connections stay, nothing answers. What its clients sent runs after `resume`."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze it for the time of a block."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def kill(self) -> None:
        """End it at once, as a crash does; a store's acknowledged writes are there after `start`."""
        process = self.process
        if process is None:
            return
        self._send(signal.SIGKILL)
        if not process.wait(WITHIN):
            raise EngineSilent(name="the test's engine", seconds=WITHIN, path=str(self.seat.log))
        process.close()
        self.process = None

    def start(self) -> None:
        """Start it on its files and wait until it answers."""
        deadline = time.monotonic() + WITHIN
        while not self._starts(deadline):
            self._move()  # somebody else took the port in the moment before

    def restart(self) -> None:
        """Kill it and start it again on the same files and port."""
        self.kill()
        self.start()

    def fill(self) -> None:
        """Make it full: a store refuses writes from now on (until keys go), a cache has evicted its keys for others."""
        with self._admin() as admin:
            if self.role == "store":
                admin.config_set("maxmemory", int(admin.info("memory")["used_memory"] * ENOUGH))
                return
            with admin.pipeline(transaction=False) as batch:
                for number in range(2 * self.memory // MB):
                    batch.execute_command("SETRANGE", f"redyard:fill:{number}", MB - 1, "x")
                batch.execute(raise_on_error=False)

    # ---- between tests

    def clean(self) -> None:
        """Make it as new: awake, running, with its memory and without keys, scripts or functions."""
        self.resume()
        if self.process is None or not self.process.alive():
            self.kill()
            self.start()
        with self._admin() as admin, admin.pipeline(transaction=False) as batch:
            batch.config_set("maxmemory", self.memory)
            batch.execute_command("CLIENT", "UNPAUSE")
            batch.flushall()
            batch.script_flush()
            batch.execute_command("FUNCTION", "FLUSH")
            batch.execute()

    def close(self) -> None:
        """End it and the save children that it may leave, and remove its files."""
        self.kill()
        end_orphans(self.seat.lock)
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _admin(self) -> redis.Redis:
        path, password = str(self.seat.socket), PASSWORDS["yard"]
        return redis.Redis(unix_socket_path=path, username="yard", password=password, retry=Retry(NoBackoff(), 0))

    def _send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send(number)

    def _move(self) -> None:
        self.port = free_port()
        self.seat.prepare(role=self.role, limits=self._limits, port=self.port, users=access.render(PASSWORDS))

    def _starts(self, deadline: float) -> bool:
        """Start it and say whether it answers; False when its port was taken."""
        before = self.seat.log.stat().st_size if self.seat.log.exists() else 0
        self.process = self._spawn(deadline)
        while not self.answers():
            if not self.process.alive():
                said = last_lines(self.seat.log, since=before)
                self.kill()
                if "in use" in said:
                    return False
                raise EngineDied(name="the test's engine", log=said, path=str(self.seat.log))
            if time.monotonic() > deadline:
                raise EngineSilent(name="the test's engine", seconds=WITHIN, path=str(self.seat.log))
            time.sleep(0.001)
        return True

    def _spawn(self, deadline: float) -> Process:
        """Start it; a child of the one that was killed may hold the directory for a moment."""
        while True:
            try:
                return self.seat.spawn(self.engine)
            except DirectoryBusy:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.01)
