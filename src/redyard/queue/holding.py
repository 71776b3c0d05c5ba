"""What a worker has in its hands: its slots, the jobs in them, and the care that these need while they run.

Every quarter of a lock's life the locks are renewed in one call, then the jobs of vanished workers are put back; twice
a second the worker asks whether one of its jobs was cancelled.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from redyard import events
from redyard.errors import DeadlinePassed, JobCancelled
from redyard.queue.job import Job
from redyard.queue.moves import Moves
from redyard.queue.rules import Rules

LOOK_EVERY = 0.5
"""Seconds after which a running job hears at the latest that it was cancelled."""

RENEWALS = 4
"""Renewals in a lock's life: one or two may fail in an outage."""


class Slot(NamedTuple):
    """A place for a job: its token, and what stands before and behind a job's own part of what BullMQ is told."""

    token: str
    head: bytes
    end: bytes


class Held:
    """A job in a worker's hands; `error` is why its handler was cancelled, `lost` that another has it now."""

    __slots__ = ("back", "error", "job", "lost", "rules", "running", "slot", "task")

    task: "asyncio.Task[None]"

    def __init__(self, job: Job, rules: Rules, slot: Slot) -> None:
        self.job = job
        self.rules = rules
        self.slot = slot
        self.running = False
        self.error: Exception | None = None
        self.lost = False
        self.back = False

    def cancel(self, error: Exception | None) -> None:
        """Cancel the handler if it runs."""
        if self.running:
            self.error = self.error or error
            self.task.cancel()

    def too_late(self) -> None:
        """Cancel the handler: its deadline has passed."""
        self.cancel(DeadlinePassed(seconds=self.rules.deadline))


class Tender:
    """Cares for held jobs until it is cancelled; `patiently` repeats a step while Redis is away."""

    def __init__(self, moves: Moves, held: Callable[[], Iterable[Held]], lock: float) -> None:
        self._moves = moves
        self._held = held
        self._lock = lock
        self._renewed_at = 0.0

    async def round(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if now - self._renewed_at >= self._lock / RENEWALS - 0.01:
            await self.renew()  # always first: after an outage, its own jobs look like those of a vanished worker
            self._renewed_at = now
            await self.rescue()
            await self._moves.learn_time()
        await self.hear()

    @property
    def pause(self) -> float:
        """Return the seconds until the next round."""
        return min(LOOK_EVERY, self._lock / RENEWALS)

    async def renew(self) -> None:
        """Renew the locks, and stop the jobs that are another's now."""
        holding = {held.slot.token: held for held in self._held()}
        if not holding:
            return
        lost = await self._moves.extend({token: held.job.id for token, held in holding.items()}, self._lock)
        for token in lost:
            held = holding[token]
            if held.running:
                held.lost = True
                held.cancel(None)
                events.emit(events.JOB_LOST, queue=self._moves.queue, id=held.job.id)

    async def rescue(self) -> None:
        """Put back the jobs of vanished workers."""
        for job_id in await self._moves.rescue(0.8 * self._lock / RENEWALS):
            events.emit(events.JOB_STALLED, queue=self._moves.queue, id=job_id)

    async def hear(self) -> None:
        """Cancel the handlers of jobs that were cancelled."""
        running = {held.job.id: held for held in self._held() if held.running}
        if not running:
            return
        for job_id in await self._moves.cancelled(list(running)):
            fields = await self._moves.read(job_id)
            reason = fields.get(b"defa", b"cancelled").decode(errors="replace")
            running[job_id].cancel(JobCancelled(reason=reason))
            await self._moves.forget_cancelled(job_id)
