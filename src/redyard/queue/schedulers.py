"""Schedulers: jobs at times. Each job, when a worker takes it, makes the next one, so that none is made twice.

A cron line is read by cronsim: Debian's rules, with a time zone's summer time, and optional seconds in front.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from redyard.client.coding import decode, encode
from redyard.errors import BadSchedule
from redyard.queue.moves import as_fields
from redyard.queue.rules import JobOptions, stored
from redyard.queue.wire import pack

if TYPE_CHECKING:
    from redyard.queue.job import Job
    from redyard.queue.queue import Queue


class Scheduler(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduler: times are Unix times in seconds, `every` is in seconds; `made` counts its jobs."""

    id: str
    name: str
    data: Any = None
    options: dict[str, Any] = {}
    cron: str | None = None
    every: float | None = None
    tz: str | None = None
    limit: int | None = None
    start: float | None = None
    end: float | None = None
    made: int = 0
    next: float | None = None


class Schedulers:
    """The schedulers of a queue."""

    def __init__(self, queue: "Queue") -> None:
        self._queue = queue

    async def upsert(  # noqa: PLR0913 - a schedule's options, by name
        self,
        scheduler_id: str,
        name: str,
        data: object = None,
        *,
        cron: str | None = None,
        every: float | None = None,
        tz: str | None = None,
        limit: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        **options: Unpack[JobOptions],
    ) -> str:
        """Make a scheduler or change it; return the id of its next job.

        Args:
            scheduler_id: its name; there is one of it, whoever says so and how often.
            name: what kind of job it makes.
            data: the jobs' data.
            cron: a cron line, MINUTE HOUR DAY MONTH WEEKDAY, or with seconds in front.
            every: seconds between jobs, instead of a cron line.
            tz: the cron line's time zone, such as Europe/Berlin. UTC by default.
            limit: how many jobs it makes.
            start: its first job comes not before.
            end: its last job comes not after.
            options: of its jobs, see JobOptions.
        """
        queue = self._queue
        repeat = _repeat(scheduler_id, cron=cron, every=every, tz=tz, limit=limit, start=start, end=end)
        await queue.check()
        now = round(queue.moves.now() * 1000)
        following = 0 if every else next_time(scheduler_id, repeat, now)
        template = {**queue.options, **{key: value for key, value in stored(options).items() if value is not None}}
        text = encode(data, f"the data of the scheduler {scheduler_id}")
        reply = await queue.moves.wire.run(
            "addJobScheduler",
            following,
            pack({"name": name, **repeat}),
            scheduler_id,
            text,
            pack(template),
            pack(_next_options(template, repeat, following, now, made=1)),
            now,
            queue.moves.wire.base,
            "",
        )
        if isinstance(reply, int):
            raise BadSchedule(id=scheduler_id, reason="a job of its next time is there already")
        job_id: bytes = reply[0]
        return job_id.decode()

    async def get(self, scheduler_id: str) -> Scheduler | None:
        """Return a scheduler, or None."""
        reply = await self._queue.moves.wire.run("getJobScheduler", scheduler_id)
        if not (reply and reply[0]):
            return None
        return _read(scheduler_id, as_fields(reply[0]), float(reply[1]))

    async def all(self) -> list[Scheduler]:
        """Return all schedulers, the one that is due next first."""
        ids = await self._queue.moves.scheduler_ids()
        found = [await self.get(scheduler_id) for scheduler_id in ids]
        return [scheduler for scheduler in found if scheduler]

    async def remove(self, scheduler_id: str) -> bool:
        """Remove a scheduler and its next job; say whether there was one."""
        wire = self._queue.moves.wire
        return int(await wire.run("removeJobScheduler", scheduler_id, wire.base)) == 0


