"""The worker: answers, tries again, gives credits back, and puts right what fell between database and queue."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

import pytest
from examples.agent_tasks import ledger
from examples.agent_tasks.agent import Agent
from examples.agent_tasks.desk import ATTEMPTS, Desk, hand_over
from examples.agent_tasks.llm import Model
from examples.agent_tasks.models import Account, Database, State, Task
from examples.agent_tasks.recovery import recover
from examples.agent_tasks.sample import SAMPLE
from examples.agent_tasks.settings import QUEUE, Settings
from examples.agent_tasks.summarise import summarise
from examples.agent_tasks.worker import Handler, clean_up_daily
from sqlalchemy import update

from redyard import Cache, Queue, Redis, Worker
from redyard.errors import JobFailed
from tests.examples.endpoint import Reply, answer, endpoint, nobody, says
from tests.support.servers import Server
from tests.support.wait import until


@dataclass
class Shop:
    """A worker's world: the database with Ada in it, the queue with a short back-off, the cache."""

    database: Database
    ada: Account
    queue: Queue
    cache: Cache

    @asynccontextmanager
    async def working(self, model_url: str = "") -> AsyncIterator[None]:
        """Run a worker, on a language model if there is one."""
        model = Model(Settings.read({"OPENAI_BASE_URL": model_url})) if model_url else None
        worker = Worker(self.queue, Handler(self.database, Agent(self.cache, model)), concurrency=4)
        run = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await run
            if model:
                await model.close()

    async def submit(self) -> Task:
        """Hand a task of Ada's over."""
        task = await ledger.open_task(self.database, self.ada.id, SAMPLE)
        await hand_over(self.queue, task)
        return task

    async def settled(self, task: Task) -> Task:
        """Wait until a task has its end."""

        async def look() -> Task | None:
            found = await ledger.task(self.database, self.ada.id, task.id)
            return found if found and not found.is_open else None

        found = await until(look)
        assert isinstance(found, Task)
        return found

    async def credits(self) -> int:
        """Return what Ada has left of three."""
        account = await ledger.account(self.database, self.ada.id)
        assert account is not None
        return account.credits


@pytest.fixture
async def shop(server: Server, database: Database, ada: Account) -> AsyncIterator[Shop]:
    """A shop on one server, which is the cache here too."""
    redis = Redis.from_url(server.url)
    queue = Queue(redis, QUEUE, attempts=ATTEMPTS, backoff=0.05, remove_on_complete=100, remove_on_fail=50)
    yield Shop(database, ada, queue, Cache(redis))
    await redis.aclose()


async def test_a_task_gets_its_summary(shop: Shop):
    """The answer, who gave it and when are written down; the second time the cache remembers."""
    async with shop.working():
        first = await shop.settled(await shop.submit())
        second = await shop.settled(await shop.submit())

    assert [first.state, second.state] == [State.FINISHED, State.FINISHED]
    assert [first.summary, second.summary] == [summarise(SAMPLE)] * 2
    assert [first.cached, second.cached] == [False, True]
    assert "the offline summariser" == first.engine
    assert first.finished_at is not None


async def test_a_task_that_runs_can_be_cancelled(shop: Shop):
    """Its job ends, and an answer that comes after all changes nothing."""
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await may_answer.wait()
        await says("200 OK", answer("Too late."))(reader, writer)

    async with endpoint(slowly) as there, shop.working(there.url):
        task = await shop.submit()
        await asked.wait()
        desk = Desk(
            **dict.fromkeys(field.name for field in fields(Desk)) | {"database": shop.database, "queue": shop.queue}
        )
        cancelled = await desk.cancel(shop.ada, task.id)
        job = await shop.queue.get(task.id)
        assert job is not None
        with pytest.raises(JobFailed, match="cancelled by its owner"):
            await job.result(10)
        may_answer.set()

    assert (State.FAILED, "You cancelled this task.") == (cancelled.state, cancelled.error)
    assert (3, cancelled.state) == (await shop.credits(), (await shop.settled(task)).state)


async def test_old_tasks_are_removed_by_the_daily_clean_up(shop: Shop):
    """Those that ended long ago; one worker does it, however many said so."""
    async with shop.working():
        old = await shop.settled(await shop.submit())
        new = await shop.settled(await shop.submit())
        async with shop.database.begin() as session:
            long_ago = datetime.now(UTC) - timedelta(days=40)
            await session.execute(update(Task).where(Task.id == old.id).values(finished_at=long_ago))
        for _ in range(2):
            await clean_up_daily(shop.queue)
        (scheduler,) = await shop.queue.schedulers.all()
        (job,) = await shop.queue.jobs("delayed")
        await shop.queue.promote(job.id)

        assert "1 tasks removed" == await job.result(10)
    assert "0 4 * * *" == scheduler.cron
    assert [new.id] == [task.id for task in await ledger.tasks(shop.database, shop.ada.id)]


