"""What a job does is in its data, as in bull.cjs: the same jobs are worked by Node and by us."""

from typing import Any

from redyard import Job
from redyard.errors import Unrecoverable


class Deeds:
    """A handler that remembers what it ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def __call__(self, job: Job) -> Any:
        self.ran.append(job.id)
        deeds = job.data.get("do") if isinstance(job.data, dict) else None
        deed, word = next(iter((deeds or {"echo": None}).items()))
        return await getattr(self, deed)(job, word)

    async def echo(self, job: Job, _: Any) -> Any:
        return job.data

    async def fail(self, *_: Any) -> Any:
        raise ValueError("broken")

    async def fatal(self, *_: Any) -> Any:
        raise Unrecoverable(problem="hopeless")

    async def flaky(self, job: Job, times: int) -> str:
        if job.attempts_made < times:
            raise ValueError(f"attempt {job.attempts_made}")
        return f"well after {job.attempts_made}"

    async def children(self, job: Job, _: Any) -> list[Any]:
        return sorted((await job.children_values()).values())

    async def ignored(self, job: Job, _: Any) -> list[Any]:
        return sorted((await job.children_failures()).values())

    async def tell(self, job: Job, _: Any) -> str:
        await job.update_progress({"percent": 50})
        await job.log("half of it")
        return "told"
