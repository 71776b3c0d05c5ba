"""The app's two tables, and the database that holds them: SQLite on a laptop, PostgreSQL by DATABASE_URL."""

import asyncio
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from sqlalchemy import URL, DateTime, ForeignKey, Text, TypeDecorator, event, text
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable


class State(StrEnum):
    """The states of a task; the last two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


OPEN = (State.QUEUED, State.RUNNING)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back at reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment with its zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Row(DeclarativeBase):
    """The root of the tables."""


class Account(Row):
    """A person and the credits left to them."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    credits: Mapped[int]


class Task(Row):
    """A text to summarise, and what came of it; its id is the job's id in the queue too."""

    __tablename__ = "tasks"

    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(default=State.QUEUED, index=True)
    summary: Mapped[str] = mapped_column(Text, default="")
    engine: Mapped[str] = mapped_column(default="")
    cached: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment, default=None)

    @property
    def is_open(self) -> bool:
        """Return whether an answer is still to come."""
        return self.state in OPEN


class Database:
    """The engine and its sessions; `async with database.begin() as session` is one transaction."""

    def __init__(self, url: URL) -> None:
        self.engine = _connect(url)
        self.begin = async_sessionmaker[AsyncSession](self.engine, expire_on_commit=False).begin

    async def __aenter__(self) -> Self:
        await self.create_tables()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def create_tables(self) -> None:
        """Create what is missing, though app and worker may both be starting; who loses the race looks again."""
        for _ in range(5):
            try:
                return await self._create_tables()
            except (IntegrityError, OperationalError, ProgrammingError):
                await asyncio.sleep(0.1)
        return await self._create_tables()

    async def _create_tables(self) -> None:
        async with self.engine.begin() as connection:
            for table in Row.metadata.sorted_tables:
                await connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    await connection.execute(CreateIndex(index, if_not_exists=True))

    async def ping(self) -> None:
        """Ask the database for anything, or raise: the check of `/health/complete`."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _connect(url: URL) -> AsyncEngine:
    # Parameters stay hidden: they are people's texts and addresses, and an error's message goes to the log.
    if url.drivername != "sqlite+aiosqlite":
        return create_async_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args={"timeout": 5})
    engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": 15})

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")  # the page reads while the worker writes
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return engine
