"""`Worker`: takes jobs and runs them; what it holds is never lost.

The call that ends a job takes the next one. Only a worker with nothing to do waits at the bell, in one blocked read
for all of its slots. Each job runs in a task of its own, so that nothing of one is left for the next.
"""

import asyncio
import os
import secrets
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from redyard import events
from redyard.errors import InvalidValue
from redyard.platform import draining
from redyard.queue import schedulers
from redyard.queue.attempt import Handler, Outcome, OwnBackoff, deferred, failure, success
from redyard.queue.bell import LONGEST, Bell, connection_name
from redyard.queue.exchange import MINUTES, NOT_HERE, Ended, Exchange
from redyard.queue.heartbeat import Pulse
from redyard.queue.holding import Held, Slot, Tender
from redyard.queue.job import Job
from redyard.queue.moves import NOTHING, Taken, failure_fields
from redyard.queue.patience import AWAY, Patience, maybe_ran
from redyard.queue.pools import Handling
from redyard.queue.queue import Queue
from redyard.queue.rules import FINISHING, UNREADABLE, Rules, rules_of
from redyard.queue.wire import pack

LOCK = 10.0
"""Seconds after which a job whose worker vanished may be given to another."""

LONGEST_LIMIT = 30.0
"""Seconds after which a worker looks again, however long the queue's rate is used up: delayed jobs may be due."""

GOODBYE = 1.0
"""Seconds for which a worker that ends tries to give a job back."""

MOST_AT_ONCE = 32
"""Jobs that are taken by one call: the server does nothing else meanwhile."""

NO_LOCK = -2
GONE = {-1, NO_LOCK, -3, -6}
"""Answers that say that a job is not ours any more: removed, not locked, not active, held by another."""

CHILDREN = {-4: "it has children that have not ended", -9: "a child has failed"}
"""Answers that say why a parent cannot be completed."""


