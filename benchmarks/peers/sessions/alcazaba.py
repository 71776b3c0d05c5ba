"""fastapi-alcazaba, with signed records as it advises."""

from fastapi_alcazaba import Cache
from fastapi_alcazaba.backends.redis import RedisBackend
from fastapi_alcazaba.sessions import ServerSessionMiddleware
from redis.asyncio import Redis
from starlette.applications import Starlette

from benchmarks.peers.sessions.app import SECRET, make


def app(url: str) -> Starlette:
    made = make()
    cache = Cache(RedisBackend(Redis.from_url(url, max_connections=50)), signing_key=SECRET)
    made.add_middleware(ServerSessionMiddleware, cache=cache, secure=False)
    return made