async def follow(queue: "Queue", job: "Job") -> None:
    """Have the scheduler of a job that was taken make its next job; done twice, it makes one."""
    scheduler_id = job.scheduler_id
    assert scheduler_id
    opts = job.opts
    repeat = dict(opts.get("repeat") or {})
    made = int(repeat.get("count") or 0) + 1
    now = round(queue.moves.now() * 1000)
    if (limit := repeat.get("limit")) and made > limit:
        return
    if (end := repeat.get("endDate")) and now > end:
        return
    reference = max(now, int(opts.get("prevMillis") or 0))
    try:
        following = 0 if repeat.get("every") else next_time(scheduler_id, repeat, reference)
    except BadSchedule:
        return  # it never comes again
    left = {name: value for name, value in opts.items() if name not in {"repeat", "jobId", "delay", "prevMillis"}}
    await queue.moves.wire.run(
        "updateJobScheduler",
        following,
        scheduler_id,
        encode(job.data, "data"),
        pack(_next_options(left, repeat, following, now, made=made)),
        now,
        queue.moves.wire.base,
        job.id,
        producer=job.id,
    )


def next_time(scheduler_id: str, repeat: Mapping[str, Any], after: int) -> int:
    """Return the next time of a cron line in milliseconds, or raise BadSchedule; UNREADABLE for what is none."""
    start = max(after, int(repeat.get("startDate") or 0))
    zone, pattern = _zone(scheduler_id, repeat.get("tz")), str(repeat["pattern"])
    try:
        moment = datetime.fromtimestamp(start / 1000, UTC).astimezone(zone)
        return round(next(CronSim(pattern, moment)).timestamp() * 1000)
    except CronSimError as error:
        raise BadSchedule(id=scheduler_id, reason=f"{pattern!r} is no cron line: {error}") from None
    except (OverflowError, ValueError, OSError):
        raise BadSchedule(id=scheduler_id, reason="its next time is beyond the calendar") from None
    except StopIteration:
        raise BadSchedule(id=scheduler_id, reason=f"{pattern!r} never comes") from None


def _zone(scheduler_id: str, name: object) -> Any:
    if not name:
        return UTC
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSchedule(id=scheduler_id, reason=f"there is no time zone {name!r}") from None


def _repeat(scheduler_id: str, **given: Any) -> dict[str, Any]:
    """Return a schedule as BullMQ stores it, or raise BadSchedule."""
    cron, every, limit = given["cron"], given["every"], given["limit"]
    if (cron is None) == (every is None):
        raise BadSchedule(id=scheduler_id, reason="it needs one of cron and every")
    if every is not None and every < 0.001:
        raise BadSchedule(id=scheduler_id, reason=f"every {every} s is no time")
    if limit is not None and limit < 1:
        raise BadSchedule(id=scheduler_id, reason=f"a limit of {limit} makes no job")
    if given["end"] and given["end"].timestamp() < datetime.now(UTC).timestamp():
        raise BadSchedule(id=scheduler_id, reason=f"its end {given['end']} is over")
    made = {
        "pattern": cron,
        "every": None if every is None else round(every * 1000),
        "tz": given["tz"],
        "limit": limit,
        "startDate": given["start"] and round(given["start"].timestamp() * 1000),
        "endDate": given["end"] and round(given["end"].timestamp() * 1000),
    }
    return {name: value for name, value in made.items() if value is not None}


def _next_options(
    options: Mapping[str, Any], repeat: Mapping[str, Any], following: int, now: int, *, made: int
) -> dict[str, Any]:
    """Return the options of the next job; it carries what its own successor needs."""
    return {
        **options,
        "repeat": {**repeat, "count": made},
        "delay": max(0, following - now),
        "timestamp": now,
        "prevMillis": following,
    }


def _read(scheduler_id: str, fields: Mapping[bytes, bytes], due: float) -> Scheduler:
    def number(name: bytes, scale: float = 1.0) -> float | None:
        return float(fields[name]) / scale if name in fields else None

    limit = number(b"limit")
    return Scheduler(
        id=scheduler_id,
        name=fields.get(b"name", b"").decode(),
        data=decode(fields.get(b"data") or b"null"),
        options=decode(fields.get(b"opts") or b"{}"),
        cron=fields[b"pattern"].decode() if b"pattern" in fields else None,
        every=number(b"every", 1000),
        tz=fields[b"tz"].decode() if b"tz" in fields else None,
        limit=None if limit is None else int(limit),
        start=number(b"startDate", 1000),
        end=number(b"endDate", 1000),
        made=int(fields.get(b"ic", 0)),
        next=due / 1000,
    )
