"""The worker: takes tasks from the queue and answers them. `python -m examples.agent_tasks.worker`; SIGTERM ends it
after the tasks in hand.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping

from examples.agent_tasks import leash, ledger
from examples.agent_tasks.agent import Agent
from examples.agent_tasks.desk import ATTEMPTS, AWAY, agent_tasks
from examples.agent_tasks.llm import Model, ModelError
from examples.agent_tasks.models import Database
from examples.agent_tasks.recovery import EVERY, recover_always
from examples.agent_tasks.settings import Settings
from redyard import Cache, Job, Queue, Redis, Worker, events
from redyard.errors import Unrecoverable

LOGGER = logging.getLogger("agent_tasks")
CONCURRENCY = 8
CLEAN_UP = "clean-up"
KEPT = 30 * 86_400
"""Seconds for which people find their old tasks."""


class Handler:
    """Runs one job. Running it again is harmless: a task that has its answer is left alone."""

    def __init__(self, database: Database, agent: Agent) -> None:
        self.database = database
        self.agent = agent

    async def __call__(self, job: Job) -> str:
        """Answer the job's task, or raise so that the queue tries again. (Cancelled, it just ends.)"""
        if job.name == CLEAN_UP:
            return f"{await ledger.clean_up(self.database, older_than=KEPT)} tasks removed"
        task = await ledger.begin(self.database, job.data["task"])
        if task is None:
            return "nothing to do"

        async def report(percent: int, stage: str) -> None:
            # Progress is a courtesy: the work goes on without Redis, and its answer is kept by the database.
            with contextlib.suppress(*AWAY):
                await job.update_progress({"percent": percent, "stage": stage})

        await report(10, "Reading the text")
        try:
            answer = await self.agent.answer(task.text, report)
        except Exception as error:
            lasting = isinstance(error, ModelError) and error.lasting
            if lasting or job.attempts_made + 1 >= ATTEMPTS:
                await ledger.fail(self.database, task, reason(error))
            if lasting:
                raise Unrecoverable(problem=str(error)) from error
            raise
        await report(95, "Writing it down")
        await ledger.finish(self.database, task, answer)
        return answer.engine


def reason(error: Exception) -> str:
    """Return what a person may read about a failure: our own words, never a driver's."""
    return (
        f"{str(error)[0].upper()}{str(error)[1:]}." if isinstance(error, ModelError) else "Something broke on our side."
    )


async def clean_up_daily(queue: Queue) -> None:
    """Have one worker clean up each night, however many there are; while Redis is away, say so again later."""
    while True:
        try:
            await queue.schedulers.upsert(CLEAN_UP, CLEAN_UP, cron="0 4 * * *")
            return
        except AWAY as error:
            LOGGER.warning("the clean-up is not planned yet: %s", type(error).__name__)
        await asyncio.sleep(EVERY)


async def work(environ: Mapping[str, str] = os.environ) -> None:
    """Run until SIGTERM or SIGINT."""
    settings = Settings.read(environ)
    database = Database(settings.database_url)
    store = Redis.from_env(environ=environ, app="agent-tasks-worker")
    memory = Redis.from_env(role="cache", environ=environ, app="agent-tasks-worker")
    model = Model(settings) if settings.model else None
    queue = agent_tasks(store)
    handler = Handler(database, Agent(Cache(memory, ttl=3600), model))
    leash.follow_parent(environ)
    await database.create_tables()
    recovery = asyncio.create_task(recover_always(database, queue))
    tidying = asyncio.create_task(clean_up_daily(queue))
    LOGGER.info("the worker waits for tasks; answers come from %s", handler.agent.name)
    try:
        await Worker(queue, handler, concurrency=CONCURRENCY).run(handle_signals=True)
    finally:
        for task in (recovery, tidying):
            task.cancel()
        await asyncio.gather(recovery, tidying, return_exceptions=True)
        if model:
            await model.close()
        await store.aclose()
        await memory.aclose()
        await database.close()
    LOGGER.info("the worker has ended")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    events.subscribe(lambda event: LOGGER.log(event.kind.level, "%s %s", event.kind.name, event.fields))
    asyncio.run(work())
