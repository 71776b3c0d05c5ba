"""The keeper of one server's backups: it follows, takes a base each day, removes what is old, and has it proved.

What is done by the clock happens at a quiet hour, each instance at a minute of its own: not all bases at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from zlib import crc32

import msgspec

from redyard import events
from redyard.backups.follow import LONGEST_PAUSE, Follower
from redyard.backups.proof import last_proof
from redyard.backups.psync import Source
from redyard.backups.retention import DAY, Policy, superfluous
from redyard.backups.storage import Storage
from redyard.backups.timeline import Base, Segment, Timeline
from redyard.errors import RedyardError
from redyard.reading import Reading
from redyard.units import format_instant

QUIET = 2 * 3600.0, 2 * 3600.0
"""Seconds after midnight (UTC) at which the quiet hours begin, and how long they are."""

LOOK = 60.0
"""Seconds between looks at the clock."""

PROVE_EVERY, PROVE_NOT_BEFORE = DAY, 600.0
"""Seconds between proofs, and after the start before the first: a short-lived yard need not prove anything."""

DRAINED_WITHIN = 60.0
"""Seconds that the storage may take for what waits when somebody asks for it."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper tells of its backups."""

    storage: str
    following: bool = False
    last_moment: float = 0.0
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    waiting: int = 0
    proved_at: float | None = None
    trouble: str

    def to_json(self) -> dict[str, object]:
        """Return the form that `redyard status` prints."""
        moments = {"last_moment": self.last_moment, "proved_at": self.proved_at}
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
    """

    def __init__(  # noqa: PLR0913
        self,
        source: Source,
        storage: Storage,
        spool: Path,
        *,
        name: str,
        prove: Callable[[], Awaitable[None]] | None = None,
        longest_pause: float = LONGEST_PAUSE,
        policy: Policy | None = None,
    ) -> None:
        self.name, self.storage = name, storage
        self.follower = Follower(source, storage, spool, name=name, longest_pause=longest_pause)
        self.proved_at: float | None = None
        self._prove, self._policy = prove, policy or Policy()
        self._started = time.monotonic()
        self._proof_tried = 0.0

    async def run(self) -> None:
        """Keep backups until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follower.run())
            tasks.create_task(self._keep_time())

    async def capture(self, *, base: bool = False) -> None:
        """Put everything that has come by now into the storage, and a new base if that is wanted."""
        if base:
            await self.follower.base()
        await self.follower.drain(DRAINED_WITHIN)

    def facts(self, reading: Reading | None) -> Facts:
        """Return what is to be told; `reading` says how far the server is."""
        follower = self.follower
        position, last = follower.spool.position, follower.spool.last_mark
        lag = max(0, reading.offset - position.offset) if reading and position and follower.connected else None
        now = time.time()
        return Facts(
            storage=self.storage.address,
            following=follower.connected,
            last_moment=now if lag == 0 else last,
            lag_bytes=lag,
            lag_seconds=None if lag is None else 0.0 if lag == 0 else round(max(0.0, now - last), 3),
            waiting=follower.spool.size() if follower.storage_trouble else 0,
            proved_at=self.proved_at,
            trouble=follower.storage_trouble or follower.trouble,
        )

    async def _keep_time(self) -> None:
        while True:
            try:
                await self._do_what_is_due()
            except (RedyardError, OSError, TimeoutError) as error:
                events.emit(events.BACKUP_FAILED, name=self.name, reason=str(error) or type(error).__name__)
            await asyncio.sleep(LOOK)

    async def _do_what_is_due(self) -> None:
        timeline = Timeline(await asyncio.to_thread(self.storage.names))
        if self.proved_at is None:
            self.proved_at = await asyncio.to_thread(last_proof, self.storage)
        newest = timeline.bases[-1].at if timeline.bases else None
        if self.follower.connected and newest is not None and newest < due(self.name, time.time()):
            await self.follower.base()
            await self.prune(timeline)
        if self._prove and self._proof_is_due():
            self._proof_tried = time.time()
            await self._prove()
            self.proved_at = await asyncio.to_thread(last_proof, self.storage)

    async def prune(self, timeline: Timeline) -> None:
        """Remove what the policy does not keep."""
        gone = superfluous(timeline, self._policy, time.time())
        await asyncio.to_thread(remove, self.storage, gone)
        if gone:
            events.emit(events.PRUNED, name=self.name, objects=len(gone))

    def _proof_is_due(self) -> bool:
        settled = time.monotonic() - self._started > PROVE_NOT_BEFORE and self.follower.connected
        return settled and time.time() - max(self.proved_at or 0.0, self._proof_tried) > PROVE_EVERY


def due(name: str, now: float) -> float:
    """Return the last moment that was an instance's own for a base: one in each day's quiet hours."""
    begin, length = QUIET
    minute = begin + crc32(name.encode()) % int(length)
    today = now // DAY * DAY + minute
    return today if today <= now else today - DAY


def remove(storage: Storage, gone: list[Base | Segment]) -> None:
    """Remove objects: first what says that they are there."""
    for item in gone:
        storage.delete(f"{item.name}.json")
        storage.delete(item.name)
