"""`Queue`: where jobs are added and looked up. Node's BullMQ knows the same keys."""

from redyard import keys
from redyard.client import Redis
from redyard.client.coding import encode
from redyard.errors import BadKey, InvalidValue
from redyard.queue.job import Job
from redyard.queue.moves import Moves
from redyard.queue.results import Results
from redyard.queue.rules import MAX_PRIORITY, job_options
from redyard.reading import Guard

MINIMUM = 7
"""The major version of Redis that knows the flags of the scripts."""

RESERVED = {key.pattern.rpartition(":")[2] for key in keys.TABLE if key.owner == "queue"}
"""Names of a queue's own keys: a job of such a name would overwrite one."""


class Queue:
    """A queue of jobs that are tried up to `attempts` times, `backoff` seconds apart at first, then twice as long.

    `remove_on_complete` and `remove_on_fail` say how many finished jobs are kept; True keeps none, False all.
    """

    def __init__(  # noqa: PLR0913 - a queue's options, by name
        self,
        redis: Redis,
        name: str,
        *,
        attempts: int = 3,
        backoff: float = 2.0,
        remove_on_complete: int | bool = 100,
        remove_on_fail: int | bool = 50,
        allow_eviction: bool = False,
    ) -> None:
        if attempts < 1 or backoff < 0:
            raise InvalidValue(value=f"{attempts} attempts, {backoff} s", kind="retry rule", example="3 and 2.0 s")
        self.name = name
        self.moves = Moves(redis, name)
        self.results = Results(self.moves, name)
        self.options = job_options(
            attempts=attempts, backoff=backoff, keep_completed=remove_on_complete, keep_failed=remove_on_fail
        )
        owner = f"the queue {name!r}"
        self._guard = Guard(redis, owner, allow_eviction=allow_eviction, minimum=MINIMUM)

    async def add(
        self, name: str, data: object = None, *, delay: float = 0, priority: int = 0, job_id: str | None = None
    ) -> Job:
        """Add a job and return it; with a `job_id` that is known, the job is there already and nothing is added.

        Args:
            name: what kind of job it is.
            data: anything that is JSON.
            delay: seconds before it may run.
            priority: 0 for none (first of all), else 1 before 2 and so on.
            job_id: a name of your own, which makes adding twice harmless.
        """
        _check_order(delay, priority)
        if job_id is not None:
            _check_id(job_id)
        text = encode(data, f"the data of a job {name!r}")
        await self.check()
        order = {"delay": round(delay * 1000), "priority": priority}
        opts = encode({**self.options, **{name: value for name, value in order.items() if value}}, "options")
        made, timestamp, new = await self.moves.add(job_id or "", name=name, data=text, opts=opts, **order)
        if not new and (known := await self.get(made)):
            return known
        fields = {"name": name.encode(), "data": text, "opts": opts, "timestamp": b"%d" % timestamp}
        return Job(self, made, fields | {name: b"%d" % value for name, value in order.items()})

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
        await self._guard.check()

    def __repr__(self) -> str:
        return f"<Queue {self.name!r}>"


def _check_order(delay: float, priority: int) -> None:
    if not 0 <= delay < 1e10:
        raise InvalidValue(value=delay, kind="delay", example="10 (seconds)")
    if not 0 <= priority <= MAX_PRIORITY:
        raise InvalidValue(value=priority, kind="priority", example=f"1 (of 0 to {MAX_PRIORITY})")


def _check_id(job_id: str) -> None:
    keys.check("id", job_id)
    if job_id.isdecimal():
        raise BadKey(part=job_id, name="id", reason="numbers are the queue's own")
    if job_id in RESERVED:
        raise BadKey(part=job_id, name="id", reason="the queue has a key of that name")
