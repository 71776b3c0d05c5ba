"""The keeper of one server's backups: it follows, takes a base each day, removes what is old, and has it proved.

What is done by the clock happens at a quiet hour, each instance at a minute of its own: not all bases at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from zlib import crc32

import msgspec

from redyard import events
from redyard.backups.compaction import drop, merge, plan
from redyard.backups.follow import LONGEST_PAUSE, Follower
from redyard.backups.proof import last_proof
from redyard.backups.psync import Source
from redyard.backups.restore import latest
from redyard.backups.retention import DAY, Policy, superfluous
from redyard.backups.spool import Taken
from redyard.backups.storage import Storage, discard
from redyard.backups.timeline import Base, Segment, Timeline
from redyard.errors import BadBackupKey, RedyardError
from redyard.units import format_instant, format_span

QUIET = 2 * 3600.0, 2 * 3600.0
"""Seconds after midnight (UTC) at which the quiet hours begin, and how long they are."""

LOOK = 60.0
"""Seconds between looks at the clock."""

PROVE_EVERY, PROVE_NOT_BEFORE = DAY, 600.0
"""Seconds between proofs, and after the start before the first: a short-lived yard need not prove anything."""

COMPACT_EVERY, COMPACT_NOT_BEFORE = 3600.0, 300.0
"""Seconds between looks for small parts of the stream that may become large ones, and before the first."""

SNAPSHOT_EVERY = 3600.0
"""Seconds between readings of all keys of a server that lets nobody follow it."""

DRAINED_WITHIN = 60.0
"""Seconds that the storage may take for what waits when somebody asks for it."""


GOAL = 60.0
"""Seconds that the last moment in the storage may be old: parts are sealed each 10 s, and take a while to get there."""


SLOWEST = 1024 * 1024
"""Bytes a second that a storage takes at least: so long may a base hold up the parts behind it."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper tells of its backups."""

    storage: str
    following: bool = False
    snapshots_every: float | None = None
    off_machine: bool = False
    last_moment: float = 0.0
    stored_until: float = 0.0
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    waiting: int = 0
    size: int = 0
    gaps: int = 0
    gap_at: float | None = None
    goal: float = GOAL
    since: float = 0.0
    proved_at: float | None = None
    trouble: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the form that `redyard status` prints."""
        moments = {
            name: getattr(self, name) for name in ("last_moment", "stored_until", "since", "gap_at", "proved_at")
        }
        return msgspec.structs.asdict(self) | {name: format_instant(at) if at else None for name, at in moments.items()}


class Keeper:
    """Keeps one server's backups until it is cancelled.

    Args:
        source: the server.
        storage: where backups go, of this instance alone.
        spool: the directory of what waits.
        name: the instance's.
        prove: proves the newest backups; None for never by the clock.
        longest_pause: seconds between two tries at a server that is away.
        every: seconds between readings of all keys where the server lets nobody follow it.
    """

    def __init__(  # noqa: PLR0913 - a keeper's options, by name
        self,
        source: Source,
        storage: Storage,
        spool: Path,
        *,
        name: str,
        prove: Callable[[], Awaitable[None]] | None = None,
        longest_pause: float = LONGEST_PAUSE,
        policy: Policy | None = None,
        every: float = SNAPSHOT_EVERY,
    ) -> None:
        self.name, self.storage = name, storage
        self.follower = Follower(source, storage, spool, name=name, longest_pause=longest_pause)
        self.proved_at: float | None = None
        self._prove, self._policy, self._every = prove, policy or Policy(), every
        self._started = time.monotonic()
        self._proof_tried = self._compacted = 0.0
        self._size, self._known = 0, Timeline(())
        self._unread = ""  # why the last reading of all keys failed
        self._since = time.time()
        self.off_machine = off_machine(storage.address, spool)
        """Whether the backups survive the disk that the server's data are on."""

    async def run(self) -> None:
        """Keep backups until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follower.run())
            tasks.create_task(self._keep_time())
            tasks.create_task(self._take_snapshots())

    async def capture(self, *, base: bool = False) -> None:
        """Put everything that has come by now into the storage, and a new base if that is wanted."""
        if self.follower.refused.is_set():
            await self.follower.snapshot()
        elif base:
            await self.follower.base()
        await self.follower.drain(DRAINED_WITHIN)

    def facts(self, offset: int | None) -> Facts:
        """Return what is to be told; `offset` is how far the server is, None where that is not known."""
        follower = self.follower
        position, last = follower.spool.position, follower.spool.last_mark
        known = offset is not None and position is not None and follower.connected
        lag = max(0, offset - position.offset) if known and offset is not None and position else None
        now = time.time()
        return Facts(
            storage=self.storage.address,
            following=follower.connected,
            snapshots_every=self._every if follower.refused.is_set() else None,
            off_machine=self.off_machine,
            goal=2 * self._every if follower.refused.is_set() else GOAL + follower.shipping / SLOWEST,
            since=self._since,
            last_moment=now if lag == 0 else last,
            stored_until=now if lag == 0 and not follower.spool.waits() else follower.stored_until,
            lag_bytes=lag,
            lag_seconds=None if lag is None else 0.0 if lag == 0 else round(max(0.0, now - last), 3),
            waiting=follower.spool.size(),
            size=self._size,
            gaps=follower.gaps,
            gap_at=follower.gap_at or None,
            proved_at=self.proved_at,
            trouble=follower.storage_trouble or (self._unread if follower.refused.is_set() else follower.trouble),
        )

    async def _keep_time(self) -> None:
        while True:
            try:
                await self._do_what_is_due()
            except (RedyardError, OSError, TimeoutError) as error:
                events.emit(events.BACKUP_FAILED, name=self.name, reason=str(error) or type(error).__name__)
            await asyncio.sleep(LOOK)

    async def _do_what_is_due(self) -> None:
        timeline = await self._survey()
        if self.proved_at is None:
            self.proved_at = await asyncio.to_thread(last_proof, self.storage)
        now = time.time()
        newest = _last((base.at for base in timeline.bases), now)
        if self.follower.connected and timeline.bases and newest < due(self.name, now):
            await self.follower.base()
            await self.prune(timeline)
        if time.monotonic() - max(self._compacted, self._started + COMPACT_NOT_BEFORE - COMPACT_EVERY) > COMPACT_EVERY:
            self._compacted = time.monotonic()
            await self.compact(timeline)
        if self._prove and self._proof_is_due():
            self._proof_tried = time.time()
            await self._prove()
            self.proved_at = await asyncio.to_thread(last_proof, self.storage)

    async def _survey(self) -> Timeline:
        """Look at what the storage has."""
        sizes = await asyncio.to_thread(self.storage.sizes)
        self._size, self._known = sum(sizes.values()), Timeline(sizes)
        if not self.follower.stored_until and self._known.bases:
            self.follower.stored_until = (await asyncio.to_thread(latest, self.storage)).at
        return self._known

    async def _take_snapshots(self) -> None:
        """Read all keys now and then, for as long as the server lets nobody follow it."""
        while True:
            await self.follower.refused.wait()
            try:
                await self._snapshot_if_due()
                self._unread = ""
            except (RedyardError, OSError, TimeoutError) as error:
                self._unread = str(error) or type(error).__name__
                events.emit(events.BACKUP_FAILED, name=self.name, reason=self._unread)
            await asyncio.sleep(min(LOOK, self._every / 2))

    async def _snapshot_if_due(self) -> None:
        waiting = [part.begun.at for part in self.follower.spool.waiting() if isinstance(part, Taken)]
        timeline = await self._survey()
        now = time.time()
        if now - _last([*waiting, *(base.at for base in timeline.bases)], now) < self._every:
            return
        reason = self.follower.trouble
        events.emit(events.READ_INSTEAD, name=self.name, every=format_span(self._every), reason=reason)
        taken = await self.follower.snapshot()
        events.emit(events.SNAPSHOT, name=self.name, keys=taken.keys, size=taken.raw_size)
        await self.prune(timeline)

    async def compact(self, timeline: Timeline) -> None:
        """Make few large parts of the stream of many small ones, where they can be read here."""
        todo = plan(timeline, time.time())
        try:
            for segment, cover in todo.drop:
                await asyncio.to_thread(drop, self.storage, segment, cover)
            for parts in todo.merge:
                await asyncio.to_thread(merge, self.storage, parts, self.follower.spool.directory)
        except BadBackupKey:
            return  # encrypted, and who keeps them need not be able to read them
        if todo.merge:
            parts_merged = sum(map(len, todo.merge))
            events.emit(events.MERGED, name=self.name, parts=parts_merged, made=len(todo.merge))

    async def prune(self, timeline: Timeline) -> None:
        """Remove what the policy does not keep."""
        gone = superfluous(timeline, self._policy, time.time())
        await asyncio.to_thread(remove, self.storage, gone)
        if gone:
            events.emit(events.PRUNED, name=self.name, objects=len(gone))

    def _proof_is_due(self) -> bool:
        settled = time.monotonic() - self._started > PROVE_NOT_BEFORE and self.follower.connected
        return settled and time.time() - max(self.proved_at or 0.0, self._proof_tried) > PROVE_EVERY


def off_machine(address: str, directory: Path) -> bool:
    """Say whether what is at a storage's address survives the disk that a directory is on."""
    if "://" in address:
        return True
    there = next(path for path in [Path(address), *Path(address).parents] if path.exists())
    return there.stat().st_dev != directory.stat().st_dev


def _last(moments: Iterable[float], now: float) -> float:
    """Return the last moment that is not to come: a clock that was set back left others."""
    return max((at for at in moments if at <= now), default=0.0)


def due(name: str, now: float) -> float:
    """Return the last moment that was an instance's own for a base: one in each day's quiet hours."""
    begin, length = QUIET
    minute = begin + crc32(name.encode()) % int(length)
    today = now // DAY * DAY + minute
    return today if today <= now else today - DAY


def remove(storage: Storage, gone: list[Base | Segment]) -> None:
    """Remove objects."""
    for item in gone:
        discard(storage, item.name)
