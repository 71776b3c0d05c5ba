"""The follower: keeps the stream of a server's writes, and takes a base whenever the stream alone does not suffice.

A cut is followed by the next byte where the server still has it; else, or after a failover that changed the history, a
new base is taken and the timeline has a gap, which is told.
"""

import asyncio
import random
import re
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

import zstandard

from redyard import events
from redyard.backups import logical
from redyard.backups.packing import Packed, packing
from redyard.backups.psync import PART, Position, Replica, Source
from redyard.backups.spool import Begun, Sealed, Spool, Taken
from redyard.backups.storage import Storage
from redyard.backups.tail import Tail
from redyard.backups.timeline import LOGICAL, Base
from redyard.errors import CannotFollow, DiskFull, FollowRefused, RedyardError, SpoolFull
from redyard.units import format_instant, format_size

BEAT, STILL_THERE = 0.05, 1.0
"""Seconds between acknowledgements of what came, and of nothing. A server that ends waits for the first kind."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Bounds, in seconds, of the random pause after a connection that failed: doubled from the first to the longest."""

SHIP_AGAIN = 5.0
"""Seconds after which a storage that failed is tried again."""

LOOK = 0.5
"""Seconds between looks whether the growing part is to be sealed."""

SPOOL_LIMIT = 8 * 1024**3
"""Bytes that may wait here while the storage fails; beyond, the stream is not read on until there is room again."""

_MAKER = re.compile(rb"(valkey|redis)-ver([\x01-\x1f])")