class Worker:
    """Runs a queue's jobs, up to `concurrency` at once, by a handler: async, or a function that runs in a thread.

    Args:
        queue: where the jobs are.
        handler: gets a Job, and its result is the job's. Without one, the queue's tasks do the jobs of their names.
        concurrency: jobs at once.
        lock: seconds after which the jobs of a vanished worker may be given to another.
        limit: at most so many jobs in so many seconds, `(10, 1.0)`, of all workers that say so.
        backoff: seconds by the number of failed attempts, for jobs whose backoff has a kind of its own.
        grace: seconds that jobs may go on when a worker is told to stop, before they are given back; by default the
            platform's time between SIGTERM and SIGKILL less two seconds, and without end where that is unknown.
        name: what lists of workers show.
    """

    def __init__(  # noqa: PLR0913 - a worker's options, by name
        self,
        queue: Queue,
        handler: Handler | None = None,
        *,
        concurrency: int = 20,
        lock: float = LOCK,
        limit: tuple[int, float] | None = None,
        backoff: OwnBackoff | None = None,
        grace: float | None = None,
        name: str = "",
    ) -> None:
        if concurrency < 1 or lock <= 0:
            raise InvalidValue(value=f"{concurrency} at once, {lock} s", kind="rule for a worker", example="20, 10.0 s")
        self.queue = queue
        self.handler = handler
        self.concurrency = concurrency
        self.lock = lock
        self.backoff = backoff
        self.grace = _grace(os.environ) if grace is None else grace
        self.name = name or f"{socket.gethostname()}:{os.getpid()}"
        entries: dict[str, object] = {"lockDuration": round(lock * 1000), "name": self.name}
        if limit:
            entries["limiter"] = {"max": limit[0], "duration": round(limit[1] * 1000)}
        self._slots = [_slot(f"{secrets.token_hex(8)}:{n}", entries) for n in range(concurrency)]
        self._moves = queue.moves
        self._exchange = Exchange(queue.moves, lock=lock, name=self.name, limit=limit)
        self._bell = Bell(queue.moves.redis, queue.name, connection_name(queue.name, self.name))
        self._call = Handling(queue, handler, size=concurrency)
        self._pulse = Pulse(self._moves, self.name, concurrency, lambda: len(self._held))
        self._stop = asyncio.Event()
        self._patiently = Patience(f"the worker of {queue.name}", self._stop)
        self._freed = asyncio.Event()
        self._free: list[Slot] = []
        self._held: dict[str, Held] = {}
        self._spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = asyncio.create_task
        self._doubt: list[Slot] = []
        self._feeding: asyncio.Task[None] | None = None
        self._resting = False
        self._limited_until = 0.0
        self._tender = Tender(self._moves, lambda: list(self._held.values()), lock)

    @property
    def stopping(self) -> bool:
        """Say whether it takes no more jobs."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Take no more jobs; `run` returns when those in hand have ended, or the grace is over."""
        self._stop.set()
        self._freed.set()
        if self._resting and self._feeding:
            self._feeding.cancel()

    async def run(self, *, handle_signals: bool = False) -> None:
        """Run jobs until `stop` (with `handle_signals` also SIGTERM and SIGINT); cancelled, it gives its jobs back."""
        with _signals(self.stop if handle_signals else None):
            self._free, self._doubt = list(self._slots), []
            self._spawn = asyncio.get_running_loop().create_task  # hot: asyncio's own asks for the loop each time
            tending: asyncio.Task[None] | None = None
            try:
                await self._patiently(self.queue.check, starting=True)
                tending = asyncio.create_task(self._tend())
                tending.add_done_callback(lambda _: self.stop())  # without it, no lock would be renewed
                self._feeding = asyncio.create_task(self._feed())
                await _outcome(self._feeding)
                await self._hand_back()
                await self._finish_up()
                if tending.done():
                    tending.result()
            except AWAY:
                if not self._stop.is_set():
                    raise
            finally:
                await self._end(tending)

    async def _finish_up(self) -> None:
        """Wait for the jobs in hand, for as long as the grace lasts."""
        over = None if self.grace is None else time.monotonic() + self.grace
        while self._held:
            left = None if over is None else over - time.monotonic()
            if left is not None and left <= 0:
                return
            await self._one_freed(left)

    async def _end(self, tending: "asyncio.Task[None] | None") -> None:
        """Give back what is left, and leave nothing behind."""
        self.stop()
        if self._feeding:  # a job that is just being taken must not be left behind
            await asyncio.wait([self._feeding], timeout=GOODBYE)
        for held in self._held.values():
            held.back = True
        await _cancel([task for task in (self._feeding, tending) if task])
        while self._held:
            for held in self._held.values():
                held.cancel(None)
            await self._one_freed(2 * GOODBYE)  # again after a while: a handler can swallow a cancellation
        await self._bell.close()
        await self._call.aclose()
        await self._hand_back()
        with suppress(*AWAY):  # the bell may have rung for this worker alone
            async with asyncio.timeout(GOODBYE):
                await self._moves.ring()
                await self._pulse.end()
        self._feeding = None
        self._stop.clear()

    async def _one_freed(self, seconds: float | None) -> None:
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._freed.wait()

    # ---- taking

    async def _feed(self) -> None:
        """Keep the slots filled."""
        with suppress(*AWAY):
            await self._bell.open()  # lists of workers show its connection, also of one that is never idle
        empty: Taken | None = None
        while not self._stop.is_set():
            if not self._free:
                self._freed.clear()
                await self._freed.wait()
                empty = None
            elif empty is None and not self._limited_until:
                empty = await self._fill(self._take)
            else:
                await asyncio.sleep(0)  # the jobs that were taken begin before anything else is done
                empty = await self._rest(empty or NOTHING)

    async def _fill(self, take: Callable[[list[Slot]], Awaitable[list[Taken]]]) -> Taken | None:
        """Take jobs into free slots; return what a slot got that got none."""
        slots, self._free = self._free[-MOST_AT_ONCE:], self._free[:-MOST_AT_ONCE]
        empty = None
        for slot, taken in zip(slots, await take(slots), strict=True):
            if taken.id:
                self._start(slot, taken)
            else:
                self._free.append(slot)
                empty = taken
        return empty

    async def _take(self, slots: list[Slot]) -> list[Taken]:
        """Take a job for each slot; when an answer was lost, look first whether it brought some."""

        async def step() -> list[Taken]:
            found = await self._find() if self._doubt else []
            if any(taken.id for taken in found):
                return found
            try:
                return await self._exchange.take([slot.token for slot in slots])
            except AWAY as error:
                self._doubt = slots if maybe_ran(error) else []
                raise

        try:
            return await self._patiently(step)
        except AWAY:  # told to stop meanwhile
            return [NOTHING] * len(slots)

    async def _find(self) -> list[Taken]:
        """Look for the jobs of slots of which nobody told whether they got one."""
        if self._bell.unanswered:
            await self._bell.close()
        found = await self._moves.find([slot.token for slot in self._doubt], self._bell.unanswered)
        self._doubt = []
        return found

    async def _hand_back(self) -> None:
        """Give back what the server took for slots that are to take nothing any more."""
        if not self._doubt:
            return
        with suppress(*AWAY):
            async with asyncio.timeout(GOODBYE):
                for slot, taken in zip(self._doubt, await self._find(), strict=True):
                    if taken.id:
                        await self._moves.give_back(taken.id, slot.token)

    async def _rest(self, empty: Taken) -> Taken | None:
        """Wait until there may be a job, and take it; return what a slot got that got none."""
        limited = max(empty.limited, self._limited_until - time.monotonic())
        if limited <= 0:
            self._limited_until = 0.0
            return await self._fill(partial(self._wait, due=empty.due))
        with self._at_rest():
            await asyncio.sleep(min(limited, LONGEST_LIMIT))
        if time.monotonic() >= self._limited_until:
            self._limited_until = 0.0
        return None

    async def _wait(self, slots: list[Slot], due: float) -> list[Taken]:
        """Wait at the bell, until a time at most; return what the server took for each slot then."""
        reply = None
        with suppress(*AWAY), self._at_rest():
            await self._bell.open()
            if not self._stop.is_set():  # before Python 3.12, connecting can swallow the cancellation by `stop`
                seconds = due - self._moves.now() if due else LONGEST
                self._doubt = slots
                reply = await self._bell.wait(seconds, partial(self._exchange.taking, [slot.token for slot in slots]))
        if self._stop.is_set() or self._limited_until:  # a handler has said meanwhile that it is enough
            await self._hand_back()
            return [NOTHING] * len(slots)
        if reply is None:  # Redis is, or was, away
            return await self._take(slots)
        self._doubt = []
        return self._exchange.read(reply, wanted=len(slots))

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Let `stop` cancel what is waited for."""
        self._resting = True
        try:
            yield
        finally:
            self._resting = False

    # ---- working

    def _start(self, slot: Slot, taken: Taken) -> None:
        held = Held(Job(self.queue, taken.id, taken.fields), NO_RULES, slot)
        self._held[slot.token] = held
        held.task = self._spawn(self._work(held))

    async def _work(self, held: Held) -> None:
        """Run a job and end it; start the next one that came with its ending."""
        following = NOTHING
        try:
            started = time.perf_counter()
            outcome = await self._attempt(held)
            if events.listening():
                spent = time.perf_counter() - started
                events.emit(events.JOB_ENDED, queue=self.queue.name, result=outcome.kind, seconds=spent)
            if not held.lost:
                following = await self._settle(held, outcome)
        except Exception:  # noqa: BLE001 - it must leave the slot free, and be seen
            words = "job %s of %s was not ended; it runs again when its lock is over"
            events.LOGGER.exception(words, held.job.id, self.queue.name)
        finally:
            slot = held.slot
            del self._held[slot.token]
            if following.id:
                self._start(slot, following)
            else:
                self._free.append(slot)
                self._freed.set()

    async def _attempt(self, held: Held) -> Outcome:
        """Run the handler, unless the job cannot or must not run; say what came of it."""
        job = held.job
        try:
            held.rules = rules_of(job.fields.get(b"opts") or b"{}")
            _ = job.data
            if b"rjk" in job.fields:
                await self._schedule(job)
        except UNREADABLE as error:  # somebody wrote what is no JSON, or no schedule
            return failure(Job(self.queue, job.id, {}), error, NO_RULES)
        if b"defa" in job.fields:
            return deferred(job.fields[b"defa"])
        deadline = held.rules.deadline
        timer = asyncio.get_running_loop().call_later(deadline, held.too_late) if deadline else None
        held.running = True
        try:
            return success(job, await self._call(job))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever a handler raises is its job's
            return Outcome("back") if held.back else failure(job, held.error or error, held.rules, self.backoff)
        finally:
            held.running = False
            if timer:
                timer.cancel()
            while held.task.cancelling():  # it was the handler's
                held.task.uncancel()

    async def _schedule(self, job: Job) -> None:
        """Have the job's scheduler make its next job, before this one can fail."""
        try:
            await self._patiently(lambda: schedulers.follow(self.queue, job))
        except AWAY:
            return  # told to stop meanwhile; the next attempt does it

    # ---- ending

    async def _settle(self, held: Held, outcome: Outcome) -> Taken:
        """Write what an attempt came to; return the next job."""
        if outcome.kind in {"failed", "retry"}:
            final, reason = outcome.kind == "failed", outcome.value.decode(errors="replace")
            events.emit(events.JOB_FAILED, queue=self.queue.name, id=held.job.id, reason=reason, final=final)
        try:
            reply = await self._hand_in(held, outcome)
            if reply == NOT_HERE:
                reply = await self._move(held, outcome)
        except AWAY as error:
            reply = await self._move_later(held, outcome, error)
        if reply == NO_LOCK and await self._regain(held):
            reply = await self._move(held, outcome)
        if isinstance(reply, Taken):
            return reply
        if reply in CHILDREN and outcome.kind == "completed":
            problem = ValueError(CHILDREN[reply])
            return await self._settle(held, failure(held.job, problem, held.rules, self.backoff))
        if reply in GONE:
            events.emit(events.JOB_LOST, queue=self.queue.name, id=held.job.id)
        return NOTHING

    async def _move_later(self, held: Held, outcome: Outcome, error: Exception) -> Taken | int:
        """Make a move that failed when Redis is back; look first whether it was made and only its answer lost."""
        unsure = maybe_ran(error)

        async def step() -> Taken | int:
            nonlocal unsure
            try:
                if unsure:
                    [found] = await self._moves.find([held.slot.token])
                    if found.id != held.job.id and (found.id or not await self._regain(held)):
                        return found
                unsure = False
                return await self._move(held, outcome)
            except AWAY as lost:
                unsure = unsure or maybe_ran(lost)
                raise

        try:
            return await self._patiently(step, after=error)
        except AWAY:  # told to stop meanwhile, or refused: the job runs again when its lock has run out
            return min(GONE)

    def _hand_in(self, held: Held, outcome: Outcome) -> Awaitable[Taken | int]:
        """Make the move that an outcome asks for, together with others where that can be; else it is NOT_HERE."""
        keep = held.rules.keep
        if outcome.kind != "completed" or keep is None:
            return self._move(held, outcome)
        ended = Ended(held.job.id, held.slot.token, outcome.value, keep, self._goes_on())
        return self._exchange.complete(ended)

    async def _move(self, held: Held, outcome: Outcome) -> Taken | int:
        """Make the move that an outcome asks for, by BullMQ's own scripts."""
        moves, job_id, token = self._moves, held.job.id, held.slot.token
        kind, value, stacks, delay = outcome
        if kind == "completed":
            options = held.slot.head + held.rules.completed + held.slot.end
            return await moves.finish(job_id, kind, value, options=options, take=self._goes_on())
        if kind in {"failed", "retry"}:
            fields = failure_fields(value.decode(errors="replace"), stacks)
            if kind == "failed":
                options = held.slot.head + held.rules.failed + held.slot.end
                take = self._goes_on()
                return await moves.finish(job_id, kind, value, options=options, fields=fields, take=take)
            return await moves.again(
                job_id, token, delay=delay, fields=fields, lifo=bool(held.rules.options.get("lifo"))
            )
        if kind == "children":
            done = await moves.wait_for_children(job_id, token)
            return done if done <= 0 else await moves.again(job_id, token, delay=0, fields=b"", lifo=True)
        if kind == "limited":
            self._limited_until = time.monotonic() + delay  # first: the job that goes back rings
            await moves.use_up_rate(delay)
        left = await moves.give_back(job_id, token)
        return min(left, 0)

    def _goes_on(self) -> bool:
        return not self._stop.is_set() and (not self._limited_until or self._limited_until < time.monotonic())

    async def _regain(self, held: Held) -> bool:
        return await self._moves.regain(held.job.id, held.slot.token, self.lock)

    # ---- care

    async def _tend(self) -> None:
        while True:
            with suppress(*AWAY):  # only when told to stop: the jobs in hand still need their locks
                await self._patiently(self._tender.round)
                await self._pulse.beat()
            await asyncio.sleep(self._tender.pause)


NO_RULES: Rules = rules_of(b"{}")


def _slot(token: str, worker: dict[str, object]) -> Slot:
    entries = {"token": token, **worker, "maxMetricsSize": MINUTES}
    head = bytes((0x80 | (len(entries) + FINISHING),))
    return Slot(token, head, pack(entries)[1:])


def _grace(environ: Any) -> float | None:
    seconds = draining(environ)
    return None if seconds is None else max(0.0, seconds - 2 * GOODBYE)


async def _outcome(task: "asyncio.Task[None]") -> None:
    """Wait for a task that may be cancelled by itself, and raise its error."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _cancel(tasks: Collection["asyncio.Task[Any]"]) -> None:
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
