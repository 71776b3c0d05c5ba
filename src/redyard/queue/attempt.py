"""One attempt at a job: the handler runs, and what comes of it is decided here, without Redis."""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from redyard.client.coding import encode
from redyard.errors import NotJSON, Unrecoverable
from redyard.queue.job import Job
from redyard.queue.rules import STACKS, kept, pause_before

Handler = Callable[[Job], Awaitable[object]] | Callable[[Job], object]


class Outcome(NamedTuple):
    """What an attempt came to: a final state, or (None) another attempt after `delay` seconds."""

    state: str | None
    value: bytes
    stack: bytes
    delay: float
    keep: int


async def call(handler: Handler, job: Job) -> Any:
    """Run a handler; one that is not async runs in a thread, lest it stops all other jobs."""
    kind = handler if inspect.isroutine(handler) else type(handler).__call__
    result = handler(job) if inspect.iscoroutinefunction(kind) else await asyncio.to_thread(handler, job)
    return await result if inspect.isawaitable(result) else result


def judge(job: Job, task: asyncio.Task[Any]) -> Outcome:
    """Say what a handler's ended task comes to; one that cancelled itself has failed like any other."""
    error = asyncio.CancelledError("the handler was cancelled") if task.cancelled() else task.exception()
    if error is None:
        try:
            value = encode(task.result(), f"the result of job {job.id}")
        except NotJSON as problem:  # another attempt would do the work again, for the same result
            return failure(job, problem, final=True)
        return Outcome("completed", value, b"", 0, kept(job.opts, "completed"))
    attempts = int(job.opts.get("attempts") or 1)
    return failure(job, error, final=isinstance(error, Unrecoverable) or job.attempts_made + 1 >= attempts)


def failure(job: Job, error: BaseException, *, final: bool) -> Outcome:
    """Say what a failed attempt comes to."""
    stacks = [*job.stack_traces, "".join(traceback.format_exception(error))][-STACKS:]
    reason = (str(error) or type(error).__name__).encode(errors="replace")
    delay = 0.0 if final else pause_before(job.opts, job.attempts_made + 1)
    return Outcome("failed" if final else None, reason, encode(stacks, "stack"), delay, kept(job.opts, "failed"))