class Follower:
    """Follows one server into one storage until it is cancelled; `spool` outlives it.

    Args:
        source: the server.
        storage: where backups go.
        directory: of the spool, on a local disk.
        name: the instance's, for events.
        longest_pause: seconds between two tries at a server that is away.
        limit: bytes of the spool.
    """

    def __init__(
        self,
        source: Source,
        storage: Storage,
        directory: Path,
        *,
        name: str,
        longest_pause: float = LONGEST_PAUSE,
        limit: int = SPOOL_LIMIT,
    ) -> None:
        self.name = name
        self.source = source
        self.storage = storage
        self.spool = Spool(directory)
        self.tail: Tail | None = None  # of an engine whose files are here
        self.is_away: Callable[[], bool] = lambda: False
        """Says whether the server is away because that is wanted: then nobody is warned of it."""
        self.connected = False
        self.trouble = self.storage_trouble = ""
        self.refused = asyncio.Event()
        """Set where the server lets nobody follow it: `snapshot` is the other way."""
        self.gaps = 0
        """How often a new base was needed because the stream could not go on; `gap_at` is when, Unix time."""
        self.gap_at = 0.0
        self.stored_until = 0.0
        """The last moment that was put into the storage, Unix time."""
        self.shipping = 0
        """Bytes of what is being put into the storage now: a large base holds up what is behind it."""
        self._putting = Lock()
        self._told = False
        self._replica: Replica | None = None
        self._longest_pause, self._limit = longest_pause, limit
        self._sealed, self._drained = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Follow, seal and ship until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for step in (self._keep_following, self._seal, self._ship):
                tasks.create_task(step())

    def flush(self) -> None:
        """Send what has come on its way to the storage now."""
        self.spool.seal()
        self._wake()

    async def drain(self, within: float) -> None:
        """Put all that has come into the storage; raise TimeoutError where that takes too long."""
        self.flush()
        async with asyncio.timeout(within):
            await self._drained.wait()

    async def reach(self, offset: int, within: float) -> None:
        """Wait until everything up to an offset has come, or the server has refused to be followed."""

        def there() -> bool:
            position = self.spool.position
            return self.refused.is_set() or (position is not None and position.offset >= offset)

        async with asyncio.timeout(within):
            while not there():  # noqa: ASYNC110 - asked now and then: no part of the stream shall pay for it
                await asyncio.sleep(BEAT / 10)

    async def base(self) -> Base:
        """Take a base now, beside the stream that goes on."""
        replica = await Replica.open(self.source)
        try:
            taken = await self._take_base(replica)
        finally:
            await replica.close()
        return taken.item

    async def renew(self, source: Source) -> None:
        """Follow by another login from now on; the stream goes on where it was."""
        self.source = source
        if self._replica:
            await self._replica.close()

    async def snapshot(self) -> Taken:
        """Read all keys of a server that lets nobody follow it; raise CannotRead, FollowRefused or OSError."""
        began, name = time.time(), secrets.token_hex(20)

        async def read(packed: Packed) -> Taken:
            found = await logical.Reading.take(self.source, packed.write)
            begun = Begun(name, name, 0, time.time(), found.engine, found.version)
            place, keys, digests = str(packed.path), found.keys, found.digests
            return Taken(begun, packed.size, place, kind=LOGICAL, read_from=began, keys=keys, digests=digests)

        return await self._pack(self.spool.snapshot_path(name), read)

    # ---- the three tasks

    async def _keep_following(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await self._follow()
            except (OSError, RedyardError, TimeoutError, asyncio.IncompleteReadError, zstandard.ZstdError) as error:
                if isinstance(error, CannotFollow):
                    self.refused.set()
                self._lost(str(error) or type(error).__name__)
            if time.monotonic() - began > self._longest_pause:
                pause = FIRST_PAUSE
            await self._rest(random.uniform(0, pause))  # noqa: S311 - jitter
            pause = min(pause * 2, self._longest_pause)

    async def _rest(self, seconds: float) -> None:
        """Wait, and look meanwhile how far the engine's own log is."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.tail:
                self.tail.note()
            await asyncio.sleep(min(left, BEAT))

    async def _end_history(self) -> bool:
        """Add what the engine's own log has of the history that ends, written and never sent; say whether it told."""
        rest = list(await self.tail.read()) if self.tail else []
        self.spool.replay(rest)
        return bool(rest)

    def _lost(self, reason: str) -> None:
        """Tell of it once: not at the first try of a server that is just starting, and not at each one after."""
        if self.is_away():
            self.trouble, self._told = "", False
            return
        if (reason == self.trouble) is not self._told:
            self._told = True
            events.emit(events.FOLLOW_LOST, name=self.name, reason=reason)
        self.trouble = reason

    async def _follow(self) -> None:
        self._check_room()
        self._replica = replica = await Replica.open(self.source, self.spool.position)
        try:
            if replica.whole:
                if self.tail:
                    self.tail.note()
                begun = (await self._take_base(replica)).begun
                before = self.spool.last_mark
                whole = begun.history != self.spool.history and await self._end_history()
                if before and not whole:
                    self.gaps, self.gap_at = self.gaps + 1, time.time()
                    events.emit(
                        events.GAP, name=self.name, after=format_instant(before), before=format_instant(begun.at)
                    )
                self.spool.begin(replica.position, engine=begun.engine, version=begun.version)
            self.spool.go_on(replica.position.history)
            replica.acknowledge(replica.position.offset)
            self.connected, self.trouble, self._told = True, "", False
            self.refused.clear()
            events.emit(events.FOLLOWING, name=self.name, offset=replica.position.offset, whole=replica.whole)
            beat = asyncio.create_task(self._beat(replica))
            try:
                async for part in replica.stream():
                    self.spool.write(part)
                    if self.spool.is_full():
                        self.flush()
                        self._check_room()
            finally:
                beat.cancel()
                self.spool.mark()
                if self.tail:
                    self.tail.note()  # now: what a killed engine wrote was written before this
        finally:
            self.connected, self._replica = False, None
            await replica.close()

    def _check_room(self) -> None:
        if shutil.disk_usage(self.spool.directory).free < PART:
            raise DiskFull(path=str(self.spool.directory))
        if self.storage_trouble and (size := self.spool.size()) > self._limit:
            raise SpoolFull(path=str(self.spool.directory), size=format_size(size))

    async def _seal(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            with suppress(OSError, RedyardError):  # a full disk: the follower tells of it
                if self.spool.is_full():
                    self.flush()

    async def _ship(self) -> None:
        """Put what waits into the storage, one object after another; a storage that fails is tried again."""
        while True:
            self._sealed.clear()
            try:
                await self.ship_all()
            except (RedyardError, OSError) as error:
                if not self.storage_trouble:
                    events.emit(events.SHIP_FAILED, name=self.name, reason=str(error))
                self.storage_trouble = str(error)
                await asyncio.sleep(SHIP_AGAIN)
                continue
            self.storage_trouble = ""
            if not self._sealed.is_set():
                self._drained.set()
            await self._sealed.wait()

    async def ship_all(self) -> None:
        """Put what waits into the storage once; raise what hinders that."""
        for part in await asyncio.to_thread(self.spool.waiting):
            if await asyncio.to_thread(self._put, part):
                self._shipped(part)

    def _put(self, part: Sealed | Taken) -> bool:
        """Put a part into the storage; False where a thread that nobody awaits any more has done so meanwhile."""
        with self._putting:
            if not part.waits():
                return False
            self.shipping = Path(part.path).stat().st_size
            try:
                part.ship(self.storage)
            finally:
                self.shipping = 0
            return True

    def _shipped(self, part: Sealed | Taken) -> None:
        self.stored_until = max(self.stored_until, part.begun.at, *(when for _, when in part.marks[-1:]))
        if isinstance(part, Taken):
            events.emit(events.BASED, name=self.name, base=part.item.name, size=part.raw_size)
        else:
            events.emit(events.SHIPPED, name=self.name, segment=part.item.name)

    # ---- steps

    async def _beat(self, replica: Replica) -> None:
        told, at = -1, 0.0
        while True:
            await asyncio.sleep(BEAT)
            with suppress(OSError):  # a full disk: the next bytes that come tell of it
                self.spool.mark()
            position, now = self.spool.position, time.monotonic()
            if position and (position.offset != told or now - at >= STILL_THERE):
                replica.acknowledge(position.offset)
                told, at = position.offset, now
            if self.tail:
                await self.tail.look()

    async def _take_base(self, replica: Replica) -> Taken:
        """Write a dump as it comes."""
        position, at = replica.position, time.time()

        async def read(packed: Packed) -> Taken:
            head = b""
            async for part in replica.dump():
                head = head or part[:256]
                await packed.write(part)
            begun = Begun(self._history(position), position.history, position.offset, at, *maker(head))
            return Taken(begun, packed.size, str(packed.path))

        return await self._pack(self.spool.base_path(position.offset), read)

    async def _pack(self, path: Path, read: Callable[[Packed], Awaitable[Taken]]) -> Taken:
        """Let a base wait for the storage that is read into a compressed file; on any trouble nothing of it stays."""
        try:
            with packing(path) as packed:
                taken = await read(packed)
            self.spool.take(taken)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise
        self._wake()
        return taken

    def _wake(self) -> None:
        """Have what waits put into the storage."""
        self._drained.clear()
        self._sealed.set()

    def _history(self, position: Position) -> str:
        """Return a history's name as the stream that we follow bears it: a move or a failover gave it another."""
        ours = self.spool.position
        return self.spool.history if ours and ours.history == position.history else position.history


def maker(head: bytes) -> tuple[str, str]:
    """Return which engine of which version wrote a dump, from its first bytes."""
    if not (found := _MAKER.search(head)):
        raise FollowRefused(reason="what it sent is no dump")
    return found[1].decode(), head[found.end() :][: found[2][0]].decode(errors="replace")
