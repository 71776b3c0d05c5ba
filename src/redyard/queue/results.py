"""Waiting for jobs' ends: one reader of the queue's events for all who wait in this process."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from redyard.client import raw
from redyard.client.coding import decode
from redyard.errors import JobFailed, ResultLate, UnknownJob

if TYPE_CHECKING:
    from redyard.queue.job import Job
    from redyard.queue.moves import Moves

BLOCK = 5000
"""Milliseconds for which one read waits for events."""

PAUSE = 0.5
"""Seconds between attempts while Redis is away."""

ENDS = {b"completed", b"failed"}

Ending = dict[bytes, bytes]


class Results:
    """Hears of the ends of jobs while anybody waits for one."""

    def __init__(self, moves: "Moves", queue: str) -> None:
        self._moves = moves
        self._queue = queue
        self._waiting: dict[str, set[asyncio.Future[Ending]]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def wait(self, job: "Job", seconds: float) -> Any:
        """Return the job's result, or raise JobFailed, ResultLate or UnknownJob."""
        future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job.id, set()).add(future)
        try:
            async with asyncio.timeout(seconds):
                ending = await self._ending(job, future)
        except TimeoutError:
            raise ResultLate(id=job.id, name=job.name, seconds=seconds) from None
        finally:
            self._leave(job.id, future)
        if b"returnvalue" not in ending:
            raise JobFailed(id=job.id, name=job.name, reason=ending[b"failedReason"].decode())
        return decode(ending[b"returnvalue"])

    async def _ending(self, job: "Job", future: asyncio.Future[Ending]) -> Ending:
        await self._listen()
        fields = await self._moves.read(job.id)
        while not future.done():
            if "finishedOn" in fields:
                return {name.encode(): fields[name] for name in ("returnvalue", "failedReason") if name in fields}
            if not fields:
                return await self._look_back(job)
            await asyncio.wait([future], timeout=BLOCK / 1000)
            with suppress(RedisError, OSError):  # an event may have been trimmed or missed in an outage: look again
                fields = fields if future.done() else await self._moves.read(job.id)
        return future.result()

    async def _look_back(self, job: "Job") -> Ending:
        start = round((job.added_at or 0) * 1000)
        for _, fields in await raw(self._moves.redis, "XRANGE", self._moves.events, start, "+"):
            ending = _fields(fields)
            if ending.get(b"jobId") == job.id.encode() and ending[b"event"] in ENDS:
                return ending
        raise UnknownJob(queue=self._queue, id=job.id)

    async def _listen(self) -> None:
        newest = await raw(self._moves.redis, "XREVRANGE", self._moves.events, "+", "-", "COUNT", 1)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(newest[0][0] if newest else b"0-0"))

    async def _read(self, last: bytes) -> None:
        while self._reader is asyncio.current_task():
            try:
                reply = await raw(self._moves.redis, "XREAD", "BLOCK", BLOCK, "STREAMS", self._moves.events, last)
            except (RedisError, OSError):
                await asyncio.sleep(PAUSE)
                continue
            streams = reply.values() if isinstance(reply, dict) else [entries for _, entries in reply or ()]
            for number, fields in (entry for entries in streams for entry in entries):
                last = number
                self._hear(_fields(fields))

    def _hear(self, event: Ending) -> None:
        if event[b"event"] in ENDS:
            for future in self._waiting.get(event[b"jobId"].decode(), ()):
                if not future.done():
                    future.set_result(event)

    def _leave(self, job_id: str, future: asyncio.Future[Ending]) -> None:
        self._waiting[job_id].discard(future)
        if not self._waiting[job_id]:
            del self._waiting[job_id]
        if not self._waiting and self._reader is not None:
            self._reader.cancel()
            self._reader = None


def _fields(flat: list[bytes]) -> Ending:
    return dict(zip(flat[::2], flat[1::2], strict=True))
