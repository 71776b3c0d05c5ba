"""What a caller gets: each state of a record asks for something else. Fresh, old, too old, not there, not readable."""

import asyncio
import math
import random
import time
from functools import partial
from typing import Any

from redyard.cache.coding import UNREADABLE, Coder
from redyard.cache.flights import Flights
from redyard.cache.loads import Job, Loads, NotNow, Want
from redyard.cache.record import Record
from redyard.cache.stats import Stats
from redyard.errors import LoadTimedOut

NOTHING = object()
"""No value: None is one."""


class Answers:
    """Answers callers from what was found, or from a load that all callers of this process share."""

    def __init__(self, flights: Flights, loads: Loads, stats: Stats) -> None:
        self._flights = flights
        self._loads = loads
        self._stats = stats

    async def obtain(self, job: Job, record: Record | None) -> Any:
        """Return the value that was found, or load it."""
        terms, now = job.terms, time.time()
        old = self.decode(job.key, record, job.coder)
        seen = record.fresh if record is not None else 0.0
        if old is not NOTHING and record is not None:
            if now < seen:
                if terms.early and record.held < now and _is_due(record, now):
                    self._fly(job, seen, Want.NOTHING)
                self._stats.hit(job.key)
                return old
            if now < seen + terms.stale_for:
                if record.held >= now and not terms.soft_timeout:  # somebody loads it, or failed to a moment ago
                    self._stats.gave_old(job.key)
                    return old
                return await self._soft(job, seen, old)
            if now >= seen + terms.stale_if_error:
                old = NOTHING
        self._stats.missed(job.key)
        try:
            return await self._land(job, seen, Want.VALUE if old is NOTHING else Want.NEWS)
        except Exception:
            if old is NOTHING:
                raise
            self._stats.gave_old(job.key)
            return old

    def decode(self, key: str, record: Record | None, coder: Coder) -> Any:
        """Return the value of a record, or NOTHING where it has none that can be read."""
        if record is None or record.empty:
            return NOTHING
        try:
            return coder.read(record.value, record.flags)
        except UNREADABLE as error:
            self._stats.not_read(key, error)
            return NOTHING

    async def _soft(self, job: Job, seen: float, old: Any) -> Any:
        """Load anew, and give the old value to who would wait longer than the soft time-out, or meets an error."""
        patience = job.terms.soft_timeout
        task = self._fly(job, seen, Want.NEWS if patience else Want.NOTHING)
        new = NOTHING
        if patience and (await asyncio.wait({task}, timeout=patience))[0] and not _failed(task):
            new = self.decode(job.key, task.result(), job.coder)
        if new is NOTHING:
            self._stats.gave_old(job.key)
            return old
        self._stats.missed(job.key)
        return new

    async def _land(self, job: Job, seen: float, want: Want) -> Any:
        """Wait for a load, as long as it may take; a caller who is cancelled does not cancel it."""
        limit = job.terms.hard_timeout
        while True:
            task = self._fly(job, seen, want)
            done, _ = await asyncio.wait({task}, timeout=limit)
            if not done:
                raise LoadTimedOut(key=job.key, seconds=limit)
            try:
                record = task.result()
            except NotNow:
                if want is Want.NEWS:
                    raise
                continue  # it was begun by one who has an old value: begin another
            value = self.decode(job.key, record, job.coder)
            if value is not NOTHING:
                return value
            seen = record.fresh  # another process wrote something else: load it here

    def _fly(self, job: Job, seen: float, want: Want) -> "asyncio.Task[Record]":
        return self._flights.join(job.key, job.tags, partial(self._loads.fly, job, seen, want))


def _is_due(record: Record, now: float) -> bool:
    """Say whether this caller loads a fresh value anew: the likelier, the nearer its end and the dearer its load.

    (XFetch: "Optimal Probabilistic Cache Stampede Prevention", Vattani, Chierichetti, Lowenstein, 2015.)
    """
    return now - record.seconds * math.log(random.random() or 1e-300) >= record.fresh  # noqa: S311 - no secret


def _failed(task: "asyncio.Task[Record]") -> bool:
    return task.cancelled() or task.exception() is not None
