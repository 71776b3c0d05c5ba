"""The yard with its calls about backups: capture, restore, import. What keeps backups is in `backups.py`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from redis.exceptions import RedisError

from redyard import events
from redyard.backups.pace import Pace, figures
from redyard.backups.restore import assemble, choose
from redyard.backups.sample import take_sample
from redyard.backups.spool import HISTORY_DIGITS
from redyard.backups.timeline import Recipe
from redyard.errors import NoBackups, NotConfirmed, NotRunning, StorageBroken
from redyard.units import format_instant, format_size
from redyard.yard import credentials
from redyard.yard.addresses import LOOPBACK
from redyard.yard.importing import bring
from redyard.yard.move import SLOWEST_READ, by_other_data
from redyard.yard.phases import Phase
from redyard.yard.supervisor import Instance
from redyard.yard.view import view
from redyard.yard.watched import Watched
from redyard.yard.watching import WatchingYard
from redyard.yard.yard import READY_WITHIN, Result

One = TypeVar("One", bound=Watched)


class KeepingYard(WatchingYard):
    """A yard that also answers what is asked about backups; each public coroutine is a call of the API."""

    async def capture(self, name: str, base: bool = False) -> Result:
        """Put everything that stores have written by now into their backups, and a new base if that is wanted."""
        async with self._turn:
            kept = [item for item in self._select(name) if self.backups.find(item.name)]
            if not kept:
                self.backups.keeper(self._select(name)[0].name)  # says why
            for item in kept:
                await self._capture(item, base=base)
        return {"instances": await self._read(kept, view)}

    async def sample(self, name: str) -> Result:
        """Return what a store has at an offset of its stream, by which a restored state can be judged.

        The sample is None of an attached one that lets nobody follow it, or does not tell its user so much.
        """
        item = _store(name, self._select(name))
        keeper, sample = self.backups.keeper(item.name), None
        if isinstance(item, Instance):
            sample = await asyncio.to_thread(take_sample, item.seat.socket, item.passwords["yard"])
        elif not keeper.follower.refused.is_set():
            with suppress(RedisError):
                sample = await asyncio.to_thread(take_sample, item.login(""))
        await self._capture(item)
        if sample:
            sample = msgspec.structs.replace(sample, history=keeper.follower.spool.history[:HISTORY_DIGITS])
        return {"name": item.name, "address": self.backups.address(item.name), "sample": msgspec.to_builtins(sample)}

    async def restore(
        self, name: str, at: float | None = None, into: str | None = None, confirm: str = "", offset: str | None = None
    ) -> Result:
        """Make a moment of a store again: as a new add-on, or in the place of the store, which wants its name again.

        Args:
            at: Unix time; None for the newest.
            offset: HISTORY:OFFSET of the stream instead of a time.
        """
        began = time.monotonic()
        async with self._turn:
            source = _store(name, self._ours(name, "restore"))
            if not into and confirm != source.name:
                raise NotConfirmed(name=source.name)
            if (keeper := self.backups.find(source.name)) and keeper.follower.connected:
                await self._capture(source)
            storage = self.backups.storage(source.name)
            recipe = await asyncio.to_thread(choose, storage, at, offset)
            try:
                made, moved, size = await (
                    self._restore_into(source, into, recipe) if into else self._restore_over(source, recipe)
                )
            finally:
                source.tell("")
            reading = await made.admin.reading()
        keys = reading.keys if reading else {}
        moment = format_instant(recipe.at)
        events.emit(events.RESTORED, name=source.name, into=made.name, moment=moment, keys=sum(keys.values()))
        return {
            "moment": moment,
            "keys": keys,
            "moved": moved,
            "instances": await self._read([made], view),
            **figures(size, sum(keys.values()), time.monotonic() - began),
        }

    async def bring(self, name: str, url: str, plan: str) -> Result:
        """Make an add-on of one store that has what another Redis has; where that cannot be followed, nothing stays."""
        async with self._turn:
            [spec] = self._ground().addon(name, plan, "store", port=None, bind=LOOPBACK)
            await self._make([(spec, credentials.generate())])
            self.registry.begin([spec.name])  # not whole until the other's data are there
            made = self._ours(spec.name, "import")[0]
            try:
                brought = await bring(made, url)
            except BaseException:
                await self._destroy([spec.name])
                raise
            self.registry.finish()
        events.emit(events.ADDED, name=spec.name, role=spec.role, plan=plan, port=spec.port)
        return {"instances": await self._read([made], view), "seconds": brought.seconds, "pause": brought.pause}

    # ---- steps

    async def _capture(self, instance: Watched, *, base: bool = False) -> None:
        keeper = self.backups.keeper(instance.name)
        if (reading := await instance.admin.reading()) is None:
            raise NotRunning(name=instance.name, phase=instance.phase.value)
        try:
            await keeper.follower.reach(reading.offset, READY_WITHIN)
            await keeper.capture(base=base)
        except (TimeoutError, OSError) as error:
            trouble = keeper.follower.storage_trouble or keeper.follower.trouble or str(error) or "it takes too long"
            raise StorageBroken(
                storage=self.backups.address(instance.name), name="the last writes", reason=trouble
            ) from None

    async def _restore_into(self, source: Instance, into: str, recipe: Recipe) -> tuple[Instance, list[Result], int]:
        """Make an add-on of one store that begins with the files of a moment; on any trouble nothing of it stays."""
        [spec] = self._ground().addon(into, source.spec.plan, "store", port=None, bind=LOOPBACK)
        spec = msgspec.structs.replace(
            spec,
            engine=source.spec.engine,
            apps=source.spec.apps,
            tls=source.spec.tls,
            tls_clients=source.spec.tls_clients,
        )
        self.registry.begin([spec.name])
        try:
            self.registry.create(spec, credentials.generate(spec.apps))
            data = self.registry.seat(spec.name, spec.generation).data
            storage = self.backups.storage(source.name)
            size = await asyncio.to_thread(assemble, storage, recipe, data, _telling(source))
            source.tell(f"the new engine reads {format_size(size)}")
            self._supervise(spec)
            made = self._ours(spec.name, "restore")[0]
            await made.reach(Phase.RUNNING, within=READY_WITHIN + size / SLOWEST_READ)
        except BaseException:
            await self._destroy([spec.name])
            raise
        self.registry.finish()
        events.emit(events.ADDED, name=spec.name, role=spec.role, plan=spec.plan, port=spec.port)
        return made, [], size

    async def _restore_over(self, source: Instance, recipe: Recipe) -> tuple[Instance, list[Result], int]:
        """Put a moment into the place of what the store holds, which is captured up to its last write."""
        storage, sizes = self.backups.storage(source.name), list[int]()

        def fill(data: Path) -> int:
            sizes.append(assemble(storage, recipe, data, _telling(source)))
            return sizes[0]

        hand_over = by_other_data(fill, lambda: self._capture(source))
        moved = await self._move(source, source.spec, await self._find_engine(source.spec.engine), hand_over)
        return source, [moved], sizes[0]


def _store(name: str, chosen: Sequence[One]) -> One:
    """Return the store among the instances that a name means."""
    for item in chosen:
        if item.spec.role == "store":
            return item
    raise NoBackups(name=name, reason="it is a cache")


def _telling(instance: Instance) -> Callable[[int, int], None]:
    """Return what tells of an instance how far the writing of a moment's files is; it is called from threads."""
    pace = Pace()
    return lambda done, whole: instance.tell(f"writing the files of the moment: {pace.bytes(done, whole)}")
