"""One attempt at a job: the handler runs, and what comes of it is decided here, without Redis."""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, cast

from redyard.client.coding import encode
from redyard.errors import JobCancelled, NotJSON, RateLimited, Unrecoverable, WaitForChildren
from redyard.queue.job import Job
from redyard.queue.rules import STACKS, Rules, pause_before

Handler = Callable[[Job], Awaitable[object]] | Callable[[Job], object]
OwnBackoff = Callable[[int], float]
"""A worker's rule for kinds of backoff of its own: seconds by the number of failed attempts."""


class Outcome(NamedTuple):
    """What an attempt came to; `delay` is the seconds before another one, or of a rate's pause."""

    kind: Literal["completed", "failed", "retry", "limited", "children", "back"]
    value: bytes = b""
    stacks: list[str] = []  # noqa: RUF012 - a field's default
    delay: float = 0.0


DONE = Outcome("completed", b"null")


def runner(handler: Handler) -> Callable[[Job], Awaitable[object]]:
    """Return how a handler is run; one that is not async runs in a thread, lest it stops all other jobs."""
    kind = handler if inspect.isroutine(handler) else type(handler).__call__
    if inspect.iscoroutinefunction(kind):
        return cast("Callable[[Job], Awaitable[object]]", handler)

    async def in_thread(job: Job) -> object:
        result = await asyncio.to_thread(handler, job)
        return await result if inspect.isawaitable(result) else result

    return in_thread


def success(job: Job, result: object) -> Outcome:
    """Say what a handler's result comes to."""
    if result is None:
        return DONE
    try:
        return Outcome("completed", encode(result, f"the result of job {job.id}"))
    except NotJSON as problem:  # another attempt would do the work again, for the same result
        return _final(job, problem)


def failure(job: Job, error: BaseException, rules: Rules, own: OwnBackoff | None = None) -> Outcome:
    """Say what a handler's error comes to; a handler that cancelled itself has failed like any other."""
    if isinstance(error, RateLimited):
        return Outcome("limited", delay=float(error.details.get("seconds", 1)))  # type: ignore[arg-type]
    if isinstance(error, WaitForChildren):
        return Outcome("children")
    if isinstance(error, asyncio.CancelledError):
        error = asyncio.CancelledError("the handler was cancelled")
    made = job.attempts_made + 1
    if isinstance(error, (Unrecoverable, JobCancelled)) or made >= rules.attempts:
        return _final(job, error)
    final = _final(job, error)
    return final._replace(kind="retry", delay=pause_before(rules.options, made, own))


def _final(job: Job, error: BaseException) -> Outcome:
    stacks = [*job.stack_traces, "".join(traceback.format_exception(error))][-STACKS:]
    return Outcome("failed", (str(error) or type(error).__name__).encode(errors="replace"), stacks)


def deferred(reason: bytes) -> Outcome:
    """Say that a job is to fail without being run: it stalled too often, its child failed, or it was cancelled."""
    return Outcome("failed", reason)
