"""The backups of a yard's stores: a keeper for each, in the yard's own process (docs/decisions/0019-backups.md)."""

import asyncio
import os
import shutil
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from redyard import events
from redyard.backups.follow import LONGEST_PAUSE as PAUSE_ELSEWHERE
from redyard.backups.keep import Facts, Keeper
from redyard.backups.place import open_storage
from redyard.backups.psync import Source
from redyard.backups.storage import Storage
from redyard.backups.tail import Tail
from redyard.backups.timeline import stamp
from redyard.client.url import redact
from redyard.engine import access
from redyard.errors import NoBackups, RedyardError
from redyard.metrics import Sample
from redyard.reading import Reading
from redyard.settings import Settings
from redyard.units import parse_span
from redyard.yard.addresses import EVERYWHERE, names, reachable
from redyard.yard.backup_figures import figures
from redyard.yard.home import Home
from redyard.yard.phases import Phase
from redyard.yard.supervisor import Instance
from redyard.yard.watched import Watched

OFF = "off"
"""The setting that says: no backups."""

LONGEST_PAUSE = 0.5
"""Seconds between two tries to follow an engine that is away: it is on this machine, and will be back at once."""

LAST_WORDS = 2.0
"""Seconds that the storage may take at the yard's end; what it has not got then waits for the next yard."""


