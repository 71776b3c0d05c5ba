"""The web app: FastAPI with the kit in its places. `uvicorn --factory examples.agent_tasks.app:create_app`."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.staticfiles import StaticFiles

from examples.agent_tasks import api, devices, leash, pages
from examples.agent_tasks.desk import Desk, agent_tasks
from examples.agent_tasks.figures import count_answered
from examples.agent_tasks.guard import Guard, same_origin
from examples.agent_tasks.models import Database
from examples.agent_tasks.refusals import add_refusals
from examples.agent_tasks.settings import HERE, Settings
from redyard import Cache, RateLimit, SessionStore
from redyard.asgi.budgets import Budget
from redyard.asgi.health import HealthApp
from redyard.asgi.kit import Kit
from redyard.asgi.proxy import Proxies
from redyard.asgi.ratelimit import RateLimitMiddleware
from redyard.asgi.sessions import SessionMiddleware

WINDOW = 900
"""Seconds of a rate limit: 15 minutes."""
LONGEST = 30 * 86_400
"""Seconds after which everybody signs in anew, however often they come."""


def create_app(environ: Mapping[str, str] = os.environ) -> FastAPI:
    """Build the app from an environment; it connects to nothing before it starts."""
    settings = Settings.read(environ)
    kit = Kit.from_env(environ, app="agent-tasks", queue=agent_tasks, cache=lambda memory: Cache(memory, local=100))
    redis = kit.redis
    database = Database(settings.database_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        leash.follow_parent(environ)
        async with kit.lifespan(app), database:
            yield

    # The documentation pages of FastAPI load scripts from another host; this app sends nobody elsewhere.
    app = FastAPI(
        title="Agent tasks", lifespan=lifespan, docs_url=None, redoc_url=None, dependencies=[Depends(same_origin)]
    )
    app.state.desk = Desk(
        settings=settings,
        database=database,
        queue=kit.queue,
        sign_ins=RateLimit(redis, "sign-in", limit=settings.sign_ins, per=WINDOW),
        submissions=RateLimit(redis, "submission", limit=settings.submissions, per=WINDOW),
        accounts=RateLimit(redis, "account", limit=settings.submissions, per=WINDOW),
        proxies=Proxies(settings.proxies),
        answered=count_answered(kit.cache, database),
    )
    app.add_middleware(
        SessionMiddleware,
        store=SessionStore(redis, absolute=LONGEST),
        secret=settings.session_secrets,
        cookie="session",
        same_site="lax",
        secure="auto",
    )
    calls = RateLimit(redis, "call", limit=settings.calls, per=60)
    app.add_middleware(RateLimitMiddleware, budgets=[Budget(calls, paths=["/api"])], proxies=settings.proxies)
    app.add_middleware(Guard)
    app.include_router(pages.router)
    app.include_router(devices.router)
    app.include_router(api.router)
    app.mount("/health", HealthApp(redis, checks={"database": database.ping}))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    add_refusals(app)
    return app
