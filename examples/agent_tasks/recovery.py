"""Find the tasks that fell between the database and the queue, and put each of them right.

A task can be written down without a job (the app died in between, Redis was emptied or restored), and a job can fail
for good without a word to the database (its worker was killed on the last attempt).
"""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from examples.agent_tasks import ledger
from examples.agent_tasks.desk import AWAY, hand_over
from examples.agent_tasks.models import Database, Task
from redyard import Queue

LOGGER = logging.getLogger("agent_tasks")
EVERY = 30.0


async def recover(database: Database, queue: Queue, *, older_than: float = 0) -> int:
    """Look at each task without an answer and return how many were put right."""
    mended = 0
    for task in await ledger.waiting(database, older_than=older_than):
        mended += await _mend(database, queue, task)
    return mended


async def recover_always(database: Database, queue: Queue) -> None:
    """Recover now and every 30 seconds; a Redis or a database that is away is asked again later."""
    while True:
        try:
            if mended := await recover(database, queue):
                LOGGER.warning("%d tasks had lost their way and were put right", mended)
        except (*AWAY, SQLAlchemyError) as error:
            LOGGER.warning("recovery waits: %s", type(error).__name__)
        await asyncio.sleep(EVERY)


async def _mend(database: Database, queue: Queue, task: Task) -> bool:
    job = await queue.get(task.id)
    if job is None:
        await hand_over(queue, task)
        return True
    if await job.state() in {"failed", "completed"}:
        # Completed without an answer: the database was put back to an older moment. Either way none will come.
        return await ledger.fail(database, task, "The task was interrupted too often.")
    return False
