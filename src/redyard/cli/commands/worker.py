"""`redyard worker`: run the jobs of a queue of the app's own code, in this process or in several."""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from redis.exceptions import RedisError

from redyard import events
from redyard.cli.crew import Crew
from redyard.cli.lazy import load
from redyard.cli.output import Output
from redyard.cli.port import Answer, as_json, serving
from redyard.cli.targets import find_worker
from redyard.errors import RedisAway
from redyard.health import Health
from redyard.metrics import render
from redyard.metrics.counts import EventCounts
from redyard.queue import Worker, figures

EXAMPLES = (
    "redyard worker app.jobs:queue",
    "redyard worker app.jobs:queue --processes 4 --concurrency 50 --port 9100",
    "redyard worker app.jobs:queue --reload",
)

LOGGER = logging.getLogger("redyard.worker")

DRAINING = 30.0
"""Seconds that children have to end where no grace is given."""


class Options(NamedTuple):
    """What the command was told, as a child needs it again."""

    target: str
    concurrency: int | None
    grace: float | None
    port: int | None


def worker(  # noqa: PLR0913 - the command's options
    out: Output,
    target: Annotated[str, typer.Argument(metavar="MODULE:QUEUE", help="Where the queue (or a Worker) is defined.")],
    *,
    concurrency: Annotated[int | None, typer.Option(min=1, max=10_000, help="Jobs at once, in each process.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Processes; each takes jobs for itself.")] = 1,
    grace: Annotated[
        float | None, typer.Option(min=0, help="Seconds for jobs to end at SIGTERM. Default: the platform's.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve /health, /ready and /metrics on 127.0.0.1.")
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start anew when a Python file changes.")] = False,
    leash: Annotated[bool, typer.Option("--leash", hidden=True)] = False,
) -> None:
    """Run the jobs of a queue.

    The queue's tasks (@queue.job) are its handlers. SIGTERM and Ctrl-C end it: it takes no more jobs, and those in hand
    may end within the grace.
    """
    listen(as_json=out.as_json)
    options = Options(target, concurrency, grace, port)
    if processes > 1 or reload:
        if not reload:
            find_worker(target, concurrency=concurrency, grace=grace)  # what is wrong with it is said once, and now
        commands = [command(options, first=number == 0, as_json=out.as_json) for number in range(processes)]
        crew = Crew(commands, grace=DRAINING if grace is None else grace, say=LOGGER.warning)
        raise typer.Exit(asyncio.run(crew.run(watch=Path.cwd() if reload else None)))
    found = find_worker(target, concurrency=concurrency, grace=grace)
    try:
        with asyncio.Runner(loop_factory=fast_loop()) as runner:
            runner.run(run(found, port=port, leash=leash))
    except (RedisError, OSError) as error:
        raise RedisAway(owner=f"the worker of {found.queue.name}", reason=type(error).__name__) from None


def command(options: Options, *, first: bool, as_json: bool) -> list[str]:
    """Return the words that start a child; the port is the first one's."""
    words = [sys.executable, "-m", "redyard", "worker", options.target, "--leash"]
    for name, value in (("concurrency", options.concurrency), ("grace", options.grace)):
        words += [f"--{name}", str(value)] if value is not None else []
    words += ["--port", str(options.port)] if first and options.port else []
    return words + (["--json"] if as_json else [])


async def run(worker: Worker, *, port: int | None, leash: bool) -> None:
    """Run a worker, its port, and the leash that ends it with its parent."""
    queue = worker.queue
    health = Health(queue.moves.redis)
    counts = EventCounts() if port else None

    async def healthy() -> Answer:
        result = await health.redis()
        facts = {"queue": queue.name, "worker": worker.name, "stopping": worker.stopping, "redis": result.to_json()}
        return as_json(200 if result.healthy else 503, {"status": _word(result.healthy), **facts})

    async def ready() -> Answer:
        """A worker that stops is still well, but not there for more."""
        well = not worker.stopping and (await health.redis()).healthy
        return as_json(200 if well else 503, {"status": _word(well)})

    async def metrics() -> Answer:
        text = figures.render(await figures.samples(queue)) + render(counts.samples() if counts else ())
        return Answer(200, text, "text/plain; version=0.0.4")

    pages = {"/health": healthy, "/ready": ready, "/metrics": metrics}
    try:
        with leashed(worker.stop) if leash else contextlib.nullcontext():
            async with serving(port, pages):
                tasks = ", ".join(sorted(queue.tasks)) or "its handler"
                LOGGER.info("The worker %s of %s takes jobs: %s.", worker.name, queue.name, tasks)
                await worker.run(handle_signals=True)
    finally:
        with contextlib.suppress(RedisError, OSError):
            await queue.moves.redis.aclose()
    LOGGER.info("The worker %s has ended.", worker.name)


@contextlib.contextmanager
def leashed(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` when the parent ends, however it does: stdin ends with it."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def let_go() -> None:
        loop.remove_reader(stdin)
        stop()

    loop.add_reader(stdin, let_go)
    try:
        yield
    finally:
        loop.remove_reader(stdin)


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's event loop where the extra `fast` brought it: a worker's time is mostly the loop's."""
    return load("uvloop").new_event_loop if find_spec("uvloop") else None


def listen(*, as_json: bool) -> None:
    """Print what happens to stderr, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONLines() if as_json else logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    log = logging.getLogger("redyard")
    events.subscribe(lambda event: log.log(event.kind.level, "%s %s", *_words(event)), level=log.getEffectiveLevel())


def _word(well: bool) -> str:
    return "healthy" if well else "unhealthy"


def _words(event: events.Event) -> tuple[str, str]:
    return event.kind.name, " ".join(f"{name}={value}" for name, value in event.fields.items())


class JSONLines(logging.Formatter):
    """A log line as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
