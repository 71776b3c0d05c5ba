"""Looking into a queue: its jobs by state, by name and by what is in them, its failures, its metrics, its workers."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from redyard import keys
from redyard.client import Redis, raw
from redyard.errors import InvalidValue
from redyard.queue.bell import connection_name
from redyard.queue.heartbeat import Heartbeat, read_heartbeats
from redyard.queue.job import Job
from redyard.queue.moves import STATES, Moves, as_fields
from redyard.queue.results import Results
from redyard.queue.stream import END, JobEvent

if TYPE_CHECKING:
    from redyard.queue.queue import Queue

BRIEF = 5
"""Names of jobs that are told of a failure."""

PAGE = 200
"""Jobs that are read at once when many are looked through."""

BACKFILL = 100
"""How often the script looks on when jobs of a page are gone, as in BullMQ."""

MOST = 10_000
"""Jobs that a search looks through, the newest first, unless told otherwise."""

REASON = 200
"""Characters of a reason by which failures are told apart."""


class Failure(NamedTuple):
    """Jobs that failed for the same reason: how many, the newest of them, and when that was (Unix time, seconds)."""

    reason: str
    jobs: int
    names: list[str]
    newest: str
    at: float | None


class Rates(NamedTuple):
    """Jobs that ended in one way: how many ever, and how many in each of the last minutes, the newest last.

    The last minute is the one that runs, by the server's clock.
    """

    total: int
    by_minute: list[int]


class WorkerSeen(NamedTuple):
    """A worker: one connection that waits for jobs, and what its heartbeat says where it is one of ours."""

    name: str
    address: str
    idle: float
    heartbeat: Heartbeat | None


class Looking:
    """The part of a queue that shows it. Nothing here changes a job."""

    name: str
    moves: Moves
    results: Results

    async def check(self) -> None:
        """Raise EvictingServer or ServerTooOld where jobs are not safe."""
        raise NotImplementedError

    async def jobs(self, state: str, *, start: int = 0, count: int = 20, oldest_first: bool = False) -> list[Job]:
        """Return a page of the jobs in a state; the first is the one that came there last.

        Args:
            state: waiting, active, prioritized, delayed, waiting-children, completed or failed.
            start: how many are passed over.
            count: how many are returned at most.
            oldest_first: turn the order.
        """
        await self.check()
        return await self._page(state, start, count, oldest_first=oldest_first)

    async def search(
        self,
        *,
        name: str | None = None,
        where: Mapping[str, object] | None = None,
        states: Iterable[str] = tuple(STATES),
        limit: int = 20,
        most: int = MOST,
    ) -> list[Job]:
        """Return jobs of a name, and with certain values in their data, the newest of each state first.

        Args:
            name: the jobs' name.
            where: fields of the data and the values that they must have; "user.id" looks into an object.
            states: where to look.
            limit: how many are returned at most.
            most: how many are looked through at most in each state: a queue may hold millions.
        """
        await self.check()
        found: list[Job] = []
        for state in states:
            async for job in self._each(state, most):
                if (name is None or job.name == name) and all(_has(job, path, value) for path, value in _items(where)):
                    found.append(job)
                    if len(found) >= limit:
                        return found
        return found

    async def failures(self, *, most: int = MOST) -> list[Failure]:
        """Return the dead letters: failed jobs by their reason, the most frequent first."""
        await self.check()
        groups: dict[str, list[Job]] = {}
        async for job in self._each("failed", most):
            groups.setdefault((job.failed_reason or "")[:REASON], []).append(job)
        return sorted((_failure(reason, jobs) for reason, jobs in groups.items()), key=lambda group: -group.jobs)

    async def metrics(self, state: str = "completed", *, minutes: int = 60) -> Rates:
        """Return how many jobs completed, or failed, in the last minutes (a day at most), as the workers counted."""
        if state not in {"completed", "failed"}:
            raise InvalidValue(value=state, kind="state of ended jobs", example="completed or failed")
        await self.check()
        (total, last, before), points, _ = await self.moves.wire.run("getMetrics", 0, minutes - 1, state=state)
        newest, now = int(last or 0) // 60_000, int(self.moves.now() // 60)
        counted = [int(total or 0) - int(before or 0), *map(int, points)]  # from the newest minute backwards
        ages = [newest - minute for minute in range(now - minutes + 1, now + 1)]
        return Rates(int(total or 0), [counted[age] if 0 <= age < len(counted) else 0 for age in ages])

    def events(self, since: str | None = None) -> AsyncGenerator[JobEvent, None]:
        """Yield what happens in the queue, from now on; the reader ends with the loop (`contextlib.aclosing` ends it).

        Args:
            since: the `id` of an event after which to begin, "0" for the oldest that is kept.
        """
        return self.results.events(since)

    async def waited(self) -> float:
        """Return for how many seconds the oldest job in line waits, 0 where none does: what people feel of a queue."""
        oldest = await self._page("waiting", 0, 1, oldest_first=True)
        since = oldest[0].added_at if oldest else None
        return max(0.0, self.moves.now() - since) if since else 0.0

    async def timeline(self, job: Job) -> list[JobEvent]:
        """Return what happened to a job, the oldest first, as far as the queue's events are kept (about 10,000)."""
        story, before = [], END
        while page := await self.results.backwards(before):
            for event in page:
                if event.job_id == job.id:
                    story.append(event)
                    if event.name == "added":
                        return story[::-1]
            before = page[-1].id
        return story[::-1]

    async def workers(self) -> list[WorkerSeen]:
        """Return the workers that are connected now: ours, and those of BullMQ in Node and Python."""
        await self.check()
        listed = await raw(self.moves.redis, "CLIENT", "LIST")
        beats = {beat.name: beat for beat in await read_heartbeats(self.moves)}
        seen = []
        for line in listed.decode(errors="replace").splitlines():
            client = dict(word.partition("=")[::2] for word in line.split(" "))
            name = worker_name(self.name, client.get("name", ""))
            if name is not None:
                seen.append(WorkerSeen(name, client.get("addr", ""), float(client.get("idle", 0)), beats.get(name)))
        return seen

    async def _page(self, state: str, start: int, count: int, *, oldest_first: bool) -> list[Job]:
        if state not in STATES:
            raise InvalidValue(value=state, kind="state", example=", ".join(STATES))
        words = (start, start + count - 1, "1" if oldest_first else "0", BACKFILL, STATES[state])
        (entries,) = await self.moves.wire.run("getJobs", *words)
        queue: Queue = self  # type: ignore[assignment] # this is a part of it
        return [Job(queue, job_id.decode(), as_fields(flat)) for job_id, flat in entries]

    async def _each(self, state: str, most: int) -> AsyncIterator[Job]:
        """Yield the jobs of a state by pages; jobs that move meanwhile are told once, or not at all."""
        seen: set[str] = set()
        for start in range(0, most, PAGE):
            page = await self._page(state, start, min(PAGE, most - start), oldest_first=False)
            for job in page:
                if job.id not in seen:
                    seen.add(job.id)
                    yield job
            if len(page) < PAGE:
                return


def worker_name(queue: str, name: str) -> str | None:
    """Return the name of a worker by its connection's, "" for one without, None for what is no worker of the queue."""
    for known in (connection_name(queue), f"bull:{queue}"):  # Node's and ours, and that of BullMQ in Python
        if name == known:
            return ""
        if name.startswith(f"{known}:w:"):
            return name.removeprefix(f"{known}:w:")
    return None


def _failure(reason: str, jobs: list[Job]) -> Failure:
    names = list(islice(dict.fromkeys(job.name for job in jobs), BRIEF))
    return Failure(reason, len(jobs), names, jobs[0].id, jobs[0].finished_at)


def _items(where: Mapping[str, object] | None) -> Iterable[tuple[str, object]]:
    return (where or {}).items()


def _has(job: Job, path: str, value: object) -> bool:
    try:
        found: Any = job.data
    except ValueError:  # somebody wrote what is no JSON
        return False
    for part in path.split("."):
        if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, dict) and part in found:
            found = found[part]
        else:
            return False
    return bool(found == value)


async def queue_names(redis: Redis) -> list[str]:
    """Return the names of all queues on a server; it passes over all keys, without keeping others waiting."""
    pattern = keys.META.make(queue="*")
    before, after = pattern.split("*")
    found = [key async for key in redis.scan_iter(match=pattern, count=PAGE, _type="hash")]
    names = [key.decode() if isinstance(key, bytes) else str(key) for key in found]
    return sorted({name.removeprefix(before).removesuffix(after) for name in names})
