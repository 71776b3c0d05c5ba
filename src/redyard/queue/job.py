"""`Job`: a piece of work in a queue, as it was when it was read."""

from typing import TYPE_CHECKING, Any

from redyard.client.coding import decode, encode

if TYPE_CHECKING:
    from redyard.queue.queue import Queue


class Job:
    """A job. Times are Unix times in seconds, None for what has not happened; `attempts_made` counts ended attempts."""

    def __init__(self, queue: "Queue", job_id: str, fields: dict[str, bytes]) -> None:
        self.queue = queue
        self.id = job_id
        self.name = fields.get("name", b"").decode()
        self.data: Any = decode(fields.get("data") or b"null")
        self.opts: dict[str, Any] = decode(fields.get("opts") or b"{}")
        self.priority = int(fields.get("priority", 0))
        self.delay = int(fields.get("delay", 0)) / 1000
        self.attempts_made = int(fields.get("atm", 0))
        self.attempts_started = int(fields.get("ats", 0))
        self.stalls = int(fields.get("stc", 0))
        self.added_at = _seconds(fields, "timestamp")
        self.processed_at = _seconds(fields, "processedOn")
        self.finished_at = _seconds(fields, "finishedOn")
        self.progress: Any = decode(fields.get("progress") or b"0")
        self.return_value: Any = decode(fields.get("returnvalue") or b"null")
        self.failed_reason = fields["failedReason"].decode() if "failedReason" in fields else None
        self.stack_traces: list[str] = decode(fields.get("stacktrace") or b"[]")

    async def state(self) -> str:
        """Return where the job is now: waiting, prioritized, delayed, active, completed, failed, or unknown."""
        return await self.queue.moves.state(self.id)

    async def result(self, timeout: float = 30) -> Any:  # noqa: ASYNC109 - the wait is over when an event says so
        """Wait until the job is completed and return what its handler returned.

        Raises JobFailed when it has failed for good, ResultLate when the time is over (the job goes on), UnknownJob
        when it was removed.
        """
        return await self.queue.results.wait(self, timeout)

    async def update_progress(self, progress: object) -> None:
        """Tell how far the job is: a number or anything that is JSON."""
        await self.queue.moves.tell(self.id, "progress", encode(progress, f"the progress of job {self.id}"))
        self.progress = progress

    async def log(self, line: str) -> None:
        """Add a line to the job's log; the last 1,000 are kept."""
        await self.queue.moves.tell(self.id, "log", line)

    async def logs(self) -> list[str]:
        """Return the job's log."""
        return await self.queue.moves.logs(self.id)

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name!r} of {self.queue.name!r}>"


def _seconds(fields: dict[str, bytes], name: str) -> float | None:
    return int(fields[name]) / 1000 if name in fields else None
