"""Waiting for jobs: their results, their progress, and all events of a queue, by the stream and without polling."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from redyard.client.coding import decode
from redyard.errors import JobFailed, ResultLate, UnknownJob
from redyard.queue.stream import AWAY, MISSED, JobEvent, Stream, place

if TYPE_CHECKING:
    from redyard.queue.job import Job
    from redyard.queue.moves import Moves

ENDS = ("completed", "failed")

TOLD = (b"returnvalue", b"failedReason")

LOOK = ("removed", MISSED)
"""Events after which a job may be gone, or have ended unheard."""

BACKLOG = 10_000
"""Events that are kept for one who is slow to take them; beyond, the oldest go and he hears that he missed some."""


class Results:
    """What can be waited for in one queue."""

    def __init__(self, moves: "Moves", queue: str) -> None:
        self._moves = moves
        self._queue = queue
        self._stream = Stream(moves.redis, moves.events)

    async def wait(self, job: "Job", seconds: float | None) -> Any:
        """Return the job's result, or raise JobFailed, ResultLate or UnknownJob."""
        try:
            async with asyncio.timeout(seconds):
                ending = await self._ending(job)
        except TimeoutError:
            raise ResultLate(id=job.id, name=job.name, seconds=seconds) from None
        if ending.name == "failed":
            raise JobFailed(id=job.id, name=job.name, reason=ending.value or "")
        return ending.value

    async def progress(self, job: "Job") -> AsyncGenerator[Any, None]:
        """Yield the job's progress as it is told, until the job has ended."""
        inbox, last = _Inbox(), None
        with self._stream.listening(inbox.put, job.id):
            await self._stream.start()
            event = JobEvent(MISSED, job.id, {}, "0")
            while event.name not in ENDS:
                if event.name == "progress":
                    last = event.value
                    yield last
                elif event.name in LOOK:
                    fields = await self._moves.read(job.id)
                    now = decode(fields.get(b"progress") or b"0")
                    if now not in (last, 0):  # 0 is what BullMQ writes before the first
                        last = now
                        yield now
                    if not fields or b"finishedOn" in fields:
                        return
                event = await inbox.get()

    async def events(self, since: str | None) -> AsyncGenerator[JobEvent, None]:
        """Yield all events from now on, or first those that are kept from after a place in the stream."""
        inbox = _Inbox()
        with self._stream.listening(inbox.put):
            await self._stream.start()
            while since is not None and (page := await self._stream.page(since)):
                for event in page:
                    yield event
                since = page[-1].id
            while True:
                event = await inbox.get()
                if since is None or event.name == MISSED or place(event.id) > place(since):
                    yield event

    async def backwards(self, before: str) -> list[JobEvent]:
        """Return a page of the events that are kept, the newest first."""
        return await self._stream.backwards(before)

    async def _ending(self, job: "Job") -> JobEvent:
        inbox = _Inbox()
        with self._stream.listening(inbox.put, job.id):
            await self._stream.start()
            fields = await self._moves.read(job.id)
            while True:
                if b"finishedOn" in fields:
                    return _ended(job.id, fields)
                if not fields:
                    return await self._look_back(job)
                event = await inbox.get()
                if event.name in ENDS:
                    return event
                if event.name in LOOK:
                    try:
                        fields = await self._moves.read(job.id)
                    except AWAY:
                        continue  # when Redis is back, we hear that something was missed

    async def _look_back(self, job: "Job") -> JobEvent:
        """Find the end of a job that is gone among the events that are kept."""
        before = "+"
        while page := await self._stream.backwards(before):
            for event in page:
                if event.job_id == job.id and event.name in (*ENDS, "added"):
                    if event.name == "added":
                        raise UnknownJob(queue=self._queue, id=job.id)
                    return event
            before = page[-1].id
        raise UnknownJob(queue=self._queue, id=job.id)


class _Inbox:
    """Events for one listener; it never holds more than BACKLOG."""

    def __init__(self) -> None:
        self._events: deque[JobEvent] = deque()
        self._filled = asyncio.Event()

    def put(self, event: JobEvent) -> None:
        if len(self._events) >= BACKLOG:
            self._events.clear()
            event = JobEvent(MISSED, event.job_id, {}, event.id)
        self._events.append(event)
        self._filled.set()

    async def get(self) -> JobEvent:
        while not self._events:
            self._filled.clear()
            await self._filled.wait()
        return self._events.popleft()


def _ended(job_id: str, fields: Mapping[bytes, bytes]) -> JobEvent:
    failed = b"failedReason" in fields and b"returnvalue" not in fields
    told = {name.decode(): fields[name].decode(errors="replace") for name in TOLD if name in fields}
    return JobEvent("failed" if failed else "completed", job_id, told, "0")
