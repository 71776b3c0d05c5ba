"""One instance under supervision: look, decide by the table, act, rest.

The engine's process is detached: it outlives this one, which finds it again by its lock and proves that it is the one.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec
from redis.exceptions import RedisError

from redyard import events
from redyard.engine.files import NO_ROOM, last_lines
from redyard.engine.find import Engine
from redyard.engine.lock import holders, leader
from redyard.engine.process import Process
from redyard.engine.seat import Seat
from redyard.errors import (
    DirectoryBusy,
    DiskFull,
    EngineDied,
    EngineSilent,
    PortInUse,
    RedyardError,
    YardNotWritable,
)
from redyard.yard.admin import Admin
from redyard.yard.phases import Action, Answer, Phase
from redyard.yard.ports import is_free
from redyard.yard.reconcile import Course, Seen, Step, reconcile
from redyard.yard.registry import Registry
from redyard.yard.spec import Spec, Status, Wanted

SLACK = 1.05
"""An engine's own needs let it stay a little above its limit while it drops keys."""

SHRUNK_LOOK = 0.05
"""Seconds between looks at a cache that drops keys."""


class Instance:
    """An engine that is kept as it is wanted. `run` is its loop; the other methods only say what is wanted."""

    def __init__(self, spec: Spec, registry: Registry, find_engine: Callable[[str | None], Awaitable[Engine]]) -> None:
        self.spec = spec
        self.registry = registry
        self.passwords = registry.passwords(spec.name)
        self.admin = Admin(self.seat, self.passwords["yard"])
        known = registry.status(spec.name)
        self.status = known if known.generation == spec.generation else Status(generation=spec.generation)
        self.trouble: RedyardError | None = None
        self._find_engine = find_engine
        self._process: Process | None = None
        self._goal: Wanted = spec.wanted
        self._course = Course(Phase.STOPPED, time.monotonic(), 0)
        self._answered_at = self._spawned_at = time.monotonic()
        self._log_start = 0
        self._proved = False
        self._leaving = False
        self.doing = ""
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.spec.name

    @property
    def seat(self) -> Seat:
        """The place of its engine."""
        return self.registry.seat(self.spec.name, self.spec.generation)

    @property
    def phase(self) -> Phase:
        """Where it is."""
        return self._course.phase

    def want(self, goal: Wanted) -> None:
        """Say what shall be, and forget earlier crashes; a stop of what is stopping asks again."""
        waiting = goal == "running" and self.phase in {Phase.FAILED, Phase.BACKOFF}
        self._course = self._course._replace(crashes=0, phase=Phase.STOPPED if waiting else self.phase)
        if goal == "stopped" and self.phase is Phase.STOPPING and self._process:
            self._process.send(signal.SIGTERM)
        self._goal = goal
        self.trouble = None
        self._wake.set()

    def end_now(self) -> None:
        """End the engine at once, without a save: its data are to be removed."""
        self._goal, self.trouble = "stopped", None
        if self._process:
            self._process.send(signal.SIGKILL)
        self._wake.set()

    def leave(self) -> None:
        """End the loop, not the engine. (A cancellation could be lost in a client's time-out.)"""
        self._leaving = True
        self._wake.set()

    async def reach(self, *phases: Phase, within: float) -> None:
        """Wait until it is in one of the phases; raise what went wrong on the way."""
        try:
            async with asyncio.timeout(within):
                while self.phase not in phases:
                    if self.trouble:
                        raise self.trouble
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise EngineSilent(name=self.name, seconds=within, path=str(self.seat.log)) from None

    def take_over(self, spec: Spec, process: Process, engine: Engine) -> None:
        """Hold another engine from now on, the one that a move has put into the old one's place."""
        self.spec, former = spec, self.admin
        self.admin = Admin(self.seat, self.passwords["yard"])
        self.status = msgspec.structs.replace(self.status, generation=spec.generation, run_id=None, ready_ms=None)
        self._hold(process)
        self._record(engine=engine.name, version=engine.version)
        self._wake.set()
        self._closing = asyncio.create_task(former.close())

    async def resize(self, spec: Spec) -> None:
        """Give the running engine other limits."""
        self.registry.write_spec(spec)  # first: who adopts the engine after a crash gives it what is written
        self.spec = spec
        await self.admin.settle(spec)

    async def shrunk(self, within: float) -> None:
        """Wait until a cache has dropped what is beyond its memory."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            reading = await self.admin.reading()
            if reading is None or reading.used_memory <= self.spec.memory * SLACK or not reading.evicts:
                return
            await asyncio.sleep(SHRUNK_LOOK)

    def tell(self, doing: str) -> None:
        """Say what is being done with it, for those who look."""
        self.doing = doing

    def doubt(self) -> None:
        """Look again whether the engine is as it is wanted."""
        self._proved = False
        self._wake.set()

    def adopt(self) -> bool:
        """Take over the engine that already holds the directory, if there is one."""
        known = self.status
        process = Process.find(known.pid, known.mark) if known.pid else None
        if process and process.pid not in holders(self.seat.lock):
            process.close()
            process = None
        process = process or leader(self.seat.lock)
        if process is None:
            return False
        self._hold(process)
        self._course = Course(Phase.STARTING, time.monotonic(), known.crashes)
        events.emit(events.ADOPTED, name=self.name, pid=process.pid)
        return True

    async def run(self) -> None:
        """Keep the instance as it is wanted until `leave`; the engine goes on."""
        try:
            while not self._leaving:
                step = reconcile(self._goal, self._course, await self._look())
                await self._take(step)
                with suppress(TimeoutError):
                    async with asyncio.timeout(step.look_again):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            self._let_go()
            await self.admin.close()

    async def _look(self) -> Seen:
        alive = self._process is not None and self._process.alive()
        answer = await self.admin.ping() if alive and self._goal == "running" else Answer.NONE
        now = time.monotonic()
        if answer is not Answer.NONE:
            self._answered_at = now
        return Seen(now, alive, answer, self._answered_at)

    async def _take(self, step: Step) -> None:
        old, new = self.phase, step.phase
        if step.action is Action.COUNT_CRASH:
            self._blame(old)
        if new is Phase.RUNNING and not self._proved and not await self._prove():
            new = Phase.FAILED
            step = step._replace(phase=new, reason=f"another process than {self.status.pid} answers at its socket")
        if new is not old:
            self._enter(step)
        self._course = self._course._replace(crashes=step.crashes)
        if step.action is Action.END and new is not old and self._process:
            self._process.send(signal.SIGTERM)
        if step.action is Action.SPAWN:
            await self._spawn()

    def _enter(self, step: Step) -> None:
        reason = str(self.trouble) if self.trouble and step.action is Action.COUNT_CRASH else step.reason
        events.emit(events.PHASE, name=self.name, old=self.phase.value, new=step.phase.value, reason=reason)
        self._course = Course(step.phase, time.monotonic(), step.crashes)
        if step.phase in {Phase.STOPPED, Phase.BACKOFF, Phase.FAILED}:
            self._let_go()
            self._record(pid=None, mark=None)
        self._record(phase=step.phase, reason=reason, since=time.time(), crashes=step.crashes)
        self._moved.set()

    async def _spawn(self) -> None:
        self._log_start = self.seat.log.stat().st_size if self.seat.log.exists() else 0
        try:
            engine = await self._find_engine(self.spec.engine)
            if not is_free(self.spec.port):
                raise PortInUse(port=self.spec.port, name=self.name)
            spec = self.spec
            self.seat.prepare(role=spec.role, limits=spec.limits, port=spec.port, passwords=self.passwords)
            self._spawned_at = time.monotonic()
            self._hold(self.seat.spawn(engine))
            self._record(engine=engine.name, version=engine.version, run_id=None, ready_ms=None)
        except RedyardError as error:
            self.trouble = error
        except OSError as error:
            path = str(error.filename or self.seat.directory)
            full = DiskFull(path=path)
            self.trouble = full if error.errno in NO_ROOM else YardNotWritable(home=path, reason=error.strerror or "")

    async def _prove(self) -> bool:
        """Say whether the one who answers is the process we hold, and note which run of it."""
        seen = await self.admin.reading()
        if seen is None or self._process is None:
            return True
        if seen.process_id != self._process.pid or self.status.run_id not in {None, seen.run_id}:
            self.trouble = DirectoryBusy(path=str(self.seat.directory), holder=f"process {seen.process_id}")
            return False
        with suppress(RedisError, OSError):  # else it is tried again at the next look
            await self.admin.settle(self.spec)
            self._proved, self.trouble = True, None
        ready = (self._answered_at - self._spawned_at) * 1000 if self.status.run_id is None else self.status.ready_ms
        self._record(run_id=seen.run_id, ready_ms=ready)
        return True

    def _blame(self, old: Phase) -> None:
        """Say why the process ended, where it can be known: an engine that refuses its files writes it into its log."""
        if old in {Phase.STARTING, Phase.LOADING} and self.trouble is None:
            log = self.seat.log
            self.trouble = EngineDied(name=self.name, log=last_lines(log, since=self._log_start), path=str(log))

    def _hold(self, process: Process) -> None:
        self._let_go()
        self._process, self._proved = process, False
        self._watch = asyncio.create_task(process.ended())
        self._watch.add_done_callback(lambda _: self._wake.set())
        self._record(pid=process.pid, mark=process.mark)

    def _let_go(self) -> None:
        if self._watch:
            self._watch.cancel()
        if self._process:
            self._process.close()
        self._process = self._watch = None

    def _record(self, **changes: object) -> None:
        self.status = msgspec.structs.replace(self.status, **changes)
        with suppress(RedyardError, OSError):  # a full disk must not end the supervision
            self.registry.write_status(self.name, self.status)
