"""The edge of an instance: a process that outlives the yard, is found again by its lock, and is started if it dies."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from redyard import events
from redyard.engine.files import last_lines
from redyard.engine.lock import leader, locked
from redyard.engine.process import Process, start_mark
from redyard.engine.seat import LOG_LIMIT
from redyard.errors import DirectoryBusy, EdgeDied, RedyardError
from redyard.yard.home import Home

READY_WITHIN = 20.0
"""Seconds until it accepts clients; it takes a tenth."""

ENDS_WITHIN = 3.0
"""Seconds after which one that was asked to end is killed."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds before it is started again: doubled from the first to the longest while it does not stay."""

STEADY = 10.0
"""Seconds after which it counts as one that stays."""


class Edge:
    """Keeps one running between `open` and `close`."""

    def __init__(self, name: str, directory: Path, home: Home) -> None:
        self.name = name
        self.directory = directory / "edge"
        self._words = [str(directory), str(home.runtime), str(home.authorities / "ca.pem")]
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def lock(self) -> Path:
        """The lock that the running process holds."""
        return self.directory / "edge.lock"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.directory / "edge.log"

    @property
    def lives(self) -> bool:
        """Say whether its process runs."""
        return self._process is not None and self._process.alive()

    @property
    def pid(self) -> int | None:
        """Return its process's number."""
        return self._process.pid if self._process and self.lives else None

    def adopt(self) -> None:
        """Take over the process that an earlier yard started, if there is one."""
        if self._process is None and self.lock.exists() and (process := leader(self.lock)):
            self._process = process
            events.emit(events.EDGE_STARTED, name=self.name, pid=process.pid, adopted=True)

    async def open(self) -> None:
        """Have it accept clients, now and when it dies; raise EdgeDied where it does not start."""
        if not self.lives:
            await self._start()
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End it. To close what is not open is legal."""
        self._stop_keeping()
        if self._process is None:
            return
        self._process.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await self._process.ended()
        except TimeoutError:
            self._process.send(signal.SIGKILL)
            await self._process.ended()
        self._process.close()
        self._process = None

    def let_go(self) -> None:
        """Watch it no longer; it goes on."""
        self._stop_keeping()
        if self._process:
            self._process.close()
            self._process = None

    def _stop_keeping(self) -> None:
        if self._keeping:
            self._keeping.cancel()
            self._keeping = None

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            if self._process is not None:
                await self._process.ended()
            stayed = time.monotonic() - began > STEADY
            pause = FIRST_PAUSE if stayed else min(2 * pause, LONGEST_PAUSE)
            events.emit(events.EDGE_ENDED, name=self.name, pause=pause)
            await asyncio.sleep(pause)
            with suppress(RedyardError, OSError):  # told in its log; it is tried again
                await self._start()

    async def _start(self) -> None:
        if self._process:
            self._process.close()
        self._process = await asyncio.to_thread(self._spawn)
        events.emit(events.EDGE_STARTED, name=self.name, pid=self._process.pid, adopted=False)

    def _spawn(self) -> Process:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._turn_log()
        try:
            with locked(self.lock) as handle:
                return self._run(handle)
        except DirectoryBusy:
            if found := leader(self.lock):  # one that an earlier yard was just starting
                return found
            raise

    def _run(self, handle: int) -> Process:
        reading, writing = os.pipe()
        start = self.log.stat().st_size
        try:
            with self.log.open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "redyard.edge", *self._words, str(writing)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(handle, writing),
                )
        finally:
            os.close(writing)
        child.returncode = 0  # Process collects it; without this the Popen would warn that it was left alone
        process = Process(child.pid, start_mark(child.pid) or "ended")
        with os.fdopen(reading) as pipe:
            ready = select.select([pipe], [], [], READY_WITHIN)[0] and pipe.readline()
        if ready:
            return process
        process.send(signal.SIGKILL)
        process.wait(ENDS_WITHIN)
        process.close()
        said = last_lines(self.log, 1, since=start) or "it said nothing"
        raise EdgeDied(name=self.name, log=said, path=str(self.log))

    def _turn_log(self) -> None:
        with suppress(OSError):
            if self.log.stat().st_size > LOG_LIMIT:
                self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)
