"""Engines with any settings: those that are wrong on purpose."""

import asyncio
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis

from redyard.checks import Finding, Severity
from redyard.doctor import Examination, examine
from redyard.engine.find import Engine
from redyard.reading import Reading, rows
from tests.support.servers import free_port
from tests.support.wait import wait_until

CLOCK = """
local library = rawget(_G, 'os')
local function now()
  if library then return library.clock() end
  local moment = redis.call('TIME')
  return tonumber(moment[1]) + tonumber(moment[2]) / 1000000
end
"""
"""A script's clock: Redis 7.0 has no other than TIME, which stands still within a script of Valkey's."""


def spin(seconds: float) -> str:
    """Return a script that takes so long."""
    return f"{CLOCK} local ending = now() + {seconds}; while now() < ending do end"


class Odd:
    """An engine that was started with these settings, as words of its command line."""

    def __init__(self, engine: Engine, *words: object, directory: str | None = None, wait: bool = True) -> None:
        self.engine = engine
        self.port, self.bus = free_port(), free_port()
        self._own = None if directory else tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp")
        self.directory = Path(directory or self._own.name)
        self.log = self.directory / "log"
        self.words = list(map(str, words))
        self.host = "::1" if "::1" in self.words else "127.0.0.1"
        self.process: subprocess.Popen | None = None
        self._clients: dict[int, redis.Redis] = {}
        self.start(wait=wait)

    def start(self, *, wait: bool = True) -> None:
        """Start it and wait until it answers something."""
        given = {word for word in self.words if word.startswith("--")}
        words = ["--dir", self.directory, "--logfile", self.log]
        for name, value in (("--port", self.port), ("--save", ""), ("--bind", "127.0.0.1")):
            words += [] if name in given else [name, str(value)]
        if "--cluster-enabled" in given:  # the usual one, 10,000 above, may be another's
            words += ["--cluster-port", str(self.bus)]
        command = [self.engine.path, *map(str, words), *self.words]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            if wait:
                settle(self.answers)
        except BaseException:
            self.stop()
            raise

    def url(self, database: int = 0, login: str = "", host: str = "127.0.0.1") -> str:
        return f"redis://{login and login + '@'}{host}:{self.port}/{database}"

    def answers(self) -> bool:
        """Say whether it answers PING, with an error or not; one that ended would never."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            with socket.create_connection((self.host, self.port)) as line:
                line.sendall(b"PING\r\n")
                return line.recv(64)[:1] in {b"+", b"-"}
        except OSError:
            return False

    def do(self, *words: object, database: int = 0) -> object:
        """Run one command."""
        return self.client(database).execute_command(*words)

    def client(self, database: int = 0, **options: object) -> redis.Redis:
        """Return a client for the test's own traffic, the same each time: a new connection each time would be P10."""
        if options or database not in self._clients:
            options = {"protocol": 2, "retry": None, "socket_timeout": 20, **options}
            made = redis.Redis(host=self.host, port=self.port, db=database, **options)
            self._clients[len(self._clients) + 100 if len(options) > 3 else database] = made
            return made
        return self._clients[database]

    def silent(self) -> bool:
        """Say whether a new connection gets no answer for a moment."""
        with socket.create_connection((self.host, self.port)) as line:
            line.settimeout(0.2)
            line.sendall(b"PING\r\n")
            try:
                return not line.recv(64)
            except TimeoutError:
                return True

    def reading(self, taken_at: float) -> Reading:
        """Return a reading by INFO."""
        with self.client(client_name="a-reading") as client:
            client.response_callbacks.pop("INFO")
            return Reading.parse(rows(client.execute_command("INFO", "everything")), taken_at=taken_at)

    def stop(self, *, save: bool = False) -> None:
        """End it; its files stay."""
        if save:
            self.do("SAVE")
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def close(self) -> None:
        """End it and remove its files."""
        for client in self._clients.values():
            client.close()
        self.stop()
        if self._own:
            self._own.cleanup()


class Diagnosis(dict):
    """The findings of an examination by problem; the first of each, which is the worst."""

    examination: Examination

    @property
    def alarms(self) -> set[str]:
        """Return the problems at warning or worse."""
        return {number for number, finding in self.items() if finding.severity is not Severity.INFO}


async def diagnose(what: object, **options: object) -> Diagnosis:
    """Examine a server or an address, by one reading unless another is asked for."""
    url = what.url() if isinstance(what, Odd) else what
    seen = await examine(url, **{"watch": 0.0, **options})
    found: dict[str, Finding] = {}
    for finding in seen.findings:
        found.setdefault(finding.number if finding.number != "-" else finding.check, finding)
    made = Diagnosis(found)
    made.examination = seen
    return made


def settle(condition: Callable[[], object], timeout: float = 10) -> None:
    """Wait for a condition, also where a loop runs: in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(wait_until, condition, timeout).result()


async def in_thread(work: object, *args: object) -> object:
    """Do what blocks while the loop goes on."""
    return await asyncio.to_thread(work, *args)
