"""The yard with its calls that exchange engines while they serve: restart, scale, upgrade. The move is in `move.py`."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence

import msgspec

from redyard import events
from redyard.engine.directives import Limits
from redyard.engine.find import Engine, find
from redyard.errors import NotRunning, RedyardError
from redyard.reading import Reading
from redyard.yard import changes as changing, doors, plans
from redyard.yard.changes import Change, Machine
from redyard.yard.machine import free_memory
from redyard.yard.move import HandOver, by_following, by_reading_the_log, move
from redyard.yard.phases import Phase
from redyard.yard.spec import Spec
from redyard.yard.supervisor import Instance
from redyard.yard.view import view
from redyard.yard.yard import Result, Yard

_HAND_OVER = {changing.MOVE: by_following, changing.LOG: by_reading_the_log}

SHRUNK_WITHIN = 60.0
"""Seconds that a cache has to drop what a smaller plan has no room for; it drops 400,000 keys a second."""


class MovingYard(Yard):
    """A yard that also changes what its engines are; each public coroutine is a call of the API."""

    async def restart(self, name: str, dry_run: bool = False) -> Result:
        """Put a fresh engine into each one's place: by a move where there is room, else by a stop and a start."""
        async with self._turn:
            chosen = self._ours(name, "restart")
            changes = [await self._fresh(item) for item in chosen]
            if dry_run:
                return {"changes": [change.to_json() for change in changes if change]}
            moved = [await self._restart(item, change) for item, change in zip(chosen, changes, strict=True)]
        return {"instances": await self._read(chosen, view), "moved": [item for item in moved if item]}

    async def scale(
        self, name: str, plan: str, move: bool = False, evict: bool = False, dry_run: bool = False
    ) -> Result:
        """Give instances another plan; all of them are checked before the first one changes."""
        async with self._turn:
            chosen = self._ours(name, "scale")
            whole = {item.spec.role for item in self.instances.values() if item.spec.addon == chosen[0].spec.addon}
            roles = plans.lookup(plan).instances(None if len(whole) > 1 else next(iter(whole)))
            limits = {item.name: (plan, roles[item.spec.role]) for item in chosen}
            changes = {
                item.name: changing.scale(item.spec, limits[item.name], *await self._facts(item), moves=move)
                for item in chosen
            }
            if dry_run:
                return _planned(chosen, changes)
            for item in chosen:
                changing.check(changes[item.name], item.spec.role, evict=evict)
            moved = [await self._scale(item, *limits[item.name], changes[item.name]) for item in chosen]
        return await self._changed(chosen, changes, moved)

    async def upgrade(self, name: str, engine: str | None = None, pause: bool = False, dry_run: bool = False) -> Result:
        """Put another engine, or the yard's own in its present version, into the place of the instances' engines."""
        async with self._turn:
            chosen = self._ours(name, "upgrade")
            self._engine = None  # it may have been replaced where it is
            wanted = await asyncio.to_thread(find, engine) if engine else await self._find_engine()
            changes = {item.name: changing.replace(item.spec, wanted, *await self._facts(item)) for item in chosen}
            if dry_run:
                return _planned(chosen, changes)
            for item in chosen:
                changing.check(changes[item.name], item.spec.role, pause=pause)
            moved = [await self._exchange(item, wanted, changes[item.name], named=bool(engine)) for item in chosen]
        return await self._changed(chosen, changes, moved)

    # ---- steps

    async def _changed(
        self, chosen: Sequence[Instance], changes: Mapping[str, Change], moved: Sequence[Result | None]
    ) -> Result:
        """Return what was changed, how the instances are now, and what the moves took."""
        return {
            "changes": [change.to_json() for change in changes.values()],
            "instances": await self._read(chosen, view),
            "moved": [item for item in moved if item],
        }

    async def _restart(self, instance: Instance, change: Change | None) -> Result | None:
        if change and change.way == changing.MOVE:
            return await self._move(instance, instance.spec, await self._find_engine(instance.spec.engine))
        await self._end(instance)  # nothing is written down: a yard that is killed now starts it again
        await self._start(instance)
        return None

    async def _scale(self, instance: Instance, plan: str, limits: Limits, change: Change) -> Result | None:
        old, moved = instance.spec, None
        spec = msgspec.structs.replace(
            old, plan=plan, memory=limits.memory, connections=limits.connections, databases=limits.databases
        )
        if change.way == changing.IN_PLACE or change.evicted_keys:
            await instance.resize(spec)
            await instance.shrunk(within=SHRUNK_WITHIN)
        if change.way == changing.MOVE:
            try:
                moved = await self._move(instance, spec, await self._find_engine(spec.engine))
            except RedyardError:
                await instance.resize(old)
                raise
        events.emit(events.SCALED, name=instance.name, old=old.plan, new=plan, way=change.way)
        return moved

    async def _exchange(self, instance: Instance, engine: Engine, change: Change, *, named: bool) -> Result | None:
        spec = msgspec.structs.replace(instance.spec, engine=engine.path if named else None)
        if change.way != changing.STOP:
            return await self._move(instance, spec, engine, _HAND_OVER[change.way])
        await self._end(instance)
        instance.spec = spec
        self.registry.write_spec(spec)
        await self._start(instance)
        return None

    async def _move(self, instance: Instance, spec: Spec, engine: Engine, hand_over: HandOver = by_following) -> Result:
        encryption = doors.way(engine, spec) if spec.tls else spec.tls
        spec = msgspec.structs.replace(spec, generation=instance.spec.generation + 1, tls=encryption)
        pause, seconds, memory = await move(instance, spec, engine, instance.tell, hand_over)
        return {"name": instance.name, "pause_ms": round(pause * 1000, 1), "seconds": seconds, "memory": memory}

    async def _facts(self, instance: Instance) -> tuple[Reading, Machine]:
        """Return what decides a change of an instance, which must answer."""
        reading = await instance.admin.reading() if instance.phase is Phase.RUNNING else None
        if reading is None:
            raise NotRunning(name=instance.name, phase=instance.phase.value)
        free = shutil.disk_usage(self.home.path).free
        return reading, Machine(memory=free_memory(), disk=free)

    async def _fresh(self, instance: Instance) -> Change | None:
        """Return what a restart takes; None where nothing answers, so that only a stop and a start is left."""
        try:
            facts = await self._facts(instance)
        except NotRunning:
            return None
        return changing.replace(instance.spec, await self._find_engine(instance.spec.engine), *facts)


def _planned(chosen: Sequence[Instance], changes: Mapping[str, Change]) -> Result:
    """Return what `--dry-run` tells: what would change, and what would be refused."""
    pairs = [(changes[item.name], item.spec.role) for item in chosen]
    return {"changes": [change.to_json(changing.refusal(change, role)) for change, role in pairs]}
