"""Real engines for tests: on a port and a socket of their own, with the users of the add-on."""

import itertools
import os
import signal
import socket
import tempfile
from pathlib import Path

import redis

from redyard.engine import access
from redyard.engine.directives import Limits
from redyard.engine.find import Engine
from redyard.engine.lock import end_orphans
from redyard.engine.process import Process
from redyard.engine.seat import Seat
from tests.support.wait import wait_until

MB = 1024 * 1024
PASSWORDS = {user.name: f"secret-of-{user.name}" for user in access.TABLE}
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.count(20000 + 3000 * (_worker % 4) + os.getpid() % 3000)


def free_port() -> int:
    """Return a port below the system's own range that nobody listens on."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError


def answers(url: str) -> bool:
    """Say whether an engine answers PING."""
    try:
        with redis.Redis.from_url(url, retry=None) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


class Server:
    """An engine with the add-on's users and settings; role and memory as asked."""

    def __init__(self, engine: Engine, *, role: str = "store", memory: int = 64 * MB, connections: int = 100) -> None:
        self.engine = engine
        self.port = free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp")
        root = Path(self._directory.name)
        self.seat = Seat(root / "engine", root / "s")
        self.seat.prepare(role=role, limits=Limits(memory, connections, 16), port=self.port, passwords=PASSWORDS)
        self.process: Process | None = None
        self.start()

    @property
    def url(self) -> str:
        """The URL of an app on the add-on."""
        return f"redis://default:{PASSWORDS['default']}@127.0.0.1:{self.port}/0"

    @property
    def admin_url(self) -> str:
        """The URL of the yard's own user, who may do everything."""
        return f"redis://yard:{PASSWORDS['yard']}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = self.seat.spawn(self.engine)
        wait_until(self.answers)

    def answers(self) -> bool:
        """Say whether it answers PING."""
        return answers(self.admin_url)

    def admin(self, *command: object) -> object:
        """Run one command as the yard's user."""
        with redis.Redis.from_url(self.admin_url) as admin:
            return admin.execute_command(*command)

    def pause(self) -> None:
        """Freeze it: connections stay, nothing answers."""
        self.process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self.process.send(signal.SIGKILL)
        wait_until(lambda: not self.process.alive())

    def restart(self) -> None:
        """Kill it and start it again on the same files and port."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it and the save children that it may leave, and remove its files."""
        self.kill()
        end_orphans(self.seat.lock)
        self.process.close()
        self._directory.cleanup()
