"""One instance of ours under supervision: its engine is started, watched, ended.

The engine's process is detached: it outlives this one, which finds it again by its lock and proves that it is the one.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import msgspec
from redis.exceptions import RedisError

from redyard import events
from redyard.engine import access
from redyard.engine.files import NO_ROOM, last_lines, write_private
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
from redyard.yard import addresses, credentials, doors
from redyard.yard.addresses import is_free, reachable
from redyard.yard.admin import Admin
from redyard.yard.authority import Papers
from redyard.yard.credentials import Secret
from redyard.yard.edges import Edge
from redyard.yard.phases import Action, Answer, Phase
from redyard.yard.reconcile import Course, Seen, Step
from redyard.yard.registry import Registry
from redyard.yard.spec import Spec, Wanted
from redyard.yard.watched import Watched

SLACK = 1.05
"""An engine's own needs let it stay a little above its limit while it drops keys."""

SHRUNK_LOOK = 0.05
"""Seconds between looks at a cache that drops keys."""


class Instance(Watched):
    """An engine that is kept as it is wanted. `run` is its loop; the other methods only say what is wanted."""

    goal: Wanted

    def __init__(self, spec: Spec, registry: Registry, find_engine: Callable[[str | None], Awaitable[Engine]]) -> None:
        password = registry.passwords(spec.name)[access.YARD.name]
        admin = Admin.local(registry.seat(spec.name, spec.generation), password)
        super().__init__(spec, registry, admin, Phase.STOPPED)
        self.goal = spec.wanted
        self.edge = Edge(spec.name, registry.directory(spec.name), registry.home)
        self._find_engine = find_engine
        self._process: Process | None = None
        self._spawned_at = time.monotonic()
        self._log_start = 0
        self._proved = False
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def seat(self) -> Seat:
        """The place of its engine."""
        return self.registry.seat(self.spec.name, self.spec.generation)

    @property
    def passwords(self) -> dict[str, str]:
        """The passwords that are given to those who ask, by user."""
        return {user: secret.password for user, secret in self.secrets.items()}

    def users(self, spec: Spec) -> str:
        """Return the engine's file of users: everybody's passwords that count, and the rights."""
        return access.render({user: secret.valid for user, secret in self.secrets.items()}, spec.apps)

    def url(self, *, show: bool, user: str = access.APP.name) -> str:
        """Return the address for an app, with the password or with a sign in its place."""
        password = self.passwords[user] if show else credentials.HIDDEN
        return credentials.url(reachable(self.spec.bind), self.spec.port, password, user, tls=bool(self.spec.tls))

    @property
    def papers(self) -> Papers:
        """Return where its certificates are."""
        return doors.papers(self.registry.directory(self.name))

    def files(self) -> dict[str, str]:
        """Return the variables that name what an app needs for TLS."""
        return doors.variables(self.spec, self.papers)

    def login(self, user: str) -> str:
        """Return the address for a person, as one of the engine's users, on its socket."""
        return credentials.socket_url(str(self.seat.socket), user, self.passwords[user])

    def keep(self, secrets: Mapping[str, Secret | None], spec: Spec | None = None) -> None:
        """Write down users and their passwords (None: the user goes), and tell the apps.

        A user that the spec names has a password at any moment, whatever dies between two files.
        """
        merged = {**self.secrets, **{user: secret for user, secret in secrets.items() if secret}}
        kept = {user: secret for user, secret in merged.items() if secrets.get(user, secret)}
        self.registry.write_secrets(self.name, merged)
        if spec:
            self.registry.write_spec(spec)
            self.spec = spec
        if kept != merged:
            self.registry.write_secrets(self.name, kept)
        self.secrets = kept
        self.publish()

    def publish(self) -> None:
        """Write the addresses of the apps where they read them."""
        users = (access.APP.name, *self.spec.apps)
        self.registry.publish(self.name, {user: self.url(show=True, user=user) for user in users})

    async def let_in(self) -> None:
        """Have the running engine know the users that are written down, and its file too."""
        await self.admin.let_in(self.secrets, self.spec)
        self.write_users()

    async def keep_out(self, user: str) -> None:
        """Have the running engine forget a user."""
        await self.admin.keep_out(user)

    def write_users(self) -> None:
        """Let the engine's file say what it was told; each start writes it anew, so that a full disk may wait."""
        path, text = self.seat.users, self.users(self.spec)
        with suppress(RedyardError, OSError):
            if path.read_text() != text:
                write_private(path, text)

    def log_in_anew(self) -> None:
        """Ask the engine over a new connection from now on: the yard's own password was exchanged."""
        former, self.admin = self.admin, Admin.local(self.seat, self.passwords[access.YARD.name])
        self._closing = asyncio.create_task(former.close())

    def want(self, goal: Wanted) -> None:
        """Say what shall be, and forget earlier crashes; a stop of what is stopping asks again."""
        waiting = goal == "running" and self.phase in {Phase.FAILED, Phase.BACKOFF}
        self._course = self._course._replace(crashes=0, phase=Phase.STOPPED if waiting else self.phase)
        if goal == "stopped" and self.phase is Phase.STOPPING and self._process:
            self._process.send(signal.SIGTERM)
        self.goal = goal
        self.trouble = None
        self._wake.set()

    async def end_now(self, within: float) -> None:
        """End the engine at once, without a save: its data are to be removed."""
        self.goal, self.trouble = "stopped", None
        if self._process:
            self._process.send(signal.SIGKILL)
        self._wake.set()
        await self.reach(Phase.STOPPED, within=within)
        await self.edge.close()  # one may live without its engine: a yard was killed between the two

    def take_over(self, spec: Spec, process: Process, engine: Engine) -> None:
        """Hold another engine from now on, the one that a move has put into the old one's place."""
        self.spec = spec
        self.log_in_anew()
        self.status = msgspec.structs.replace(
            self.status, generation=spec.generation, run_id=None, ready_ms=None, plain_until=0
        )
        self._course = self._course._replace(crashes=0)  # those were the old one's
        self._hold(process)
        self._record(engine=engine.name, version=engine.version)
        if self.goal == "stopped":  # that was asked for meanwhile, of the old one
            process.send(signal.SIGTERM)
        self._wake.set()

    async def resize(self, spec: Spec) -> None:
        """Give the running engine other limits."""
        self.registry.write_spec(spec)  # first: who adopts the engine after a crash gives it what is written
        self.spec = spec
        await self.admin.settle(spec)

    async def change_door(self, spec: Spec) -> None:
        """Let clients in another way from now on, with TLS or without; connections that are there stay.

        Where an edge has the door, they end with it.
        """
        began = bool(spec.tls) and not self.spec.tls
        self.registry.write_spec(spec)  # first: who adopts the engine after a crash opens the door that is written
        self.spec = spec
        if self.phase is Phase.RUNNING:
            await self._settle()
            await self._open_edge()
            newest = max(int(row["id"]) for row in await self.admin.clients()) if began else 0
            self._record(plain_until=newest if began else self.status.plain_until if spec.tls else 0)
        self.publish()

    async def shrunk(self, within: float) -> None:
        """Wait until a cache has dropped what is beyond its memory."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            reading = await self.admin.reading()
            if reading is None or reading.used_memory <= self.spec.memory * SLACK or not reading.evicts:
                return
            await asyncio.sleep(SHRUNK_LOOK)

    def doubt(self) -> None:
        """Look again whether the engine is as it is wanted."""
        self._proved = False
        self._wake.set()

    def adopt(self) -> bool:
        """Take over the engine that already holds the directory, if there is one."""
        self.edge.adopt()  # also where none is wanted any more: it has the port until it is closed
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
        """Keep the instance as it is wanted until `leave`; the engine and its edge go on."""
        try:
            await super().run()
        finally:
            self.edge.let_go()

    @property
    def _alive(self) -> bool:
        return self._process is not None and self._process.alive()

    async def _look(self) -> Seen:
        alive = self._alive
        answer = await self.admin.ping() if alive and self.goal == "running" else Answer.NONE
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
            step = step._replace(phase=new, reason=str(self.trouble))
        if new in {Phase.STOPPED, Phase.FAILED} and not self._alive:
            await self.edge.close()
        if new is not old:
            self._enter(step, step.reason)
        self._course = self._course._replace(crashes=step.crashes)
        if step.action is Action.END and new is not old and self._process:
            self._process.send(signal.SIGTERM)
        if step.action is Action.SPAWN:
            await self._spawn()

    def _enter(self, step: Step, reason: str) -> None:
        super()._enter(step, str(self.trouble) if self.trouble and step.action is Action.COUNT_CRASH else reason)
        if step.phase in {Phase.STOPPED, Phase.BACKOFF, Phase.FAILED}:
            self._let_go()
            self._record(pid=None, mark=None)

    def _late(self, seconds: float) -> RedyardError:
        return EngineSilent(name=self.name, seconds=seconds, path=str(self.seat.log))

    async def _spawn(self) -> None:
        self._log_start = self.seat.log.stat().st_size if self.seat.log.exists() else 0
        try:
            engine = await self._find_engine(self.spec.engine)
            spec = await self._equip(engine)
            if spec.tls != "edge":
                await self.edge.close()
            address = addresses.check(spec.bind, tls=bool(spec.tls))
            if not self.edge.lives and not is_free(spec.port, address):
                raise PortInUse(port=spec.port, name=self.name)
            self.seat.prepare(
                role=spec.role,
                limits=spec.limits,
                port=int(spec.ports["port"]),
                users=self.users(spec),
                bind=spec.bind,
                settings=spec.settings,
                secured=doors.directives(self.papers, spec),
            )
            self._spawned_at = time.monotonic()
            self._hold(self.seat.spawn(engine))
            self._record(engine=engine.name, version=engine.version, run_id=None, ready_ms=None, plain_until=0)
        except RedyardError as error:
            self.trouble = error
        except OSError as error:
            path = str(error.filename or self.seat.directory)
            full = DiskFull(path=path)
            self.trouble = full if error.errno in NO_ROOM else YardNotWritable(home=path, reason=error.strerror or "")

    async def _equip(self, engine: Engine) -> Spec:
        """Have certificates where TLS is wanted, and an edge where the engine has none; return the spec."""
        if self.spec.tls:
            if self.spec.tls != (way := doors.way(engine, self.spec)):
                self.spec = msgspec.structs.replace(self.spec, tls=way)
                self.registry.write_spec(self.spec)
            await asyncio.to_thread(doors.equip, self.registry, self.spec)
        return self.spec

    async def _prove(self) -> bool:
        """Say whether the one who answers is the process we hold, and note which run of it."""
        seen = await self.admin.reading()
        if seen is None or self._process is None:
            return True
        if seen.process_id != self._process.pid or self.status.run_id not in {None, seen.run_id}:
            self.trouble = DirectoryBusy(path=str(self.seat.directory), holder=f"process {seen.process_id}")
            return False
        with suppress(RedisError, OSError):  # else it is tried again at the next look
            await self._settle()
            await self.let_in()
            try:
                await self._open_edge()
            except RedyardError as error:
                self.trouble = error
                return False
            self._proved, self.trouble = True, None
        ready = (self._answered_at - self._spawned_at) * 1000 if self.status.run_id is None else self.status.ready_ms
        self._record(run_id=seen.run_id, ready_ms=ready)
        return True

    async def _settle(self) -> None:
        """Give the engine what is wanted of it, the port too, which an edge gives up before."""
        if self.spec.tls != "edge":
            await self.edge.close()
        await self.admin.settle(self.spec, doors.directives(self.papers, self.spec, listens=False))

    async def _open_edge(self) -> None:
        if self.spec.tls == "edge":
            await self.edge.open()

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
