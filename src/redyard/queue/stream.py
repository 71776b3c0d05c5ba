"""A queue's events, as BullMQ writes them: one blocked read of the stream for all in this process who listen.

The reader runs while anybody listens, comes back after an outage, and says so (`MISSED`) when events may have passed
unheard, so that whoever waits for one looks for himself.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from redyard.client import Redis, raw
from redyard.client.coding import decode

LOGGER = logging.getLogger("redyard")

BLOCK = 5000
"""Milliseconds for which one read waits for events."""

BATCH = 1000
"""Events of one read. A full one means that we are behind."""

PAUSE = 0.25
"""Seconds between attempts while Redis is away."""

MISSED = "missed"
"""Our own event: others may have happened unheard, for the stream was trimmed or Redis was away."""

AWAY = (RedisError, OSError)

START, END = "0-0", "+"


class JobEvent(NamedTuple):
    """Something that happened in a queue.

    `name` is BullMQ's: added, waiting, active, progress, completed, failed, delayed, stalled, removed, paused ...; or
    `missed`. `fields` are what it tells besides; `at` is a Unix time in seconds; `id` is its place in the stream.
    """

    name: str
    job_id: str
    fields: dict[str, str]
    id: str

    @property
    def at(self) -> float:
        """Return when it happened, by the server's clock."""
        return int(self.id.partition("-")[0]) / 1000

    @property
    def value(self) -> Any:
        """Return what it carries: a completed job's result, a job's progress, a failed one's reason, else None."""
        for name in ("returnvalue", "data"):
            if name in self.fields:
                return decode(self.fields[name].encode() or b"null")
        return self.fields.get("failedReason")


Hear = Callable[[JobEvent], None]


class Stream:
    """The events of one queue, told to those who listen: to all of them, or to those of one job."""

    def __init__(self, redis: Redis, key: str) -> None:
        self.redis = redis
        self.key = key
        self._all: list[Hear] = []
        self._of_job: dict[bytes, list[Hear]] = {}
        self._starting: asyncio.Future[None] | None = None
        self._reader: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, hear: Hear, job_id: str = "") -> Iterator[None]:
        """Call `hear` at each event, or at those of one job, until the block is left; `start` tells when it begins."""
        key = job_id.encode()
        listeners = self._of_job.setdefault(key, []) if job_id else self._all
        listeners.append(hear)
        try:
            yield
        finally:
            listeners.remove(hear)
            if job_id and not listeners and self._of_job.get(key) is listeners:
                del self._of_job[key]

    async def start(self) -> None:
        """Return when everything that happens from now on will be heard."""
        if self._reader is not None and not self._reader.done():
            return
        if self._starting is None or self._starting.done():
            self._starting = asyncio.ensure_future(self._begin())
        await asyncio.shield(self._starting)

    async def page(self, after: str) -> list[JobEvent]:
        """Return events that are kept, from after a place in the stream; none when there are no more."""
        entries = await raw(self.redis, "XRANGE", self.key, f"({after}", END, "COUNT", BATCH)
        return [_event(*entry) for entry in entries]

    async def backwards(self, before: str = END) -> list[JobEvent]:
        """Return events that are kept, the newest first, from before a place in the stream."""
        first = before if before == END else f"({before}"
        entries = await raw(self.redis, "XREVRANGE", self.key, first, "-", "COUNT", BATCH)
        return [_event(*entry) for entry in entries]

    @property
    def _heard(self) -> bool:
        return bool(self._all or self._of_job)

    async def _begin(self) -> None:
        last = await self._newest()
        self._reader = asyncio.create_task(self._read(last))

    async def _newest(self) -> str:
        entries = await raw(self.redis, "XREVRANGE", self.key, "+", "-", "COUNT", 1)
        return str(entries[0][0].decode()) if entries else START

    async def _read(self, last: str) -> None:
        """Read until nobody listens; the last read runs out by itself, for the next who listens to find it running."""
        away = False
        while self._heard:
            try:
                if away:
                    last = min(last, await self._newest(), key=place)  # another server may know less than the old one
                    self._tell_all_that_some_were_missed(last)
                    away = False
                entries = await self._next(last)
                if len(entries) == BATCH and await self._is_trimmed(last):
                    self._tell_all_that_some_were_missed(last)
            except AWAY:
                away = True
                await asyncio.sleep(PAUSE)
                continue
            for number, flat in entries:
                self._pass_on(number, flat)
            if entries:
                last = entries[-1][0].decode()
            else:
                self._let_look(last)

    async def _next(self, last: str) -> list[tuple[bytes, list[bytes]]]:
        words = ("COUNT", BATCH, "BLOCK", BLOCK, "STREAMS", self.key, last)
        reply = await raw(self.redis, "XREAD", *words)
        streams = reply.values() if isinstance(reply, dict) else [entries for _, entries in reply or ()]
        return [entry for entries in streams for entry in entries]

    async def _is_trimmed(self, last: str) -> bool:
        oldest = await raw(self.redis, "XRANGE", self.key, "-", "+", "COUNT", 1)
        return not oldest or place(oldest[0][0].decode()) > place(last)

    def _pass_on(self, number: bytes, flat: list[bytes]) -> None:
        """Make an event of an entry only where somebody wants it: a busy queue has tens of thousands a second."""
        mine = self._of_job.get(flat[3], ()) if len(flat) > 3 and flat[2] == b"jobId" else ()
        if self._all or mine:
            _tell([*self._all, *mine], _event(number, flat))

    def _tell_all_that_some_were_missed(self, last: str) -> None:
        _tell(list(self._all), JobEvent(MISSED, "", {}, last))
        self._let_look(last)

    def _let_look(self, last: str) -> None:
        """Let those who wait for one job look for themselves: after a silence too, for not every end is told."""
        for job_id, listeners in list(self._of_job.items()):
            _tell(list(listeners), JobEvent(MISSED, job_id.decode(), {}, last))


def place(number: str) -> tuple[int, int]:
    """Return a place in a stream, to be compared."""
    milliseconds, _, count = number.partition("-")
    return int(milliseconds), int(count or 0)


def _event(number: bytes, flat: list[bytes]) -> JobEvent:
    words = [word.decode(errors="replace") for word in flat]
    fields = dict(zip(words[::2], words[1::2], strict=True))
    return JobEvent(fields.pop("event", ""), fields.pop("jobId", ""), fields, number.decode())


def _tell(listeners: list[Hear], event: JobEvent) -> None:
    for hear in listeners:
        try:
            hear(event)
        except Exception:
            LOGGER.exception("a listener failed at the event %s", event.name)
