"""The moves of jobs between states: each is one script, so that a job is always in exactly one place."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import NoScriptError

from redyard import keys
from redyard.client import Redis, Words, raw
from redyard.client.coding import encode
from redyard.queue.together import Together, cut
from redyard.queue.wire import Wire, Word, pack

MAX_STALLS = 1
"""How often a job may lose its worker before it counts as failed, as in BullMQ."""

KEEP_LOGS = 1000
"""Lines of a job's log that are kept when its options do not say."""

STATES = {
    "waiting": "wait",
    "active": "active",
    "prioritized": "prioritized",
    "delayed": "delayed",
    "waiting-children": "waiting-children",
    "completed": "completed",
    "failed": "failed",
}
"""A job's states, and the end of the key that holds the jobs in each."""

CANCEL_HEARD = 3600
"""Seconds for which a worker that comes back hears that a job in its hands was cancelled."""

USED_UP = 2**53 - 1
"""What BullMQ writes for a rate that is used up."""

BATCH = 500
"""Jobs that go in one write: a larger one would keep the server from other callers."""

Fields = dict[bytes, bytes]


class Parent(NamedTuple):
    """A job's parent: its id, its queue's prefix without the last colon, and what a failure means to it."""

    id: str
    queue: str
    flags: Mapping[str, object] = {}

    @property
    def key(self) -> str:
        """Return the parent's key."""
        return f"{self.queue}:{self.id}"


class New(NamedTuple):
    """A job to be added: JSON for its data, JSON and msgpack for its options."""

    id: str
    name: str
    data: bytes
    written: bytes
    options: bytes
    delay: int = 0
    priority: int = 0
    deduplication: str = ""
    parent: Parent | None = None
    waits: bool = False
    """It has children that come first."""
    added: float = 0.0
    """When, in seconds of the server's clock."""
    stays: bool = True
    """It does not vanish when it is done: sent twice, it is added once."""
    plain: bool = False
    """It waits for nothing but its turn, and can be added together with others."""


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What a worker got: a job, or why not: seconds for which the queue's rate is used up, or when one is due."""

    id: str
    fields: Fields
    limited: float
    due: float
    """When the next delayed job is due, in seconds of the server's clock; 0 for none."""


NOTHING = Taken("", {}, 0.0, 0.0)


