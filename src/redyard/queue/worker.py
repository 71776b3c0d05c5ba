"""`Worker`: takes jobs and runs them; what it holds is never lost.

It locks each job and renews the locks, puts the jobs of vanished workers back in line, waits for a Redis that is away,
and ends its jobs before it stops.
"""

import asyncio
import secrets
import signal
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import Any, TypeVar

from redis.exceptions import AuthenticationError, RedisError

from redyard import events
from redyard.client import raw
from redyard.queue.attempt import Handler, Outcome, call, failure, judge
from redyard.queue.job import Job
from redyard.queue.queue import Queue

T = TypeVar("T")

LOCK = 10.0
"""Seconds after which a job whose worker vanished may be given to another."""

WAIT = 5.0
"""Seconds for which a worker waits at the queue's bell before it looks by itself."""

GOODBYE = 1.0
"""Seconds for which a worker that ends tries to give a job back."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
AWAY = (RedisError, OSError)


class Worker:
    """Runs a queue's jobs, up to `concurrency` at once, by a handler: async, or a function that runs in a thread."""

    def __init__(self, queue: Queue, handler: Handler, *, concurrency: int = 20, lock: float = LOCK) -> None:
        self.queue = queue
        self.handler = handler
        self.concurrency = concurrency
        self.lock = lock
        self.name = secrets.token_hex(8)
        self._numbers = count()
        self._stop = asyncio.Event()
        self._held: set[_Held] = set()

    def stop(self) -> None:
        """Take no more jobs; `run` returns when those in hand have ended."""
        self._stop.set()

    async def run(self, *, handle_signals: bool = False) -> None:
        """Run jobs until `stop` (with `handle_signals` also SIGTERM and SIGINT); cancelled, it gives its jobs back."""
        with _signals(self.stop if handle_signals else None):
            tending: list[asyncio.Task[None]] = []
            try:
                await self._patiently(self.queue.check, starting=True)
                tending = [asyncio.create_task(self._tend())]
                tending[0].add_done_callback(lambda _: self.stop())  # without it, no lock would be renewed
                await self._take_jobs()
                await asyncio.gather(*(held.task for held in self._held))
                if tending[0].done():
                    tending[0].result()
            except AWAY:
                if not self._stop.is_set():
                    raise
            finally:
                await _end([*tending, *(held.task for held in self._held)])
                with suppress(*AWAY):  # the bell may have rung for this worker alone
                    async with asyncio.timeout(GOODBYE):
                        await self.queue.moves.ring()
                self._held.clear()
                self._stop.clear()

    async def _take_jobs(self) -> None:
        while not self._stop.is_set():
            if len(self._held) >= self.concurrency:
                await self._first(*(held.task for held in self._held))
                continue
            token = f"{self.name}:{next(self._numbers)}"  # one for each attempt: an old one cannot end a new one
            taken = await self._patiently(partial(self.queue.moves.take, token, self.lock))
            if taken.id is None:
                await self._wait_for_bell(taken.due)
            else:
                self._held.add(_Held(taken.id, token, taken.fields, self._work))

    async def _wait_for_bell(self, due: float | None) -> None:
        moves = self.queue.moves
        bell = asyncio.create_task(raw(moves.redis, "BZPOPMIN", moves.marker, min(WAIT, WAIT if due is None else due)))
        await self._first(bell)
        await _end([bell])  # if Redis is away, the next look at the queue waits until it is back

    async def _work(self, held: "_Held") -> None:
        try:
            outcome = await self._attempt(held)
            if held.lost:
                return
            if outcome.state != "completed":
                final, reason = outcome.state == "failed", outcome.value.decode()
                events.emit(events.JOB_FAILED, queue=self.queue.name, id=held.job_id, reason=reason, final=final)
            with suppress(*AWAY):  # only when told to stop meanwhile: the job runs again when its lock has run out
                if not await self._patiently(lambda: self._settle(held, outcome)):
                    events.emit(events.JOB_LOST, queue=self.queue.name, id=held.job_id)
        except asyncio.CancelledError:
            with suppress(*AWAY):
                async with asyncio.timeout(GOODBYE):
                    await self.queue.moves.retry(held.job_id, held.token, delay=-1)
            raise
        finally:
            self._held.discard(held)

    async def _attempt(self, held: "_Held") -> Outcome:
        try:
            job = Job(self.queue, held.job_id, held.fields)
        except ValueError as error:  # somebody wrote what is no JSON
            return failure(Job(self.queue, held.job_id, {}), error, final=True)
        held.handler = asyncio.create_task(call(self.handler, job))
        try:
            await asyncio.wait([held.handler])
        finally:
            await _end([held.handler])
        return judge(job, held.handler)

    async def _settle(self, held: "_Held", outcome: Outcome) -> bool:
        moves, (state, value, stack, delay, keep) = self.queue.moves, outcome
        if state is None:
            return await moves.retry(held.job_id, held.token, delay=delay, reason=value, stack=stack)
        return await moves.finish(held.job_id, held.token, state=state, value=value, stack=stack, keep=keep)

    async def _renew(self) -> None:
        holding = {held.token: held for held in self._held}
        if not holding:
            return
        tokens = {token: held.job_id for token, held in holding.items()}
        for token in await self.queue.moves.renew(tokens, self.lock):
            held = holding[token]
            if held in self._held and held.handler and not held.handler.done():
                held.lost = True
                held.handler.cancel()
                events.emit(events.JOB_LOST, queue=self.queue.name, id=held.job_id)

    async def _rescue(self) -> None:
        for job_id in await self.queue.moves.rescue():
            events.emit(events.JOB_STALLED, queue=self.queue.name, id=job_id)

    async def _tend(self) -> None:
        async def renew_and_rescue() -> None:
            await self._renew()  # always first: after an outage, its own jobs look like those of a vanished worker
            await self._rescue()

        while True:
            with suppress(*AWAY):  # only when told to stop: the jobs in hand still need their locks
                await self._patiently(renew_and_rescue)
            await asyncio.sleep(self.lock / 4)

    async def _patiently(self, step: Callable[[], Awaitable[T]], *, starting: bool = False) -> T:
        """Return what a step returns; while Redis is away, try again, until the worker is stopped."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await step()
            except AWAY as error:
                if self._stop.is_set() or (starting and isinstance(error, AuthenticationError)):
                    raise
                owner = f"the worker of {self.queue.name}"
                events.emit(events.REDIS_AWAY, owner=owner, reason=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _first(self, *tasks: "asyncio.Task[Any]") -> None:
        """Wait until one of the tasks has ended or the worker is stopped."""
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()


class _Held:
    """A job in this worker's hands; `lost` when its lock went to another."""

    def __init__(
        self, job_id: str, token: str, fields: dict[str, bytes], work: Callable[["_Held"], Coroutine[Any, Any, None]]
    ) -> None:
        self.job_id = job_id
        self.token = token
        self.fields = fields
        self.lost = False
        self.handler: asyncio.Task[Any] | None = None
        self.task = asyncio.create_task(work(self))


async def _end(tasks: Collection[asyncio.Task[Any]]) -> None:
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        # Again after a while: before Python 3.12, asyncio.wait_for can swallow a cancellation.
        _, pending = await asyncio.wait(pending, timeout=2 * GOODBYE)
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _signals(stop: Callable[[], None] | None) -> Iterator[None]:
    if stop is None:
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, listener in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, listener)
