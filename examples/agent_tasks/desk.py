"""The desk: everything that a request needs, and the act of handing a task over, the same for the page and the API.

The hand-over is durable: first the row and the credit in one transaction, then the job, whose id is the task's. So a
job can be handed over again at any time without harm, and `recovery.py` does so for the rows that no job knows.
"""

import asyncio
import logging
from dataclasses import dataclass
from math import ceil

from fastapi import Request
from redis.exceptions import RedisError

from examples.agent_tasks import ledger
from examples.agent_tasks.figures import Count
from examples.agent_tasks.guard import Refusal
from examples.agent_tasks.models import Account, Database, Task
from examples.agent_tasks.settings import QUEUE, TEXT_LIMIT, TEXT_MINIMUM, Settings
from redyard import Queue, RateLimit, Redis, RedyardError
from redyard.asgi.proxy import Proxies
from redyard.ratelimit import Hit, hit_all

AWAY = (RedisError, RedyardError, OSError, TimeoutError)
"""What a Redis that is gone, slow or out of memory looks like."""

LOGGER = logging.getLogger("agent_tasks")

ATTEMPTS = 3
PATIENCE = 2.0
"""Seconds that a person waits for the queue to take a task."""


def agent_tasks(redis: Redis) -> Queue:
    """Return the queue, as the app and the worker both know it."""
    return Queue(redis, QUEUE, attempts=ATTEMPTS, backoff=2.0, remove_on_complete=100, remove_on_fail=50)


async def hand_over(queue: Queue, task: Task) -> None:
    """Put the job of a task in the queue; a job that is there already stays as it is."""
    await queue.add("summarise", {"task": task.id}, job_id=task.id)


@dataclass(frozen=True)
class Desk:
    """What the routes share."""

    settings: Settings
    database: Database
    queue: Queue
    proxies: Proxies
    sign_ins: RateLimit
    submissions: RateLimit
    answered: Count
    accounts: RateLimit
    """Submissions, too, but of one account from whatever address."""

    def address(self, request: Request) -> str:
        """Return whom a limit by address counts: an IPv4 address, or the /64 network that an IPv6 customer gets."""
        return self.proxies.client(request.scope)

    async def submit(self, account: Account, text: str, *, address: str) -> Task:
        """Take the credit, write the task down and hand it over, or raise Refusal with nothing taken."""
        text = check_text(text)
        await admit("tasks", Hit(self.submissions, address), Hit(self.accounts, str(account.id)))
        try:
            task = await ledger.open_task(self.database, account.id, text)
        except ledger.NoCredit:
            raise Refusal(402, "You have no credits left, so this task was not taken.") from None
        try:
            async with asyncio.timeout(PATIENCE):
                await hand_over(self.queue, task)
        except AWAY as error:
            LOGGER.warning("task %s was not handed over: %s: %s", task.id, type(error).__name__, error)
            # The job may have arrived although the answer did not: a task that a worker has already is a task taken.
            if await ledger.withdraw(self.database, task):
                raise Refusal(503, "The queue is away for a moment. Nothing was charged: please try again.") from None
        return task

    async def cancel(self, account: Account, task_id: str) -> Task:
        """End a task of the person's own that has no answer yet, and give the credit back; or raise Refusal."""
        task = await ledger.task(self.database, account.id, task_id)
        if task is None:
            raise Refusal(404, "There is no such task.")
        if not await ledger.fail(self.database, task, "You cancelled this task."):
            raise Refusal(409, "This task has ended already.")
        try:
            async with asyncio.timeout(PATIENCE):
                if job := await self.queue.get(task.id):
                    await job.cancel("cancelled by its owner")  # wherever it is: in line, or in a worker's hands
        except AWAY as error:  # the database has decided: a worker that takes the job finds nothing to do
            LOGGER.warning("the job of task %s was not cancelled: %s", task.id, type(error).__name__)
        return await ledger.task(self.database, account.id, task_id) or task


async def admit(what: str, *hits: Hit) -> None:
    """Count a request in all of these limits, or refuse it until they have room again."""
    waits = [decision.retry_after for decision in (await hit_all(*hits)).values() if not decision.allowed]
    if not waits:
        return
    wait = max(1, ceil(max(waits)))
    minutes = ceil(wait / 60)
    span = f"{minutes} minutes" if minutes > 1 else "a minute"
    raise Refusal(429, f"Too many {what}. Please try again in {span}.", retry_after=wait)


def check_text(text: str) -> str:
    """Return the text without the space around it, or refuse one that is too short or too long."""
    text = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if len(text) < TEXT_MINIMUM:
        raise Refusal(422, f"This text is too short to summarise: paste at least {TEXT_MINIMUM} characters.")
    if len(text) > TEXT_LIMIT:
        raise Refusal(
            422,
            f"This text has {len(text):,} characters; the limit is {TEXT_LIMIT:,}. Nothing was charged: shorten it.",
        )
    return text
