"""Tending a queue: pause it, run failed jobs again, remove what is not wanted. Each act says how many jobs it met.

All is done by BullMQ's own scripts, in steps that do not keep the server from others.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from redyard import keys
from redyard.client import raw
from redyard.errors import InvalidValue, QueueBusy, UnknownJob
from redyard.queue.looking import Looking
from redyard.queue.moves import STATES

STEP = 1000
"""Jobs of one step."""

AT_ONCE = 100
"""Jobs that are moved one by one, but sent together."""

CLEANED = ("completed", "failed", "waiting", "prioritized", "delayed")
"""States that can be cleaned; an active job is its worker's."""

REASONS = {"failed": "failedReason", "completed": "returnvalue"}
"""Ended states, and the field that a job loses when it runs again."""


BEYOND = [keys.LIMITER, *(key for key in keys.TABLE if key.pattern.startswith("bull:{queue}:redyard-"))]
"""Keys of a queue that BullMQ's script leaves."""


class Tending(Looking):
    """The part of a queue that changes it as a whole."""

    async def retry(self, job_id: str, state: str = "failed") -> None:
        """Run a failed (or completed) job again, with all its attempts before it; UnknownJob where it is not there."""
        await self.check()
        if not await self._retry(job_id, _ended(state)):
            raise UnknownJob(queue=self.name, id=job_id)

    async def retry_all(self, state: str = "failed", *, reason: str | None = None, name: str | None = None) -> int:
        """Run all failed (or completed) jobs again; return how many.

        Args:
            state: failed or completed.
            reason: only those in whose reason this text is.
            name: only those of this name.
        """
        await self.check()
        jobs = [
            job.id
            async for job in self._each(_ended(state), await self._count(state))
            if (reason is None or reason in (job.failed_reason or "")) and (name is None or job.name == name)
        ]
        return await _sum(jobs[::-1], lambda job_id: self._retry(job_id, state))  # the oldest first in line again

    async def promote(self, job_id: str) -> None:
        """Let a delayed job run now; UnknownJob where there is none."""
        await self.check()
        if not await self._promote(job_id):
            raise UnknownJob(queue=self.name, id=job_id)

    async def promote_all(self) -> int:
        """Let all delayed jobs run now; return how many."""
        await self.check()
        jobs = [job.id async for job in self._each("delayed", await self._count("delayed"))]
        return await _sum(jobs[::-1], self._promote)

    async def remove(self, job_id: str) -> bool:
        """Remove a job and its children; False when it runs now, or when it is the next one of a scheduler."""
        await self.check()
        return int(await self.moves.wire.run("removeJob", job_id, 1, self.moves.wire.base, id=job_id)) == 1

    async def clean(self, state: str, *, older_than: float = 0, limit: int = 0) -> list[str]:
        """Remove jobs of a state whose end (or adding, where they have not ended) is so many seconds ago.

        Returns their ids. `limit` is how many at most, 0 for all. The next job of a scheduler stays.
        """
        if state not in CLEANED:
            raise InvalidValue(value=state, kind="state that can be cleaned", example=", ".join(CLEANED))
        await self.check()
        await self.moves.learn_time()
        before = round((self.moves.now() - older_than) * 1000)
        removed: list[str] = []
        while not limit or len(removed) < limit:
            step = min(STEP, limit - len(removed)) if limit else STEP
            words = (self.moves.wire.base, before, step, STATES[state])
            gone = await self.moves.wire.run("cleanJobsInSet", *words, state=STATES[state])
            removed += [job_id.decode() for job_id in gone]
            if len(gone) < step:
                break
        return removed

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove all jobs that wait, with `delayed` those too; return how many. Running and ended jobs stay."""
        await self.check()
        before = await self._waiting(delayed=delayed)
        await self.moves.wire.run("drain", self.moves.wire.base, "1" if delayed else "0")
        return before - await self._waiting(delayed=delayed)

    async def obliterate(self, *, force: bool = False) -> int:
        """Remove the queue with all that it holds; return how many jobs. QueueBusy while jobs run, unless forced."""
        await self.check()
        counts = await self.moves.counts()
        if counts["active"] and not force:
            raise QueueBusy(queue=self.name, active=counts["active"])
        paused = await self.moves.setting("paused") is not None
        await self.moves.pause()
        while (left := int(await self.moves.wire.run("obliterate", STEP, "force" if force else ""))) > 0:
            pass
        if left < 0:  # a worker took a job just before the queue was paused
            if not paused:
                await self.moves.resume()
            raise QueueBusy(queue=self.name, active=(await self.moves.counts())["active"])
        await raw(self.moves.redis, "DEL", *(key.make(queue=self.name) for key in BEYOND))
        return sum(counts.values())

    async def _count(self, state: str) -> int:
        return (await self.moves.counts())[state]

    async def _waiting(self, *, delayed: bool) -> int:
        counts = await self.moves.counts()
        return counts["waiting"] + counts["prioritized"] + (counts["delayed"] if delayed else 0)

    async def _retry(self, job_id: str, state: str) -> bool:
        words = (job_id, "LPUSH", REASONS[state], state, "1", "1")
        return int(await self.moves.wire.run("reprocessJob", *words, id=job_id, state=state)) == 1

    async def _promote(self, job_id: str) -> bool:
        return int(await self.moves.wire.run("promote", self.moves.wire.base, job_id)) == 0


def _ended(state: str) -> str:
    if state not in REASONS:
        raise InvalidValue(value=state, kind="state of ended jobs", example=" or ".join(REASONS))
    return state


async def _sum(job_ids: list[str], act: Callable[[str], Coroutine[Any, Any, bool]]) -> int:
    """Do something to jobs, many at once, and return to how many it was done: others may have moved meanwhile."""
    done = 0
    for start in range(0, len(job_ids), AT_ONCE):
        done += sum(await asyncio.gather(*(act(job_id) for job_id in job_ids[start : start + AT_ONCE])))
    return done
