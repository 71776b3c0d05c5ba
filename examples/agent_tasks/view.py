"""How a task looks from outside: the one form that the page and the JSON API both show."""

from datetime import UTC, datetime

from pydantic import BaseModel

from examples.agent_tasks.desk import ATTEMPTS, AWAY
from examples.agent_tasks.models import Task
from redyard import Queue


class TaskView(BaseModel):
    """A task for the person who owns it."""

    id: str
    state: str
    percent: int
    stage: str
    summary: str
    engine: str
    cached: bool
    error: str
    created_at: datetime
    finished_at: datetime | None


async def view(queue: Queue, task: Task) -> TaskView:
    """Return the task with how far its job is, as far as the queue can tell."""
    percent, stage = (100, "") if not task.is_open else await _progress(queue, task.id)
    return TaskView(
        id=task.id,
        state=task.state,
        percent=percent,
        stage=stage,
        summary=task.summary,
        engine=task.engine,
        cached=task.cached,
        error=task.error,
        created_at=task.created_at,
        finished_at=task.finished_at,
    )


async def _progress(queue: Queue, task_id: str) -> tuple[int, str]:
    try:
        job = await queue.get(task_id)
        state = await job.state() if job else ""
    except AWAY:
        return 0, "The queue is away for a moment; the task is safe"
    if job is None or state in {"waiting", "prioritized"}:
        return 0, "Waiting for a worker"
    if state == "delayed":
        return 0, f"Attempt {job.attempts_made} of {ATTEMPTS} failed; trying again in a moment"
    if isinstance(job.progress, dict):
        return int(job.progress.get("percent", 0)), str(job.progress.get("stage", ""))
    return 5, "Starting"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago a moment was, in words."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def words(text: str) -> int:
    """Return the number of words of a text."""
    return len(text.split())
