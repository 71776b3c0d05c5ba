"""starsessions, with a rolling cookie of a day as ours is."""

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starsessions import SessionMiddleware, load_session
from starsessions.stores.redis import RedisStore

from benchmarks.peers.sessions.app import make


async def loaded(request: Request) -> object:
    await load_session(request)
    return request.session


def app(url: str) -> Starlette:
    made = make(loaded)
    store = RedisStore(connection=Redis.from_url(url))
    made.add_middleware(SessionMiddleware, store=store, lifetime=86_400, rolling=True, cookie_https_only=False)
    return made