class Moves:
    """The scripts of one queue, typed. Times that go to Redis are of the server's clock, whatever ours says."""

    def __init__(self, redis: Redis, queue: str, *, timeout: float | None = None) -> None:
        self.redis = redis
        self.queue = queue
        self.wire = Wire(redis, queue)
        self.marker = self.wire.key("marker")
        self.events = self.wire.key("events")
        self._once = redis.having(timeout=timeout)
        self._safe = redis.having(timeout=timeout, idempotent=True)
        self._ahead = 0.0
        self._adding = {name: self.wire.head(name) for name in _ADD}
        self._appending = (*self.wire.head("append"), self.wire.base)
        self._together = Together(self._append, _weigh)

    # ---- the clock

    def now(self) -> float:
        """Return the time of the server's clock."""
        return time.time() + self._ahead

    async def learn_time(self) -> None:
        """Ask for the server's time: a machine whose clock is off must not start delayed jobs early or late.

        It was read between question and answer, so what is known of its clock changes only as far as it must: a slow
        answer tells little, and clocks that agree stay so.
        """
        before = time.time()
        seconds, micros = await raw(self.redis, "TIME")
        server = int(seconds) + int(micros) / 1e6
        self._ahead = min(max(self._ahead, server - time.time()), server - before)

    # ---- adding

    def words(self, job: New) -> tuple[str, Words]:
        """Return the script that adds a job, and its call."""
        name, args = self._arguments(job)
        return name, (*self._adding[name], args, job.data, job.options)

    def _arguments(self, job: New) -> tuple[str, bytes]:
        parent = job.parent
        args = (
            self.wire.base,
            job.id,
            job.name,
            round(job.added * 1000),
            parent and parent.key,
            parent and f"{parent.key}:dependencies",
            parent and {"id": parent.id, "queueKey": parent.queue, **parent.flags},
            None,
            f"{self.wire.base}de:{job.deduplication}" if job.deduplication else None,
        )
        if job.waits:
            name = "addParentJob"
        elif job.delay:
            name = "addDelayedJob"
        else:
            name = "addPrioritizedJob" if job.priority else "addStandardJob"
        return name, pack(args)

    async def add(self, job: New) -> str | int:
        """Add a job and return its id (another's, when it was dropped for that one), or BullMQ's number of an error.

        Its id is made by us, so that a call whose answer was lost can be sent again and makes no second job.
        """
        if job.plain:
            made: str = await self._together.ask(job)
            return made
        name, words = self.words(job)
        reply = await self.wire.send(name, words, self._safe if job.stays else self._once)
        return reply if isinstance(reply, int) else str(reply.decode())

    async def _append(self, jobs: Sequence[New]) -> list[str]:
        await self.wire.send("append", self._appending + _append_words(jobs), self._safe)
        return [job.id for job in jobs]

    async def add_all(self, jobs: Sequence[New]) -> list[Any]:
        """Add jobs in one batch; return what `add` would for each, errors among them."""
        shares = [jobs[part] for part in cut(jobs, _weigh)]
        calls = [self._call(share) for share in shares]
        redis = self._safe if all(job.stays for job in jobs) else self._once
        flags = redis.script_flags
        replies: list[Any] = []
        for start in range(0, len(calls), BATCH):
            replies += await redis.send_batch([(words, flags) for _, words in calls[start : start + BATCH]])
        for place, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                replies[place] = await self.wire.send(*calls[place], redis)
        return [answer for share, reply in zip(shares, replies, strict=True) for answer in _answers(share, reply)]

    def _call(self, share: Sequence[New]) -> tuple[str, Words]:
        if share[0].plain:
            return "append", self._appending + _append_words(share)
        return self.words(share[0])

    # ---- a worker's

    async def finish(
        self, job_id: str, state: str, value: bytes, *, options: bytes, fields: bytes = b"", take: bool = True
    ) -> Taken | int:
        """End a job and take the next one; or return the number of an error."""
        kind = "returnvalue" if state == "completed" else "failedReason"
        head = self.wire.head("moveToFinished", state=state, id=job_id)
        now, base = round(self.now() * 1000), self.wire.base
        words = (*head, job_id, now, kind, value, state, "1" if take else "0", base, options, fields)
        reply = await self.wire.send("moveToFinished", words)
        return parse(reply) if isinstance(reply, list) else int(reply)

    async def again(self, job_id: str, token: str, *, delay: float, fields: bytes, lifo: bool = False) -> int:
        """Put an active job back for another attempt, after `delay` seconds; return 0, or the number of an error."""
        now = round(self.now() * 1000)
        if delay > 0:
            late = (self.wire.base, now, job_id, token, round(delay * 1000), "0", fields, "0")
            return int(await self.wire.run("moveToDelayed", *late, id=job_id))
        soon = (self.wire.base, now, "RPUSH" if lifo else "LPUSH", job_id, token, fields)
        return int(await self.wire.run("retryJob", *soon, id=job_id))

    async def give_back(self, job_id: str, token: str) -> int:
        """Put an active job back, no attempt counted; return the rest of a limit in ms, or the number of an error."""
        return int(await self.wire.run("moveJobFromActiveToWait", job_id, token, self.wire.key(job_id)))

    async def wait_for_children(self, job_id: str, token: str) -> int:
        """Put an active job aside until its children have ended; 1 when they have already."""
        now = round(self.now() * 1000)
        return int(await self.wire.run("moveToWaitingChildren", token, "", now, job_id, self.wire.base, id=job_id))

    async def extend(self, tokens: Mapping[str, str], lock: float) -> list[str]:
        """Renew the locks of jobs by their tokens; return the tokens whose jobs are lost.

        A lock that ran out in an outage is taken again where nobody took the job yet.
        """
        ids = list(tokens.values())
        milliseconds = round(lock * 1000)
        lost = await self.wire.run("extendLocks", self.wire.base, pack(list(tokens)), pack(ids), milliseconds)
        failed = {word.decode() for word in lost}
        gone = []
        for token, job_id in tokens.items():
            if job_id in failed and not await self.regain(job_id, token, lock):
                gone.append(token)
        return gone

    async def regain(self, job_id: str, token: str, lock: float) -> bool:
        """Lock an active job again that nobody holds; say whether the token holds it now."""
        return bool(await self.wire.run("regain", job_id, token, round(lock * 1000), id=job_id))

    async def find(self, tokens: Sequence[str], given_up: str = "") -> list[Taken]:
        """Return the active job that each token holds, if any: what has become of a call whose answer was lost.

        From now on none is taken for the wait that is given up.
        """
        words: Words = (self.wire.base, given_up, keys.GIVEN_UP.lifetime.seconds, *tokens)
        found = {holder.decode(): rest for holder, *rest in await self.wire.run("find", *words)}
        jobs = {token: Taken(job_id.decode(), as_fields(flat), 0.0, 0.0) for token, (job_id, flat) in found.items()}
        return [jobs.get(token, NOTHING) for token in tokens]

    async def rescue(self, every: float) -> list[str]:
        """Put jobs back that nobody holds, once in so many seconds among all workers; return their ids."""
        args = (MAX_STALLS, self.wire.base, round(self.now() * 1000), round(every * 1000))
        return [job_id.decode() for job_id in await self.wire.run("moveStalledJobsToWait", *args)]

    async def cancelled(self, job_ids: list[str]) -> list[str]:
        """Return which of these jobs were cancelled."""
        answers = await raw(self.redis, "SMISMEMBER", self.wire.key("redyard-cancelled"), *job_ids)
        return [job_id for job_id, was in zip(job_ids, answers, strict=True) if was]

    async def forget_cancelled(self, job_id: str) -> None:
        """Forget that a job was cancelled: it has heard."""
        await raw(self.redis, "SREM", self.wire.key("redyard-cancelled"), job_id)

    async def ring(self) -> None:
        """Wake a worker."""
        await raw(self.redis, "ZADD", self.marker, 0, "0")

    # ---- anybody's

    async def cancel(self, job_id: str, reason: str) -> bool:
        """Cancel a job that has not finished; say whether there is one."""
        return bool(await self.wire.run("cancel", job_id, reason, CANCEL_HEARD, id=job_id))

    async def pause(self) -> None:
        """Have no worker take a job."""
        await self.wire.run("pause", "paused", "1", state="wait", other="paused")

    async def resume(self) -> None:
        """Have workers take jobs again; jobs that an older BullMQ put aside come back in parts."""
        first = "1"
        while int(await self.wire.run("pause", "resumed", first, state="paused", other="wait") or 0) > 0:
            first = "0"

    async def set(self, settings: Mapping[str, int | None]) -> None:
        """Write settings of the queue; None takes one away."""
        key = self.wire.key("meta")
        for name, value in settings.items():
            await (raw(self.redis, "HDEL", key, name) if value is None else raw(self.redis, "HSET", key, name, value))
        await self.ring()

    async def setting(self, name: str) -> bytes | None:
        """Read a setting of the queue."""
        value: bytes | None = await raw(self.redis, "HGET", self.wire.key("meta"), name)
        return value

    async def use_up_rate(self, seconds: float) -> None:
        """Use up the queue's rate for some seconds."""
        await raw(self.redis, "SET", self.wire.key("limiter"), USED_UP, "PX", max(1, round(seconds * 1000)))

    async def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        return dict(zip(STATES, await self.wire.run("getCounts", *STATES.values()), strict=True))

    async def state(self, job_id: str) -> str:
        """Return where a job is."""
        state: bytes = await self.wire.run("getStateV2", job_id)
        return state.decode()

    async def tell_progress(self, job_id: str, progress: bytes) -> bool:
        """Keep a job's progress; False when there is no such job."""
        return int(await self.wire.run("updateProgress", job_id, progress, id=job_id)) >= 0

    async def tell_log(self, job_id: str, line: str, keep: int = KEEP_LOGS) -> bool:
        """Add a line to a job's log; False when there is no such job."""
        return int(await self.wire.run("addLog", job_id, line, keep, id=job_id)) >= 0

    async def read(self, job_id: str) -> Fields:
        """Return a job's fields, none where there is no such job."""
        return as_fields(await raw(self.redis, "HGETALL", self.wire.key(job_id)))

    async def hash(self, end: str) -> dict[str, bytes]:
        """Return one of the queue's hashes by the end of its key."""
        fields = as_fields(await raw(self.redis, "HGETALL", self.wire.key(end)))
        return {name.decode(): value for name, value in fields.items()}

    async def scheduler_ids(self) -> list[str]:
        """Return the ids of the queue's schedulers, the one that is due next first."""
        return [name.decode() for name in await raw(self.redis, "ZRANGE", self.wire.key("repeat"), 0, -1)]

    async def logs(self, job_id: str) -> list[str]:
        """Return a job's log."""
        lines = await raw(self.redis, "LRANGE", self.wire.key(f"{job_id}:logs"), 0, -1)
        return [line.decode(errors="replace") for line in lines]


_ADD = ("addStandardJob", "addDelayedJob", "addPrioritizedJob", "addParentJob")


def new_id() -> str:
    """Make a job's id: text that is no number, since numbers are the queue's own."""
    return "j" + secrets.token_hex(11)


def _weigh(job: New) -> tuple[int, object]:
    """Say what a job weighs; one that is not plain shares a call with no other."""
    return len(job.data), job.plain or object()


def _append_words(jobs: Sequence[New]) -> Words:
    words: list[Word] = []
    for job in jobs:
        words += (job.id, job.name, job.data, job.written, round(job.added * 1000))
    return tuple(words)


def _answers(share: Sequence[New], reply: Any) -> list[Any]:
    """Return the answer to each job of one call."""
    if share[0].plain and not isinstance(reply, Exception):
        return [job.id for job in share]
    return [reply.decode() if isinstance(reply, bytes) else reply] * len(share)


def failure_fields(reason: str, stacks: list[str]) -> bytes:
    """Pack the fields of a failed attempt."""
    return pack(["failedReason", reason, "stacktrace", encode(stacks, "stack").decode()])


def parse(reply: list[Any]) -> Taken:
    """Read what a script says of the next job."""
    flat, job_id, limited, due = reply
    if flat:
        return Taken(job_id.decode(), as_fields(flat), 0.0, 0.0)
    return Taken("", {}, int(limited) / 1000, float(due) / 1000)


def as_fields(reply: Any) -> Fields:
    """Return a hash's fields, which come as a list or, in RESP3, as a mapping."""
    if isinstance(reply, dict):
        return reply
    words = iter(reply)
    return dict(zip(words, words, strict=True))