class Backups:
    """The keepers of a yard, by instance."""

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home, self._settings = home, settings
        self._troubles: dict[str, str] = {}
        self._kept: dict[str, tuple[Keeper, asyncio.Task[None]]] = {}

    def address(self, name: str) -> str:
        """Return where an instance's backups are; its own directory in the yard where nothing else was named."""
        if not self._settings.backups:
            return str(self._own(name))
        return f"{self._settings.backups.rstrip('/')}/{name}"

    def storage(self, name: str) -> Storage:
        """Open the storage of an instance."""
        return open_storage(self.address(name), self._settings)

    def watch(self, instance: Watched) -> None:
        """Keep backups of a store from now on. What hinders that is told, and does not hinder the store."""
        if instance.spec.role != "store" or self._settings.backups == OFF:
            return
        name, attached = instance.name, instance.spec.attached
        try:
            keeper = Keeper(
                _source(instance),
                self.storage(name),
                self._spool(name),
                name=name,
                prove=partial(self._prove, name),
                longest_pause=PAUSE_ELSEWHERE if attached else LONGEST_PAUSE,
                every=parse_span(self._settings.backups_every),
            )
        except (RedyardError, OSError) as error:
            events.emit(events.BACKUP_FAILED, name=name, reason=str(error))
            self._troubles[name] = str(error)
            return
        if isinstance(instance, Instance):
            keeper.follower.tail = Tail(lambda: instance.seat.data, partial(_facts, instance), keeper.follower.spool)
            keeper.follower.is_away = partial(_is_away, instance)
        elif instance.spec.bind not in {"", *names(EVERYWHERE)}:  # a socket, or one of this machine's own addresses
            keeper.off_machine = True
        self._kept[name] = keeper, asyncio.create_task(self._run(keeper))

    async def renew(self, instance: Instance) -> None:
        """Follow an instance by its new password."""
        if keeper := self.find(instance.name):
            await keeper.follower.renew(_source(instance))

    async def drop(self, name: str) -> None:
        """End the backups of an instance that is removed; those in the yard's own directory go with it."""
        await self._end(name)
        shutil.rmtree(self._spool(name), ignore_errors=True)
        shutil.rmtree(self._own(name), ignore_errors=True)

    async def let_go(self, name: str) -> list[str]:
        """End the backups of an instance that is detached, and return where they stay.

        Those in the yard's own directory get a name that nobody else will have: they must not go with the next one.
        """
        keeper, whole = self.find(name), False
        with suppress(TimeoutError, OSError):
            if keeper:
                await keeper.follower.drain(LAST_WORDS)
                whole = True
        await self._end(name)
        if whole:  # else what waits is put there by whoever has the name next
            shutil.rmtree(self._spool(name))
        if self._own(name).exists():
            kept = self._own(f"{name}.until-{stamp(time.time())}")
            self._own(name).rename(kept)
            return [str(kept)]
        return [self.address(name)] if keeper and self._settings.backups else []

    async def close(self) -> None:
        """Put what has come into the storages, for a moment, and end."""
        keepers = [keeper for keeper, _ in self._kept.values()]
        await asyncio.gather(*(item.follower.drain(LAST_WORDS) for item in keepers), return_exceptions=True)
        await asyncio.gather(*(self._end(name) for name in list(self._kept)))

    def keeper(self, name: str) -> Keeper:
        """Return an instance's keeper, or raise NoBackups."""
        if name not in self._kept:
            off = "they are off" if self._settings.backups == OFF else "it is a cache"
            raise NoBackups(name=name, reason=self._troubles.get(name, off))
        return self._kept[name][0]

    def find(self, name: str) -> Keeper | None:
        """Return an instance's keeper, if it has one."""
        return self._kept[name][0] if name in self._kept else None

    def tell(self, instance: Watched, reading: Reading | None) -> dict[str, object]:
        """Return what commands show of an instance's backups."""
        keeper = self.find(instance.name)
        if keeper is None and (trouble := self._troubles.get(instance.name)):
            return {"backups": Facts(storage=redact(self.address(instance.name)), trouble=trouble).to_json()}
        return {"backups": keeper.facts(reading.offset if reading else None).to_json() if keeper else None}

    def samples(self, name: str, offset: int | None) -> list[Sample]:
        """Return the figures of an instance's backups.

        Args:
            offset: how far the server is in its stream; None where that is not known.
        """
        keeper = self.find(name)
        return list(figures(keeper.facts(offset), time.time())) if keeper else []

    async def _prove(self, name: str) -> None:
        """Have the newest backups proved by the command that a person would type: in a process of its own."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "redyard", "backups", "verify", name, "--json"),
            env=os.environ | {"REDYARD_HOME": str(self._home.path)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await child.communicate()
        except BaseException:
            child.kill()
            await child.wait()
            raise
        if child.returncode:
            events.emit(events.NOT_PROVED, name=name, reason=said.decode(errors="replace").strip())
        else:
            events.emit(events.PROVED, name=name)

    async def _run(self, keeper: Keeper) -> None:
        try:
            await keeper.run()
        except Exception:  # noqa: BLE001 - a fault of ours must not end the supervision; it is told
            events.LOGGER.exception("the backups of %s ended by a fault", keeper.name)
            keeper.follower.trouble = "they ended by a fault: see the yard's log"

    async def _end(self, name: str) -> None:
        self._troubles.pop(name, None)
        if name in self._kept:
            keeper, task = self._kept.pop(name)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            keeper.follower.spool.close()

    def _own(self, name: str) -> Path:
        return self._home.path / "backups" / name

    def _spool(self, name: str) -> Path:
        return self._home.path / "spool" / name


def _is_away(instance: Instance) -> bool:
    """Say whether an engine does not answer because it was stopped, or has not come up since it was to start."""
    starts = instance.phase in {Phase.STOPPED, Phase.STARTING, Phase.LOADING} and not instance.status.crashes
    return starts or instance.goal == "stopped"


def _source(instance: Watched) -> Source:
    if not isinstance(instance, Instance):
        return Source.of(instance.login(""))
    user = access.REPLICATION.name
    return Source(
        reachable(instance.spec.bind),
        instance.spec.port,
        user,
        instance.passwords[user],
        path=(lambda: instance.seat.socket) if instance.spec.tls else None,
    )


async def _facts(instance: Instance) -> dict[str, Any]:
    """Ask an instance's engine, whichever that is by now, how far its stream and its log are."""
    found: dict[str, Any] = await instance.admin.redis.info("replication", "persistence")
    return found
