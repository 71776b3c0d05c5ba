"""The moves of jobs between states: each is one script, so that a job is always in exactly one place."""

from collections.abc import Mapping
from typing import NamedTuple

from redyard import keys
from redyard.client import Redis, Script, raw

MAX_STALLS = 1
"""How often a job may lose its worker before it counts as failed, as in BullMQ."""


def _script(name: str) -> Script:
    return Script("redyard.queue", name)


ADD, TAKE, FINISH, RETRY = _script("add"), _script("take"), _script("finish"), _script("retry")
RENEW, RESCUE, STATE, TELL = _script("renew"), _script("rescue"), _script("state"), _script("tell")
COUNTS = _script("counts")

STATES = {
    "waiting": keys.WAIT,
    "active": keys.ACTIVE,
    "prioritized": keys.PRIORITIZED,
    "delayed": keys.DELAYED,
    "completed": keys.COMPLETED,
    "failed": keys.FAILED,
}
"""A job's states, and the key that holds the jobs in each."""


class Taken(NamedTuple):
    """What a worker got: a job's id and fields, or None and the seconds until the next delayed job (None: none)."""

    id: str | None
    fields: dict[str, bytes]
    due: float | None


class Moves:
    """The scripts of one queue, typed."""

    def __init__(self, redis: Redis, queue: str) -> None:
        self.redis = redis
        self.prefix = keys.JOB.make(queue=queue, id="-").removesuffix("-")
        self._queue = queue
        self.names = {key.name: key.make(queue=queue) for key in _OF_QUEUE}
        self.marker = keys.MARKER.make(queue=queue)
        self.events = keys.EVENTS.make(queue=queue)

    async def add(
        self, job_id: str, *, name: str, data: bytes, opts: bytes, delay: int, priority: int
    ) -> tuple[str, int, bool]:
        """Add a job; return its id, its timestamp, and whether it is new."""
        where = (keys.WAIT, keys.PRIORITIZED, keys.DELAYED, keys.MARKER, keys.ID, keys.PRIORITY_COUNTER, keys.EVENTS)
        names = self._names(*where, keys.META)
        made, timestamp, new = await ADD.run(self.redis, names, self.prefix, job_id, name, data, opts, delay, priority)
        return made.decode(), timestamp, bool(new)

    async def take(self, token: str, lock: float) -> Taken:
        """Take the next job."""
        where = (keys.WAIT, keys.ACTIVE, keys.PRIORITIZED, keys.DELAYED, keys.MARKER, keys.EVENTS)
        names = self._names(*where, keys.PRIORITY_COUNTER)
        job_id, rest = await TAKE.run(self.redis, names, self.prefix, token, round(lock * 1000))
        if not job_id:
            return Taken(None, {}, rest / 1000 if rest >= 0 else None)
        return Taken(job_id.decode(), pairs(rest), None)

    async def finish(self, job_id: str, token: str, *, state: str, value: bytes, stack: bytes = b"", keep: int) -> bool:
        """End a job; False when the token does not hold it."""
        target = keys.COMPLETED if state == "completed" else keys.FAILED
        names = self._names(keys.ACTIVE, target, keys.EVENTS)
        return bool(await FINISH.run(self.redis, names, self.prefix, job_id, token, state, value, stack, keep))

    async def retry(self, job_id: str, token: str, *, delay: float, reason: bytes = b"", stack: bytes = b"[]") -> bool:
        """Put an active job back for another attempt after a delay; -1 gives it up uncounted."""
        where = (keys.ACTIVE, keys.WAIT, keys.PRIORITIZED, keys.DELAYED, keys.MARKER, keys.EVENTS)
        names = self._names(*where, keys.PRIORITY_COUNTER)
        milliseconds = -1 if delay < 0 else round(delay * 1000)
        return bool(await RETRY.run(self.redis, names, self.prefix, job_id, token, milliseconds, reason, stack))

    async def renew(self, job_ids: Mapping[str, str], lock: float) -> list[str]:
        """Renew the locks of jobs by their tokens; return the tokens whose jobs are lost."""
        names = self._names(keys.ACTIVE)
        words = [word for pair in job_ids.items() for word in pair]
        lost = await RENEW.run(self.redis, names, self.prefix, round(lock * 1000), *words)
        return [token.decode() for token in lost]

    async def rescue(self) -> list[str]:
        """Put jobs back that nobody holds; return their ids."""
        names = self._names(keys.ACTIVE, keys.WAIT, keys.FAILED, keys.MARKER, keys.EVENTS)
        stalled = await RESCUE.run(self.redis, names, self.prefix, MAX_STALLS)
        return [job_id.decode() for job_id in stalled]

    async def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        numbers = await COUNTS.run(self.redis, self._names(*STATES.values()))
        return dict(zip(STATES, numbers, strict=True))

    async def state(self, job_id: str) -> str:
        """Return where a job is."""
        state: bytes = await STATE.run(self.redis, self._names(*STATES.values()), job_id)
        return state.decode()

    async def tell(self, job_id: str, kind: str, text: str | bytes) -> bool:
        """Keep a job's progress or a line of its log; False when there is no such job."""
        job, logs = (key.make(queue=self._queue, id=job_id) for key in (keys.JOB, keys.LOGS))
        return bool(await TELL.run(self.redis, [job, logs, self.events], job_id, kind, text))

    async def read(self, job_id: str) -> dict[str, bytes]:
        """Return a job's fields, none where there is no such job."""
        reply = await raw(self.redis, "HGETALL", keys.JOB.make(queue=self._queue, id=job_id))
        return {name.decode(): value for name, value in reply.items()} if isinstance(reply, Mapping) else pairs(reply)

    async def logs(self, job_id: str) -> list[str]:
        """Return a job's log."""
        lines = await raw(self.redis, "LRANGE", keys.LOGS.make(queue=self._queue, id=job_id), 0, -1)
        return [line.decode(errors="replace") for line in lines]

    async def ring(self) -> None:
        """Wake a worker."""
        await self.redis.zadd(self.marker, {"0": 0})

    def _names(self, *rows: keys.Key) -> list[str]:
        return [self.names[row.name] for row in rows]


_OF_QUEUE = [key for key in keys.TABLE if key.owner == "queue" and "{id}" not in key.pattern]


def pairs(flat: list[bytes]) -> dict[str, bytes]:
    """Return a hash's fields from a script's reply."""
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
