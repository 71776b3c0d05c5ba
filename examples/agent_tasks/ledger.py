"""Everything the app writes down, one transaction a function: people, credits, tasks.

Each change is made by compare ("only if it is still open"), so that the app, two workers and a job that runs again
may all try: one of them does it, the others learn that it was done. Every transaction begins with its write, so that
SQLite waits for its turn instead of failing.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import UpdateBase

from examples.agent_tasks.models import OPEN, Account, Database, State, Task


class NoCredit(Exception):
    """The account has no credit left for another task."""


@dataclass(frozen=True)
class Answer:
    """A summary, who wrote it, and whether the cache remembered it."""

    summary: str
    engine: str
    cached: bool = False


async def sign_in(database: Database, email: str, name: str, *, welcome: int) -> Account:
    """Return the account of the address, renamed; a new one gets credits as a welcome."""
    try:
        async with database.begin() as session:
            if await _change(session, update(Account).where(Account.email == email).values(name=name)) == 0:
                session.add(Account(email=email, name=name, credits=welcome))
    except IntegrityError:
        pass  # another request made it in this moment
    async with database.begin() as session:
        return (await session.execute(select(Account).where(Account.email == email))).scalar_one()


async def account(database: Database, account_id: int) -> Account | None:
    """Return an account."""
    async with database.begin() as session:
        return await session.get(Account, account_id)


async def open_task(database: Database, account_id: int, text: str) -> Task:
    """Take one credit and write the task down, both or neither; without a credit raise NoCredit."""
    task = Task(id=uuid.uuid4().hex, account_id=account_id, text=text, created_at=datetime.now(UTC))
    async with database.begin() as session:
        paid = update(Account).where(Account.id == account_id, Account.credits > 0)
        if await _change(session, paid.values(credits=Account.credits - 1)) == 0:
            raise NoCredit
        session.add(task)
    return task


async def withdraw(database: Database, task: Task) -> bool:
    """Undo a task that never reached the queue; False when a worker has it after all."""
    async with database.begin() as session:
        if await _change(session, delete(Task).where(Task.id == task.id, Task.state == State.QUEUED)) == 0:
            return False
        await _give_back(session, task.account_id)
    return True


async def begin(database: Database, task_id: str) -> Task | None:
    """Mark a task as running and return it; None when it is settled or was withdrawn: there is nothing to do."""
    async with database.begin() as session:
        open_ = update(Task).where(Task.id == task_id, Task.state.in_(OPEN))
        if await _change(session, open_.values(state=State.RUNNING)) == 0:
            return None
        return await session.get(Task, task_id)


async def finish(database: Database, task: Task, answer: Answer) -> bool:
    """Write the answer down, once."""
    async with database.begin() as session:
        return await _settle(
            session,
            task,
            {"state": State.FINISHED, "summary": answer.summary, "engine": answer.engine, "cached": answer.cached},
        )


async def fail(database: Database, task: Task, error: str) -> bool:
    """Write down that there will be no answer, and give the credit back, once."""
    async with database.begin() as session:
        settled = await _settle(session, task, {"state": State.FAILED, "error": error})
        if settled:
            await _give_back(session, task.account_id)
        return settled


async def clean_up(database: Database, *, older_than: float) -> int:
    """Remove the tasks that were settled some seconds ago or longer, and return how many."""
    before = datetime.now(UTC) - timedelta(seconds=older_than)
    async with database.begin() as session:
        return await _change(session, delete(Task).where(Task.state.not_in(OPEN), Task.finished_at <= before))


async def tasks(database: Database, account_id: int, *, limit: int = 20) -> list[Task]:
    """Return a person's latest tasks, newest first."""
    async with database.begin() as session:
        mine = select(Task).where(Task.account_id == account_id)
        return list(await session.scalars(mine.order_by(Task.created_at.desc(), Task.id).limit(limit)))


async def task(database: Database, account_id: int, task_id: str) -> Task | None:
    """Return a task if it is the person's own."""
    async with database.begin() as session:
        return await session.scalar(select(Task).where(Task.id == task_id, Task.account_id == account_id))


async def answered(database: Database) -> int:
    """Return how many tasks of all people have their answer."""
    async with database.begin() as session:
        found = select(func.count()).select_from(Task).where(Task.state == State.FINISHED)
        return (await session.execute(found)).scalar_one()


async def waiting(database: Database, *, older_than: float) -> list[Task]:
    """Return the tasks without an answer that were written down some seconds ago or longer, oldest first."""
    before = datetime.now(UTC) - timedelta(seconds=older_than)
    async with database.begin() as session:
        found = select(Task).where(Task.state.in_(OPEN), Task.created_at <= before)
        return list(await session.scalars(found.order_by(Task.created_at)))


async def _settle(session: AsyncSession, task: Task, values: dict[str, object]) -> bool:
    still_open = update(Task).where(Task.id == task.id, Task.state.in_(OPEN))
    return await _change(session, still_open.values(finished_at=datetime.now(UTC), **values)) == 1


async def _give_back(session: AsyncSession, account_id: int) -> None:
    await _change(session, update(Account).where(Account.id == account_id).values(credits=Account.credits + 1))


async def _change(session: AsyncSession, statement: UpdateBase) -> int:
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount
