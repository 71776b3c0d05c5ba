"""`Job`: a piece of work in a queue, as it was when it was read."""

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from redyard.client.coding import decode, encode
from redyard.queue import flows
from redyard.queue.rules import JobOptions

if TYPE_CHECKING:
    from redyard.queue.queue import Queue


class Job:
    """A job. Times are Unix times in seconds, None for what has not happened; `attempts_made` counts ended attempts.

    Its fields are read when they are asked for: a worker runs many jobs of which nobody looks at more than the data.
    """

    def __init__(self, queue: "Queue", job_id: str, fields: Mapping[bytes, bytes]) -> None:
        self.queue = queue
        self.id = job_id
        self.fields = fields
        """The job's fields as they are stored."""
        self._read: dict[bytes, Any] = {}

    @property
    def name(self) -> str:
        """What kind of job it is."""
        return self.fields.get(b"name", b"").decode()

    @property
    def data(self) -> Any:
        """What the handler works with."""
        return self._decoded(b"data", b"null")

    @property
    def opts(self) -> dict[str, Any]:
        """The job's options, by BullMQ's names."""
        value: dict[str, Any] = self._decoded(b"opts", b"{}")
        return value

    @property
    def progress(self) -> Any:
        """How far it is, as its handler told."""
        return self._decoded(b"progress", b"0")

    @property
    def return_value(self) -> Any:
        """What its handler returned."""
        return self._decoded(b"returnvalue", b"null")

    @property
    def stack_traces(self) -> list[str]:
        """The stacks of its failed attempts, the newest last."""
        value: list[str] = self._decoded(b"stacktrace", b"[]")
        return value

    @property
    def failed_reason(self) -> str | None:
        """Why its last attempt failed."""
        reason = self.fields.get(b"failedReason")
        return None if reason is None else reason.decode(errors="replace")

    @property
    def priority(self) -> int:
        """0 for none (first of all), else 1 before 2 and so on."""
        return self._number(b"priority")

    @property
    def delay(self) -> float:
        """Seconds that it waits, or waited, before it runs."""
        return self._number(b"delay") / 1000

    @property
    def attempts_made(self) -> int:
        """How many attempts have ended."""
        return self._number(b"atm")

    @property
    def attempts_started(self) -> int:
        """How many attempts have begun."""
        return self._number(b"ats")

    @property
    def stalls(self) -> int:
        """How often it lost its worker."""
        return self._number(b"stc")

    @property
    def added_at(self) -> float | None:
        """When it was added."""
        return self._time(b"timestamp")

    @property
    def processed_at(self) -> float | None:
        """When its last attempt began."""
        return self._time(b"processedOn")

    @property
    def finished_at(self) -> float | None:
        """When it completed or failed for good."""
        return self._time(b"finishedOn")

    @property
    def processed_by(self) -> str | None:
        """The name of the worker that took it last."""
        name = self.fields.get(b"pb")
        return name.decode(errors="replace") if name else None

    @property
    def parent_key(self) -> str | None:
        """The key of its parent in a flow."""
        key = self.fields.get(b"parentKey")
        return key.decode() if key else None

    @property
    def scheduler_id(self) -> str | None:
        """The id of the scheduler that made it."""
        key = self.fields.get(b"rjk")
        return key.decode() if key else None

    @property
    def deduplication_id(self) -> str | None:
        """What keeps like jobs out."""
        key = self.fields.get(b"deid")
        return key.decode() if key else None

    async def state(self) -> str:
        """Return where the job is: a name of `queue.counts()`, or `unknown`."""
        return await self.queue.moves.state(self.id)

    async def result(self, timeout: float = 30) -> Any:  # noqa: ASYNC109 - the wait is over when an event says so
        """Wait until the job is completed and return what its handler returned.

        Raises JobFailed when it has failed for good, ResultLate when the time is over (the job goes on), UnknownJob
        when it was removed.
        """
        return await self.queue.results.wait(self, timeout)

    def progress_updates(self) -> AsyncGenerator[Any, None]:
        """Yield the job's progress as it is told, until the job has ended."""
        return self.queue.results.progress(self)

    async def update_progress(self, progress: object) -> None:
        """Tell how far the job is: a number or anything that is JSON."""
        text = encode(progress, f"the progress of job {self.id}")
        await self.queue.moves.tell_progress(self.id, text)
        self._read[b"progress"] = progress

    async def log(self, line: str) -> None:
        """Add a line to the job's log; the last 1,000 are kept, or as many as its option `keep_logs` says."""
        keep = self.opts.get("kl")
        await (self.queue.moves.tell_log(self.id, line, keep) if keep else self.queue.moves.tell_log(self.id, line))

    async def logs(self) -> list[str]:
        """Return the job's log."""
        return await self.queue.moves.logs(self.id)

    async def children_values(self) -> dict[str, Any]:
        """Return the results of its completed children by their keys, `bull:QUEUE:ID`."""
        return await flows.children_values(self)

    async def children_failures(self) -> dict[str, str]:
        """Return why children failed whose failure is ignored (`on_failure`), by their keys."""
        return await flows.children_failures(self)

    async def add_child(self, name: str, data: object = None, **options: Unpack[JobOptions]) -> "Job":
        """Add a job that is this one's child; then its handler raises WaitForChildren, and runs again when it ended."""
        return await flows.add_child(self, name, data, options)

    async def cancel(self, reason: str = "cancelled") -> bool:
        """Cancel the job wherever it is, and say whether it had not finished yet.

        A running handler is cancelled within half a second (one in a thread hears of it when it has ended); a job that
        waits fails with the reason when its turn comes. There is no other attempt.
        """
        return await self.queue.moves.cancel(self.id, reason)

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r} of {self.queue.name!r}>"

    def _decoded(self, name: bytes, default: bytes) -> Any:
        try:
            return self._read[name]
        except KeyError:
            value = self._read[name] = decode(self.fields.get(name) or default)
            return value

    def _number(self, name: bytes) -> int:
        return int(self.fields.get(name, 0))

    def _time(self, name: bytes) -> float | None:
        return int(self.fields[name]) / 1000 if name in self.fields else None