async def test_a_job_that_runs_again_changes_nothing(shop: Shop):
    """The handler is idempotent."""
    handler = Handler(shop.database, Agent(shop.cache, None))
    task = await shop.submit()
    job = await shop.queue.get(task.id)
    assert job is not None
    said = [await handler(job), await handler(job)]

    assert ["the offline summariser", "nothing to do"] == said


async def test_handing_over_again_adds_no_job(shop: Shop):
    """The job's id is the task's."""
    task = await shop.submit()
    await hand_over(shop.queue, task)

    assert 1 == (await shop.queue.counts())["waiting"]


@pytest.mark.parametrize(
    ("reply", "attempts", "error"),
    [
        (says("503 Busy", ""), 3, "The language model refused with status 503."),
        (says("401 Unauthorized", ""), 1, "The language model refused with status 401."),
    ],
)
async def test_a_task_that_fails_for_good_gives_the_credit_back(shop: Shop, *, reply: Reply, attempts: int, error: str):
    """What may pass is tried three times, what stays wrong once; then the person is told and paid back."""
    async with endpoint(reply) as there, shop.working(there.url):
        task = await shop.settled(await shop.submit())

    assert (task.state, task.error, there.asked) == (State.FAILED, error, attempts)
    assert 3 == await shop.credits()


async def test_a_model_that_comes_back_answers(shop: Shop):
    """The first attempt fails, the second is the answer."""
    async with endpoint(says("503 Busy", "")) as there:

        async def recovers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await says("503 Busy", "")(reader, writer)
            there.reply = says("200 OK", answer("Light, in short."))

        there.reply = recovers
        async with shop.working(there.url):
            task = await shop.settled(await shop.submit())

    assert (task.state, task.summary, task.engine) == (State.FINISHED, "Light, in short.", "gpt-4o-mini")


async def test_a_task_that_no_job_knows_is_handed_over(shop: Shop):
    """The app died between the row and the job: the next look finds it, once."""
    task = await ledger.open_task(shop.database, shop.ada.id, SAMPLE)
    mended = [await recover(shop.database, shop.queue), await recover(shop.database, shop.queue)]

    assert [1, 0] == mended
    assert await shop.queue.get(task.id) is not None


async def test_a_job_that_failed_without_a_word_gives_the_credit_back(shop: Shop):
    """Its worker was killed on the last attempt: the database learns of it at the next look."""

    async def breaks(_job: object) -> None:
        raise RuntimeError

    task = await shop.submit()
    worker = Worker(shop.queue, breaks)
    run = asyncio.create_task(worker.run())
    job = await shop.queue.get(task.id)
    assert job is not None

    async def has_failed() -> bool:
        return await job.state() == "failed"

    await until(has_failed)
    worker.stop()
    await run
    mended = [await recover(shop.database, shop.queue), await recover(shop.database, shop.queue)]

    assert [1, 0] == mended
    assert 3 == await shop.credits()


@asynccontextmanager
async def worker_process(environ: dict[str, str]) -> AsyncIterator[Process]:
    """Start a worker as a process of its own; it is there when it waits for tasks, and gone afterwards."""
    command = [sys.executable, "-m", "examples.agent_tasks.worker"]
    given = {"PATH": os.environ["PATH"], "AGENT_TASKS_LEASH": "stdin", **environ}
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stderr=PIPE, env=given)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            while b"waits for tasks" not in await process.stderr.readline():
                assert not process.stderr.at_eof()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_sigterm_lets_the_worker_finish_what_it_has(shop: Shop, environ: dict[str, str]):
    """The answer in hand is written down before the process ends with status 0."""
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await may_answer.wait()
        await says("200 OK", answer("Better late."))(reader, writer)

    async with endpoint(slowly) as there, worker_process({**environ, "OPENAI_BASE_URL": there.url}) as process:
        task = await shop.submit()
        await asked.wait()
        process.send_signal(signal.SIGTERM)
        may_answer.set()
        status = await process.wait()
    found = await ledger.task(shop.database, shop.ada.id, task.id)

    assert 0 == status
    assert found is not None
    assert "Better late." == found.summary


async def test_a_worker_without_its_parent_ends(environ: dict[str, str]):
    """Whoever started it is gone: the closed standard input says so."""
    async with worker_process(environ) as process:
        assert process.stdin is not None
        process.stdin.close()
        status = await process.wait()

    assert status in {0, -signal.SIGTERM}


async def test_a_model_that_is_not_there_is_said_in_words(shop: Shop):
    """The person reads our words, no driver's."""
    with nobody() as address:
        async with shop.working(address):
            task = await shop.settled(await shop.submit())

    assert "The language model cannot be reached (ConnectError)." == task.error
