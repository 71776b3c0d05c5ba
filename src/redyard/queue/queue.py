"""`Queue`: where jobs are added and looked up. Node's BullMQ shares it: the same keys, the same scripts."""

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from redis.exceptions import OutOfMemoryError

from redyard.client import Redis
from redyard.client.coding import encode
from redyard.errors import BadFlow, InvalidValue, JobTooLarge, ServerFull
from redyard.queue.flows import Flow, lay_out
from redyard.queue.job import Job
from redyard.queue.moves import Moves, New, Parent, new_id
from redyard.queue.results import Results
from redyard.queue.rules import Backoff, JobOptions, Keep, stored
from redyard.queue.schedulers import Schedulers
from redyard.queue.tasks import Tasks
from redyard.queue.tending import Tending
from redyard.queue.wire import pack
from redyard.reading import Guard

MINIMUM = 7
"""The major version of Redis that knows the flags of the scripts."""

NO_PARENT = -5
"""What the scripts answer when a job's parent is not there."""

SPECIAL = {"delay", "priority", "lifo", "de"}
"""Options of jobs that are added by themselves."""


class Queue(Tasks, Tending):
    """A queue of jobs that are tried up to `attempts` times, `backoff` seconds apart at first, then twice as long.

    Args:
        redis: a client of a server that does not evict, Valkey or Redis from 7 on.
        name: the queue's name; Node's BullMQ knows it by the same one.
        attempts: how often a job is tried, unless its own options say otherwise; so with the next three.
        backoff: seconds before the second attempt, or a Backoff.
        remove_on_complete: how many completed jobs are kept, or a Keep; True keeps none, False all.
        remove_on_fail: how many failed jobs are kept.
        timeout: seconds after which adding a job fails when Redis is away; the client's (5) by default.
        size_limit: bytes that a job's data may have; None for no limit.
        allow_eviction: accept a server that throws jobs away when its memory is full.
    """

    def __init__(  # noqa: PLR0913 - a queue's options, by name
        self,
        redis: Redis,
        name: str,
        *,
        attempts: int = 3,
        backoff: float | Backoff = 2.0,
        remove_on_complete: int | bool | Keep = 100,
        remove_on_fail: int | bool | Keep = 50,
        timeout: float | None = None,
        size_limit: int | None = None,
        allow_eviction: bool = False,
    ) -> None:
        self.name = name
        self.moves = Moves(redis, name, timeout=timeout)
        self.results = Results(self.moves, name)
        self.schedulers = Schedulers(self)
        self.options = _given(
            attempts=attempts, backoff=backoff, remove_on_complete=remove_on_complete, remove_on_fail=remove_on_fail
        )
        self.size_limit = size_limit
        self._plain = _write(self.options)
        self._stay = _stays(self.options)
        self._guard = Guard(redis, f"the queue {name!r}", allow_eviction=allow_eviction, minimum=MINIMUM)
        self._checked = False

    # ---- adding

    async def add(self, name: str, data: object = None, **options: Unpack[JobOptions]) -> Job:
        """Add a job and return it; with a `job_id` that is known, the job is there already and nothing is added.

        Args:
            name: what kind of job it is.
            data: anything that is JSON.
            options: see JobOptions: delay, priority, lifo, attempts, backoff, deadline, job_id, deduplication,
                remove_on_complete, remove_on_fail, keep_logs.
        """
        return await self.send(self.new(name, data, options))

    async def add_bulk(self, jobs: Iterable[tuple[str, object] | tuple[str, object, JobOptions]]) -> list[Job]:
        """Add jobs, each `(name, data)` or `(name, data, options)`, in one batch, and return them.

        A server whose memory fills up meanwhile refuses the rest: ServerFull.
        """
        made = [self.new(name, data, rest[0] if rest else {}) for name, data, *rest in jobs]
        if not self._checked:
            await self.check()
            made = [new._replace(added=self.moves.now()) for new in made]
        replies = await self.moves.add_all(made)
        if any(isinstance(reply, OutOfMemoryError) for reply in replies):
            raise ServerFull(queue=self.name)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return [await self.added(new, reply) for new, reply in zip(made, replies, strict=True)]

    async def add_flow(self, flow: Flow) -> Job:
        """Add a tree of jobs at once, and return its root, which runs when its children have completed."""
        return await lay_out(self, flow)

    def new(
        self, name: str, data: object, options: Mapping[str, Any], *, parent: Parent | None = None, waits: bool = False
    ) -> New:
        """Check a job and return it, ready to be sent."""
        text, now = encode(data, f"the data of a job {name!r}"), self.moves.now()
        if self.size_limit is not None and len(text) > self.size_limit:
            raise JobTooLarge(name=name, size=len(text), queue=self.name, limit=self.size_limit)
        alone = parent is None and not waits
        if not options:
            packed, written = self._plain
            plain = alone and self._stay
            return New(new_id(), name, text, written, packed, 0, 0, "", parent, waits, now, self._stay, plain)
        opts = {key: value for key, value in {**self.options, **stored(options)}.items() if value is not None}
        packed, written = _write(opts)
        stays = _stays(opts)
        return New(
            opts.get("jobId") or new_id(),
            name,
            text,
            written,
            packed,
            opts.get("delay", 0),
            opts.get("priority", 0),
            opts.get("de", {}).get("id", ""),
            parent,
            waits,
            now,
            stays,
            alone and stays and SPECIAL.isdisjoint(opts),
        )

    async def send(self, new: New) -> Job:
        """Add a job that was checked by `new`, and return it."""
        if not self._checked:
            await self.check()
            new = new._replace(added=self.moves.now())  # by the server's clock, which is known now
        try:
            made = await self.moves.add(new)
        except OutOfMemoryError:
            raise ServerFull(queue=self.name) from None
        return await self.added(new, made)

    async def added(self, new: New, made: str | int) -> Job:
        """Return the job as it is: a new one as it was sent, one that was there already as it is there."""
        if isinstance(made, int):
            reason = "its parent does not exist" if made == NO_PARENT else "it has another parent already"
            raise BadFlow(name=new.name, reason=reason)
        if (made != new.id or b'"jobId"' in new.written) and (known := await self.get(made)):
            return known
        fields = {
            b"name": new.name.encode(),
            b"data": new.data,
            b"opts": new.written,
            b"timestamp": b"%d" % round(new.added * 1000),
            b"delay": b"%d" % new.delay,
            b"priority": b"%d" % new.priority,
        }
        return Job(self, made, fields)

    # ---- looking

    async def get(self, job_id: str) -> Job | None:
        """Return a job as it is now, or None where there is none (any more)."""
        await self.check()
        fields = await self.moves.read(job_id)
        return Job(self, job_id, fields) if fields else None

    async def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state, all of the same moment."""
        await self.check()
        return await self.moves.counts()

    async def check(self) -> None:
        """Raise EvictingServer or ServerTooOld where jobs are not safe; ask the server once."""
        if not self._checked:
            await self._guard.check()
            await self.moves.learn_time()
            self._checked = True

    # ---- all workers of the queue

    async def pause(self) -> None:
        """Have no worker take a job until `resume`; jobs that run go on."""
        await self.moves.pause()

    async def resume(self) -> None:
        """Have workers take jobs again."""
        await self.moves.resume()

    async def is_paused(self) -> bool:
        """Say whether the queue is paused."""
        return await self.moves.setting("paused") is not None

    async def set_concurrency(self, jobs: int | None) -> None:
        """Have at most so many of the queue's jobs run at once, in all workers together; None for no limit."""
        if jobs is not None and jobs < 1:
            raise InvalidValue(value=jobs, kind="number of jobs at once", example="5, or None for no limit")
        await self.moves.set({"concurrency": jobs})

    async def set_rate(self, jobs: int | None, seconds: float = 1.0) -> None:
        """Have workers take at most so many jobs in so many seconds, all together; None for no limit."""
        if jobs is not None and (jobs < 1 or seconds <= 0):
            raise InvalidValue(value=f"{jobs} in {seconds} s", kind="rate", example="10 in 1.0 s, or None for no limit")
        await self.moves.set({"max": jobs, "duration": None if jobs is None else round(seconds * 1000)})

    async def rate_limit(self, seconds: float) -> None:
        """Have no job taken for some seconds, by workers that have a `limit`, or of a queue that has a rate."""
        await self.moves.use_up_rate(seconds)

    def __repr__(self) -> str:
        return f"<Queue {self.name!r}>"


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in stored(options).items() if value is not None}


def _stays(options: Mapping[str, Any]) -> bool:
    """Say whether a job is still there when it is done: then adding it again is seen to be that."""
    rule = options.get("removeOnComplete")
    return rule is None or rule is False or (bool(rule) and rule is not True)


def _write(options: Mapping[str, Any]) -> tuple[bytes, bytes]:
    return pack(options), encode(options, "options")
