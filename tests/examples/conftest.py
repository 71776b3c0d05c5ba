"""The reference app in this process: its database in a file of the test's own, its Redis the test's server."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from examples.agent_tasks import ledger
from examples.agent_tasks.app import create_app
from examples.agent_tasks.models import Account, Database
from examples.agent_tasks.settings import read_database
from fastapi import FastAPI

from tests.support.servers import Server
from tests.support.wait import until


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty SQLite database in a file."""
    database = Database(read_database(f"sqlite:///{tmp_path / 'tasks.db'}"))
    await database.create_tables()
    yield database
    await database.close()
    await until(no_database_thread)


@pytest.fixture
async def ada(database: Database) -> Account:
    """An account with three credits."""
    return await ledger.sign_in(database, "ada@example.com", "Ada", welcome=3)


@pytest.fixture
def environ(server: Server, tmp_path: Path) -> dict[str, str]:
    """The environment of the app."""
    return {
        "REDIS_URL": server.url,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'tasks.db'}",
        "SESSION_SECRET": "a-secret-for-tests-of-32-characters",
        "CREDITS": "3",
    }


@pytest.fixture
async def app(environ: dict[str, str]) -> AsyncIterator[FastAPI]:
    """The app, started."""
    async with serving(environ) as app:
        yield app


@asynccontextmanager
async def serving(environ: dict[str, str]) -> AsyncIterator[FastAPI]:
    """Start an app, and end it with all its threads."""
    app = create_app(environ)
    async with app.router.lifespan_context(app):
        yield app
    await until(no_database_thread)


def no_database_thread() -> bool:
    """Say whether aiosqlite's threads have ended: one whose connection failed ends a moment after its error."""
    return not any("_connection_worker_thread" in thread.name for thread in threading.enumerate())


def browser(app: FastAPI, address: str = "203.0.113.5") -> httpx.AsyncClient:
    """Return a browser of its own at an address."""
    transport = httpx.ASGITransport(app, client=(address, 4711), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://app.test")


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without a session."""
    async with browser(app) as client:
        yield client


@pytest.fixture
async def person(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser signed in as Ada."""
    async with browser(app) as client:
        await client.post("/sign-in", data={"email": "ada@example.com", "name": "Ada"})
        yield client
