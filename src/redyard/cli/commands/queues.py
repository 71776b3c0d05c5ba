"""`redyard queues`: look at the queues of a server, and tend them. What destroys jobs wants the queue's name twice."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import typer
from redis.exceptions import RedisError

from redyard.cli.output import Output
from redyard.cli.yard import calls
from redyard.client import Redis
from redyard.errors import NoURL, QueueNotConfirmed, RedisAway, RedyardError, UnknownJob, UnknownQueue, Usage
from redyard.queue import Job, Queue
from redyard.queue.looking import queue_names
from redyard.queue.moves import STATES
from redyard.units import format_span, parse_span

EXAMPLES = (
    "redyard queues list",
    "redyard queues show mails",
    "redyard queues show mails --state failed",
    "redyard queues show mails --where user.id=7",
    "redyard queues show mails --job JOB",
    'redyard queues retry mails --reason "connection refused"',
    "redyard queues clean mails --state completed --older-than 1d --dry-run",
    "redyard queues obliterate mails --confirm mails",
)


class Action(StrEnum):
    """What can be done."""

    LIST = "list"
    SHOW = "show"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    PROMOTE = "promote"
    CLEAN = "clean"
    DRAIN = "drain"
    OBLITERATE = "obliterate"


DESTROYS = {Action.CLEAN, Action.DRAIN, Action.OBLITERATE}
"""What nothing takes back."""


class Wanted(NamedTuple):
    """The command's options."""

    state: str | None
    job: str | None
    job_name: str | None
    where: dict[str, object]
    reason: str | None
    older_than: float
    start: int
    limit: int
    delayed: bool
    force: bool
    dry_run: bool


