"""The yard's process: it holds the instances of one directory and does what commands ask.

Each public coroutine is one call of the API; `api.py` lets them in, `calls.py` is the other side.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from redyard import events
from redyard.alerts.notify import Channels
from redyard.client.url import check_url, redact
from redyard.engine import access
from redyard.engine.files import last_lines
from redyard.engine.find import Engine, find
from redyard.errors import (
    EngineSilent,
    EngineWillNotStop,
    NameNeeded,
    NoAddon,
    NotConfirmed,
    NotOurs,
    NotRunning,
    RedyardError,
    UnknownApp,
    UnknownName,
    Usage,
)
from redyard.reading import Reading
from redyard.settings import Settings
from redyard.units import format_instant
from redyard.version import VERSION
from redyard.yard import addresses, credentials, doors, tuning
from redyard.yard.addresses import LOOPBACK
from redyard.yard.answers import Info, Line
from redyard.yard.attached import Attached, examine
from redyard.yard.audit import Trail
from redyard.yard.backups import Backups
from redyard.yard.ground import Ground
from redyard.yard.home import Home
from redyard.yard.move import recover
from redyard.yard.notices import Notices
from redyard.yard.phases import Phase
from redyard.yard.ports import Ports
from redyard.yard.registry import Registry
from redyard.yard.rounds import Rounds
from redyard.yard.spec import Spec, Wanted
from redyard.yard.supervisor import Instance
from redyard.yard.view import details, variables, view
from redyard.yard.watch import Watch
from redyard.yard.watched import Watched

Result = dict[str, object]

READY_WITHIN = 30.0
"""Seconds that an engine has to answer; a large store may say LOADING for longer, which is an answer."""

STOP_WITHIN = 120.0
"""Seconds that an engine has to save and end before the command says that it has not."""


class Yard:
    """The instances of a directory, each under supervision."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self.home = home
        self._settings = settings
        self.registry = Registry(home)
        self.instances: dict[str, Watched] = {}
        self.ending = asyncio.Event()
        self.backups = Backups(home, settings)
        self._ports = Ports.parse(settings.ports)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()  # one change at a time
        self._engine: Engine | None = None
        self._started_at = time.time()
        self.trail = Trail(home.audit, self._state, self._secrets)
        notices = Notices(home.alerts, Channels(settings.alerts.split()))
        self.watch = Watch(self.instances, home.history, notices)
        self.watch.facts.append(lambda name: self.backups.samples(name, self.watch.offset(name)))
        self.rounds = Rounds(self.instances)
        self.watch.facts.append(self.rounds.samples)

    async def open(self) -> None:
        """Take over or start what is here, and remove what an interrupted command left."""
        for spec in self.registry.specs():
            await recover(self.registry, spec)
            self._supervise(spec)
        for name in (leftovers := self.registry.unfinished()):
            events.emit(events.UNDONE, name=name)
        await self._destroy(leftovers)
        await asyncio.gather(*(self._first_answer(instance) for instance in self.instances.values()))
        self.watch.start()
        self.rounds.start()

    async def close(self) -> None:
        """Let go of the instances; their engines go on unless they were stopped."""
        await self.backups.close()
        await self.rounds.close()
        await self.watch.close()
        for instance in self.instances.values():
            instance.leave()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # ---- the calls

    async def status(self) -> Result:
        """Return the yard and a line for each instance."""
        return {
            "yard": {
                "home": str(self.home.path),
                "pid": os.getpid(),
                "version": VERSION,
                "started_at": format_instant(self._started_at),
                "uptime_seconds": round(time.time() - self._started_at),
            },
            "instances": await self._read(list(self.instances.values()), view),
            "alerts": self.watch.notices.firing(),
        }

    async def info(self, name: str | None = None, show: bool = False) -> Result:
        """Return everything about an add-on or an instance."""
        chosen = self._select(name)

        def detailed(instance: Watched, reading: Reading | None) -> Info:
            return details(instance, reading, show=show)

        return {"name": name or chosen[0].spec.addon, "instances": await self._read(chosen, detailed)}

    async def add(  # noqa: PLR0913, PLR0917 - a call's parameters
        self,
        name: str = "redis",
        plan: str = "256mb",
        role: str | None = None,
        port: int | None = None,
        bind: str = LOOPBACK,
        tls: bool = False,
        tls_clients: bool = False,
    ) -> Result:
        """Make an add-on and start it; on any trouble nothing of it stays."""
        began = time.monotonic()
        async with self._turn:
            specs = self._ground().addon(name, plan, role, port=port, bind=addresses.check(bind, tls=tls))
            engine = await self._find_engine()
            if tls:
                terms = {"tls": doors.way(engine), "tls_clients": tls_clients}
                specs = [msgspec.structs.replace(spec, **terms) for spec in specs]
            await self._make([(spec, credentials.generate()) for spec in specs])
        for spec in specs:
            events.emit(events.ADDED, name=spec.name, role=spec.role, plan=plan, port=spec.port)
        info = await self.info(name)
        return {"addon": name, "plan": plan, "instances": info["instances"], "seconds": time.monotonic() - began}

    async def attach(self, url: str, name: str = "redis", role: str | None = None) -> Result:
        """Record a Redis that somebody else runs, once it has shown what it is."""
        async with self._turn:
            seen = await examine(url := check_url(url))
            spec = self._ground().attachment(url, seen, name, role)
            await self._make([(spec, {"url": url})])
        events.emit(events.ATTACHED, name=spec.name, role=spec.role, url=redact(url))
        info = await self.info(spec.name)
        return {"addon": name, "plan": None, "instances": info["instances"], "seconds": None}

    async def detach(self, name: str) -> Result:
        """Forget an attached Redis; nothing is done to it."""
        async with self._turn:
            chosen = self._select(name)
            if own := next((item for item in chosen if not item.spec.attached), None):
                raise Usage(
                    problem=f"{own.name} is not attached: `redyard remove` ends it and takes its data",
                    command="redyard detach",
                )
            names = [item.name for item in chosen]
            self.registry.begin(names)
            kept = await self._destroy(names)
        for item in names:
            events.emit(events.DETACHED, name=item)
        return {"detached": names, "backups": kept}

    async def login(self, name: str, user: str = access.MONITOR.name) -> Result:
        """Return the address, with the password, by which a person reaches an instance; an add-on means its store."""
        instance = min(self._select(name), key=lambda item: item.spec.role == "cache")
        if instance.phase not in {Phase.RUNNING, Phase.LOADING, Phase.SILENT}:
            raise NotRunning(name=instance.name, phase=instance.phase.value)
        return {"name": instance.name, "attached": instance.spec.attached, "url": instance.login(user)}

    async def remove(self, name: str, confirm: str = "") -> Result:
        """Remove an add-on or an instance with its data."""
        async with self._turn:
            names = [instance.name for instance in self._ours(name, "remove")]
            if confirm != name:
                raise NotConfirmed(name=name)
            self.registry.begin(names)
            await self._destroy(names)
        for item in names:
            events.emit(events.REMOVED, name=item)
        return {"removed": names}

    async def settings(self, name: str) -> Result:
        """Return the settings of engines, each with its reason."""
        return {"instances": await asyncio.gather(*(tuning.show(item) for item in self._select(name)))}

    async def set(self, name: str, setting: str, value: str, force: bool = False) -> Result:
        """Change a setting of one engine, now and for every start."""
        async with self._turn:
            return await tuning.change(self._running(name, "configure"), setting.lower(), value, force=force)

    async def reset(self, name: str, setting: str) -> Result:
        """Take back what was set."""
        async with self._turn:
            return await tuning.reset(self._running(name, "configure"), setting.lower())

    async def stop(self, name: str) -> Result:
        """Stop engines, which save first, and keep them stopped."""
        return await self._settle(name, self._stop)

    async def start(self, name: str) -> Result:
        """Start engines and keep them running."""
        return await self._settle(name, self._start)

    async def variables(self, name: str | None = None, app: str | None = None, files: bool = False) -> Result:
        """Return the variables that an app of this add-on reads, with the password of the first user or its own.

        Args:
            name: an add-on or an instance.
            app: one that has a user of its own.
            files: also name the files that follow a change of the password.
        """
        chosen = [item for item in self._select(name) if app is None or app in item.spec.apps]
        if not chosen:
            raise UnknownApp(name=name or "the add-on", app=app)
        return dict(variables(chosen, app or access.APP.name, files=files))

    async def down(self) -> Result:
        """Stop every engine, then the yard itself; the next start runs what runs now."""
        own = [item for item in self.instances.values() if isinstance(item, Instance)]
        running = [item for item in own if item.phase is not Phase.STOPPED]
        await asyncio.gather(*(self._end(item) for item in running))
        self.ending.set()
        return {"stopped": [item.name for item in running]}

    # ---- one instance

    def _supervise(self, spec: Spec) -> Watched:
        if spec.attached:
            instance: Watched = Attached(spec, self.registry)
        else:
            instance = own = Instance(spec, self.registry, self._find_engine)
            with suppress(RedyardError, OSError):  # a full disk: who asks `vars` gets them all the same
                own.publish()
            own.adopt()
        self.instances[spec.name] = instance
        task = self._tasks[spec.name] = asyncio.create_task(instance.run(), name=spec.name)
        task.add_done_callback(_report)
        self.backups.watch(instance)
        return instance

    async def _make(self, wanted: Sequence[tuple[Spec, dict[str, str]]]) -> None:
        """Make instances with their secrets and wait until all answer; on any trouble none stays."""
        names = [spec.name for spec, _ in wanted]
        self.registry.begin(names)
        try:
            for spec, secrets in wanted:
                self.registry.create(spec, secrets)
            made = [self._supervise(spec) for spec, _ in wanted]
            await asyncio.gather(*(item.reach(Phase.RUNNING, within=READY_WITHIN) for item in made))
        except BaseException:
            await self._destroy(names)
            raise
        self.registry.finish()

    async def _destroy(self, names: Collection[str]) -> list[str]:
        """End and remove instances that are written down as unfinished; return where backups of theirs stay."""
        kept = []
        for name in names:
            instance, task = self.instances.pop(name, None), self._tasks.pop(name, None)
            if instance and task:
                await instance.end_now(READY_WITHIN)
                instance.leave()
                await asyncio.wait([task])
            if instance and instance.spec.attached:
                kept += await self.backups.let_go(name)
            else:
                await self.backups.drop(name)
            self.registry.remove(name)
        self.registry.finish()
        return kept

    async def _first_answer(self, instance: Watched) -> None:
        """Wait until an instance that is wanted answers, or has shown that it does not."""
        settled = (Phase.RUNNING, Phase.LOADING, Phase.SILENT, Phase.BACKOFF, Phase.FAILED)
        if instance.spec.wanted == "running":
            try:
                await instance.reach(*settled, within=READY_WITHIN)
            except RedyardError as error:
                events.LOGGER.warning("%s", error)

    async def _start(self, instance: Instance) -> None:
        self._want(instance, "running")
        await instance.reach(Phase.RUNNING, Phase.LOADING, within=READY_WITHIN)

    async def _stop(self, instance: Instance) -> None:
        self._want(instance, "stopped")
        await self._end(instance)

    async def _end(self, instance: Instance) -> None:
        instance.want("stopped")
        try:
            await instance.reach(Phase.STOPPED, within=STOP_WITHIN)
        except EngineSilent:
            raise EngineWillNotStop(
                name=instance.name, pid=instance.status.pid, seconds=STOP_WITHIN, log=last_lines(instance.seat.log, 3)
            ) from None

    def _want(self, instance: Instance, wanted: Wanted) -> None:
        instance.spec = msgspec.structs.replace(instance.spec, wanted=wanted)
        self.registry.write_spec(instance.spec)
        instance.want(wanted)

    # ---- what the trail tells, and what it must not

    def _state(self) -> dict[str, Result]:
        return {name: item.facts() for name, item in self.instances.items()}

    def _secrets(self) -> Collection[str]:
        return {word for item in self.instances.values() for word in item.hidden()}

    # ---- several

    async def _settle(self, name: str, change: Callable[[Instance], Awaitable[None]]) -> Result:
        async with self._turn:
            chosen = self._ours(name, change.__name__.strip("_"))
            await asyncio.gather(*(change(instance) for instance in chosen))
        return {"instances": await self._read(chosen, view)}

    async def _read(self, chosen: Sequence[Watched], show: Callable[..., Line]) -> list[Line]:
        """Show instances with a reading of each, all taken at once; one that does not answer is not asked."""
        answering = {Phase.RUNNING, Phase.LOADING}
        asked = [item for item in chosen if item.phase in answering]
        readings = await asyncio.gather(*(item.admin.reading() for item in asked))
        taken = dict(zip((item.name for item in asked), readings, strict=True))
        return [
            msgspec.structs.replace(show(item, reading), **self.backups.tell(item, reading))
            for item in chosen
            for reading in [taken.get(item.name)]
        ]

    def _ours(self, name: str, action: str) -> list[Instance]:
        """Return the instances that a name means, or raise NotOurs when their engines are somebody else's."""
        chosen = self._select(name)
        own = [item for item in chosen if isinstance(item, Instance)]
        if len(own) < len(chosen):
            raise NotOurs(name=name, action=action)
        return own

    def _running(self, name: str, action: str) -> Instance:
        """Return the one running instance of ours that a name means."""
        chosen = self._ours(name, action)
        if len(chosen) > 1:
            raise NameNeeded(known=", ".join(item.name for item in chosen))
        if chosen[0].phase is not Phase.RUNNING:
            raise NotRunning(name=chosen[0].name, phase=chosen[0].phase.value)
        return chosen[0]

    def _select(self, name: str | None) -> list[Watched]:
        """Return the instances that a name means: an add-on's, or one; without a name, those of the only add-on."""
        addons = sorted({item.spec.addon for item in self.instances.values()})
        if name is None:
            if not addons:
                raise NoAddon(home=str(self.home.path))
            if len(addons) > 1:
                raise NameNeeded(known=", ".join(addons))
            name = addons[0]
        chosen = [item for item in self.instances.values() if name in {item.spec.addon, item.name}]
        if not chosen:
            raise UnknownName(name=name, known=", ".join([*addons, *self.instances]) or "nothing yet")
        return chosen

    def _ground(self) -> Ground:
        return Ground([item.spec for item in self.instances.values()], self._ports, self.home.path)

    async def _find_engine(self, wanted: str | None = None) -> Engine:
        if wanted:  # what this instance was upgraded to
            return await asyncio.to_thread(find, wanted)
        if self._engine is None or not Path(self._engine.path).exists():  # an upgrade moved it
            self._engine = await asyncio.to_thread(find, self._settings.engine)
        return self._engine


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        events.LOGGER.error("the supervision of %s ended by a fault", task.get_name(), exc_info=error)
