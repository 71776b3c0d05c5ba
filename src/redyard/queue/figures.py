"""A queue in figures, as Prometheus reads them."""

from collections.abc import Iterable
from typing import NamedTuple

from redyard.queue.looking import Looking


class Figure(NamedTuple):
    """A row of the table: a metric's name, kind and meaning."""

    name: str
    kind: str
    help: str


JOBS = Figure("redyard_queue_jobs", "gauge", "Jobs of a queue by state.")
PAUSED = Figure("redyard_queue_paused", "gauge", "1 while a queue is paused.")
WAITED = Figure("redyard_queue_oldest_waiting_seconds", "gauge", "For how long the oldest job in line waits.")
ENDED = Figure("redyard_queue_jobs_ended_total", "counter", "Jobs that completed or failed for good.")
WORKERS = Figure("redyard_queue_workers", "gauge", "Workers that wait for jobs or do some.")
ACTIVE = Figure("redyard_worker_active_jobs", "gauge", "Jobs in a worker's hands.")
CONCURRENCY = Figure("redyard_worker_concurrency", "gauge", "Jobs that a worker does at once, at most.")

Sample = tuple[Figure, dict[str, str], float]


async def samples(queue: Looking) -> list[Sample]:
    """Look at a queue and return its figures."""
    counts = await queue.moves.counts()
    labels = {"queue": queue.name}
    found: list[Sample] = [(JOBS, labels | {"state": state}, count) for state, count in counts.items()]
    found.append((PAUSED, labels, int(await queue.moves.setting("paused") is not None)))
    found.append((WAITED, labels, await queue.waited()))
    for state in ("completed", "failed"):
        rates = await queue.metrics(state, minutes=1)
        found += [(ENDED, labels | {"state": state}, rates.total)]
    workers = await queue.workers()
    found.append((WORKERS, labels, len(workers)))
    for beat in (worker.heartbeat for worker in workers):
        if beat:
            found.append((ACTIVE, labels | {"worker": beat.name}, beat.active))
            found.append((CONCURRENCY, labels | {"worker": beat.name}, beat.concurrency))
    return found


def render(found: Iterable[Sample]) -> str:
    """Return figures in Prometheus's text format, those of a name together."""
    lines: dict[Figure, list[str]] = {}
    for figure, labels, value in found:
        words = ",".join(f'{name}="{_escaped(word)}"' for name, word in labels.items())
        lines.setdefault(figure, []).append(f"{figure.name}{{{words}}} {value:g}")
    parts = [f"# HELP {figure.name} {figure.help}\n# TYPE {figure.name} {figure.kind}" for figure in lines]
    return "".join(head + "\n" + "\n".join(body) + "\n" for head, body in zip(parts, lines.values(), strict=True))


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