ActionWord = Annotated[Action, typer.Argument(metavar="ACTION", help=f"One of {', '.join(Action)}.")]
Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The queue; not needed by list.")]
Url = Annotated[str | None, typer.Option(metavar="URL", help="The server. Default: REDIS_URL, else the yard's store.")]
State = Annotated[str | None, typer.Option(metavar="STATE", help=f"show, retry, clean: jobs in {', '.join(STATES)}.")]
OneJob = Annotated[str | None, typer.Option(metavar="ID", help="show, retry, promote: this job alone.")]
JobName = Annotated[str | None, typer.Option(metavar="NAME", help="show, retry: jobs of this name.")]
Where = Annotated[
    list[str] | None, typer.Option(metavar="FIELD=VALUE", help="show: jobs whose data have it, such as user.id=7.")
]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="retry: jobs that failed with this text.")]
OlderThan = Annotated[str, typer.Option(metavar="TIME", help="clean: jobs that ended so long ago, such as 1d.")]
Start = Annotated[int, typer.Option(min=0, help="show: jobs that are passed over.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="show: jobs at most.")]
Delayed = Annotated[bool, typer.Option("--delayed", help="drain: delayed jobs, too.")]
Force = Annotated[bool, typer.Option("--force", help="obliterate: also while jobs run.")]
Confirm = Annotated[str | None, typer.Option(metavar="NAME", help="The queue's name again: yes, this one.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


def queues(  # noqa: PLR0913 - the command's options
    out: Output,
    action: ActionWord,
    name: Name = None,
    *,
    url: Url = None,
    state: State = None,
    job: OneJob = None,
    job_name: JobName = None,
    where: Where = None,
    reason: Reason = None,
    older_than: OlderThan = "0s",
    start: Start = 0,
    limit: Limit = 20,
    delayed: Delayed = False,
    force: Force = False,
    confirm: Confirm = None,
    dry_run: DryRun = False,
) -> None:
    """Look at the queues of a server, and tend them.

    `show` without more tells about the queue; with --state, --job-name or --where it lists jobs, with --job it tells
    everything about one. `clean`, `drain` and `obliterate` remove jobs for good: they want --confirm NAME, or the name
    at the terminal.
    """
    fields, age = dict(_pair(word) for word in where or []), parse_span(older_than)
    wanted = Wanted(state, job, job_name, fields, reason, age, start, limit, delayed, force, dry_run)
    _check(action, name, state)
    if action is Action.LIST or name is None:
        return out.show(asyncio.run(_with_redis(url, _list)), "queue_views:queues")
    if action in DESTROYS and not dry_run:
        plan, view = _run(url, name, action, wanted._replace(dry_run=True))
        if (confirm or _ask(out, name, plan, view)) != name:
            raise QueueNotConfirmed(name=name, action=action.value)
    return out.show(*_run(url, name, action, wanted))


def _check(action: Action, name: str | None, state: str | None) -> None:
    if name is None and action is not Action.LIST:
        raise Usage(problem=f"{action} wants the queue's NAME", command="redyard queues")
    if state is not None and state not in STATES:
        raise Usage(problem=f"there is no state {state!r}; there are: {', '.join(STATES)}", command="redyard queues")


def _run(url: str | None, name: str, action: Action, wanted: Wanted) -> tuple[dict[str, Any], str]:
    shown: tuple[dict[str, Any], str] = asyncio.run(_with_redis(url, lambda redis: _act(redis, name, action, wanted)))
    return shown


async def _with_redis(url: str | None, act: Callable[[Redis], Awaitable[Any]]) -> Any:
    """Do something with the server that is named, or else the environment's, or else the yard's."""
    redis = Redis.from_url(url) if url else Redis.from_env(environ=_environment(), app="redyard-cli")
    try:
        return await act(redis)
    except (RedisError, OSError) as error:
        raise RedisAway(owner="`redyard queues`", reason=type(error).__name__) from None
    finally:
        await redis.aclose()


def _environment() -> Mapping[str, str]:
    try:
        Redis.from_env()
        return os.environ
    except NoURL as missing:
        try:
            return {**os.environ, **calls().variables(None)}
        except RedyardError:
            raise missing from None


async def _list(redis: Redis) -> dict[str, Any]:
    return {"queues": [await _summary(Queue(redis, name, allow_eviction=True)) for name in await queue_names(redis)]}


async def _act(redis: Redis, name: str, action: Action, wanted: Wanted) -> tuple[dict[str, Any], str]:
    """Do one thing to one queue; return what is to be shown, and the view that draws it."""
    names = await queue_names(redis)
    if name not in names:
        raise UnknownQueue(queue=name, known=", ".join(names) or "none")
    queue = Queue(redis, name, allow_eviction=True)  # to look at what a server holds is no reason to refuse it
    if action is Action.SHOW:
        return await _show(queue, wanted)
    before = await _summary(queue)
    plan = _plan(action, wanted, before)
    if wanted.dry_run:
        return {"would": plan, "queue": before}, "queue_views:plan"
    done = await ACTS[action](queue, wanted)
    gone = action is Action.OBLITERATE
    return {"did": plan, "jobs": done, "queue": None if gone else await _summary(queue)}, "queue_views:done"


async def _show(queue: Queue, wanted: Wanted) -> tuple[dict[str, Any], str]:
    if wanted.job:
        job = await queue.get(wanted.job)
        if job is None:
            raise UnknownJob(queue=queue.name, id=wanted.job)
        story = [{"at": event.at, "event": event.name, **event.fields} for event in await queue.timeline(job)]
        told = {**_job(job, await job.state()), "data": _data(job), "opts": job.opts, "progress": job.progress}
        ended = {"result": job.return_value, "stacks": job.stack_traces}
        return {"job": {**told, **ended, "log": await job.logs(), "timeline": story}}, "queue_views:job"
    if wanted.job_name or wanted.where:
        states = [wanted.state] if wanted.state else list(STATES)
        jobs = await queue.search(name=wanted.job_name, where=wanted.where, states=states, limit=wanted.limit)
        return {"jobs": [_job(job, await job.state()) for job in jobs]}, "queue_views:jobs"
    if wanted.state:
        jobs = await queue.jobs(wanted.state, start=wanted.start, count=wanted.limit)
        return {"jobs": [_job(job, wanted.state) for job in jobs]}, "queue_views:jobs"
    rates = {state: await queue.metrics(state) for state in ("completed", "failed")}
    failures = [failure._asdict() for failure in (await queue.failures())[: wanted.limit]]
    last = {f"{state}_last_hour": sum(rate.by_minute) for state, rate in rates.items()}
    return {
        "queue": {**await _summary(queue), **last, "failures": failures, "workers": await _workers(queue)}
    }, "queue_views:queue"


async def _summary(queue: Queue) -> dict[str, Any]:
    counts, paused = await queue.counts(), await queue.is_paused()
    workers = len(await queue.workers())
    oldest = round(await queue.waited(), 3)
    return {"name": queue.name, "paused": paused, "jobs": counts, "oldest_waiting_seconds": oldest, "workers": workers}


async def _workers(queue: Queue) -> list[dict[str, Any]]:
    seen = []
    for worker in await queue.workers():
        beat = worker.heartbeat
        own = (
            {"host": beat.host, "pid": beat.pid, "active": beat.active, "concurrency": beat.concurrency} if beat else {}
        )
        seen.append({"name": worker.name, "address": worker.address, **own})
    return seen


def _job(job: Job, state: str) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "state": state,
        "attempts_made": job.attempts_made,
        "added_at": job.added_at,
        "processed_at": job.processed_at,
        "finished_at": job.finished_at,
        "failed_reason": job.failed_reason,
    }


def _data(job: Job) -> Any:
    try:
        return job.data
    except ValueError:
        return None


def _plan(action: Action, wanted: Wanted, queue: Mapping[str, Any]) -> str:
    """Say what is done, in words; a dry run prints them too."""
    name, jobs = queue["name"], queue["jobs"]
    only = "".join(
        (
            f" named {wanted.job_name!r}" if wanted.job_name else "",
            f" whose reason has {wanted.reason!r}" if wanted.reason else "",
        )
    )
    state = wanted.state or ("completed" if action is Action.CLEAN else "failed")
    age = f" that ended {format_span(wanted.older_than)} ago or earlier" if wanted.older_than else ""
    waiting = jobs["waiting"] + jobs["prioritized"]
    return {
        Action.PAUSE: f"pause {name}: no worker takes another of its jobs until it is resumed",
        Action.RESUME: f"resume {name}: workers take its jobs again",
        Action.RETRY: f"run job {wanted.job} again" if wanted.job else f"run the {state} jobs of {name}{only} again",
        Action.PROMOTE: f"run job {wanted.job} now"
        if wanted.job
        else f"run {jobs['delayed']} delayed jobs of {name} now",
        Action.CLEAN: f"remove the {state} jobs of {name}{age}, of {jobs[state]}, for good",
        Action.DRAIN: f"remove the {waiting} jobs that wait in {name}"
        + (f" and {jobs['delayed']} delayed ones" if wanted.delayed else "")
        + ", for good",
        Action.OBLITERATE: f"remove {name} with its {sum(jobs.values())} jobs, for good",
    }[action]


async def _pause(queue: Queue, _: Wanted) -> int:
    await queue.pause()
    return 0


async def _resume(queue: Queue, _: Wanted) -> int:
    await queue.resume()
    return 0


async def _retry(queue: Queue, wanted: Wanted) -> int:
    if wanted.job:
        await queue.retry(wanted.job, wanted.state or "failed")
        return 1
    return await queue.retry_all(wanted.state or "failed", reason=wanted.reason, name=wanted.job_name)


async def _promote(queue: Queue, wanted: Wanted) -> int:
    if wanted.job:
        await queue.promote(wanted.job)
        return 1
    return await queue.promote_all()


async def _clean(queue: Queue, wanted: Wanted) -> int:
    return len(await queue.clean(wanted.state or "completed", older_than=wanted.older_than))


async def _drain(queue: Queue, wanted: Wanted) -> int:
    return await queue.drain(delayed=wanted.delayed)


async def _obliterate(queue: Queue, wanted: Wanted) -> int:
    return await queue.obliterate(force=wanted.force)


ACTS: Mapping[Action, Callable[[Queue, Wanted], Awaitable[int]]] = {
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.RETRY: _retry,
    Action.PROMOTE: _promote,
    Action.CLEAN: _clean,
    Action.DRAIN: _drain,
    Action.OBLITERATE: _obliterate,
}
"""What does each action; it returns how many jobs it met."""


def _pair(word: str) -> tuple[str, object]:
    """Read FIELD=VALUE: a number, true, false and null are themselves, all else is text."""
    field, equals, value = word.partition("=")
    if not equals or not field:
        raise Usage(problem=f"{word!r} is not FIELD=VALUE", command="redyard queues")
    known: dict[str, object] = {"true": True, "false": False, "null": None}
    if value in known:
        return field, known[value]
    try:
        return field, int(value)
    except ValueError:
        return field, value


def _ask(out: Output, name: str, plan: object, view: str) -> str | None:
    if not out.answers:
        return None
    out.say(out.draw(plan, view))
    return out.ask(f"Type {name} to do it: ")
