"""The follower: keeps the stream of a server's writes, and takes a base whenever the stream alone does not suffice.

A cut is followed by the next byte where the server still has it; else, or after a failover that changed the history, a
new base is taken and the timeline has a gap, which is told.
"""

import asyncio
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import zstandard

from redyard import events
from redyard.backups.psync import Replica, Source
from redyard.backups.spool import HISTORY_DIGITS, LEVEL, Begun, Spool, keep_base, ship
from redyard.backups.storage import Storage
from redyard.backups.timeline import Base
from redyard.errors import FollowRefused, RedyardError

BEAT = 1.0
"""Seconds between acknowledgements to the server."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Bounds, in seconds, of the random pause after a connection that failed: doubled from the first to the longest."""

SHIP_AGAIN = 5.0
"""Seconds after which a storage that failed is tried again."""

LOOK = 0.5
"""Seconds between looks whether the growing part is to be sealed."""


class Follower:
    """Follows one server into one storage until it is cancelled; `spool` outlives it."""

    def __init__(
        self, source: Source, storage: Storage, directory: Path, *, name: str, engine: tuple[str, str]
    ) -> None:
        self.name = name
        self.source = source
        self.storage = storage
        self.spool = Spool(directory)
        self.engine, self.version = engine
        self.connected = False
        self.heard_at = 0.0
        self._sealed = asyncio.Event()

    async def run(self) -> None:
        """Follow, seal and ship until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_following())
            tasks.create_task(self._seal())
            tasks.create_task(self._ship())

    def flush(self) -> None:
        """Send what has come on its way to the storage now."""
        self.spool.seal()
        self._sealed.set()

    async def base(self) -> Base:
        """Take a base now, beside the stream that goes on."""
        replica = await Replica.open(self.source)
        try:
            return await self._take_base(replica)
        finally:
            await replica.close()

    # ---- the three tasks

    async def _keep_following(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._follow()
                pause = FIRST_PAUSE
            except (OSError, FollowRefused, TimeoutError, asyncio.IncompleteReadError) as error:
                if self.connected:
                    pause = FIRST_PAUSE
                self.connected = False
                events.emit(events.FOLLOW_LOST, name=self.name, reason=str(error) or type(error).__name__)
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _follow(self) -> None:
        replica = await Replica.open(self.source, self.spool.position)
        try:
            if replica.whole:
                position = replica.position
                await self._take_base(replica)
                self.spool.begin(position, engine=self.engine, version=self.version)
            self.spool.go_on(replica.position.history)
            replica.acknowledge(replica.position.offset)
            self.connected = True
            events.emit(events.FOLLOWING, name=self.name, offset=replica.position.offset, whole=replica.whole)
            beat = asyncio.create_task(self._beat(replica))
            try:
                async for part in replica.stream():
                    self.spool.write(part)
                    self.heard_at = time.time()
                    if self.spool.is_full():
                        self.flush()
            finally:
                beat.cancel()
        finally:
            self.connected = False
            await replica.close()

    async def _seal(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            if self.spool.is_full():
                self.flush()

    async def _ship(self) -> None:
        """Put what was sealed into the storage, one part after another; a storage that fails is tried again."""
        while True:
            self._sealed.clear()
            for part in await asyncio.to_thread(self.spool.sealed):
                try:
                    segment = await asyncio.to_thread(ship, part, self.storage)
                except RedyardError as error:
                    events.emit(events.SHIP_FAILED, name=self.name, reason=str(error))
                    await asyncio.sleep(SHIP_AGAIN)
                    break
                events.emit(events.SHIPPED, name=self.name, segment=segment.name)
            else:
                await self._sealed.wait()

    # ---- steps

    async def _beat(self, replica: Replica) -> None:
        while True:
            await asyncio.sleep(BEAT)
            if position := self.spool.position:
                replica.acknowledge(position.offset)

    async def _take_base(self, replica: Replica) -> Base:
        """Write a dump as it comes, compressed, and put it into the storage."""
        position, at = replica.position, time.time()
        path = self.spool.directory / f"base-{position.offset}.rdb.zst"
        size = 0
        try:
            with path.open("wb") as file, _compressing(file) as packed:
                async for part in replica.dump():
                    size += len(part)
                    await asyncio.to_thread(packed.write, part)
            base = Base(at, position.offset, position.history[:HISTORY_DIGITS])
            begun = Begun(position.history, position.history, position.offset, at, self.engine, self.version)
            await asyncio.to_thread(keep_base, base, begun, path, size, self.storage)
        finally:
            with suppress(OSError):
                path.unlink()
        events.emit(events.BASED, name=self.name, base=base.name, size=size)
        return base


def _compressing(file: Any) -> Any:
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).stream_writer(file, closefd=False)
