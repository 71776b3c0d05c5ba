"""One app, five ways to keep its sessions: `python apps.py NAME REDIS_URL PORT` serves it by uvicorn."""

import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

SECRET = "a-secret-of-the-benchmark-of-32-characters"
FIELDS = {"user": 42, "name": "Ada Lovelace", "cart": [1, 2, 3], "theme": "dark"}


async def awaited(request: Request) -> Any:
    from redyard.asgi.sessions import session_of

    return await session_of(request)


async def load(request: Request) -> Any:
    from starsessions import load_session

    await load_session(request)
    return request.session


async def there(request: Request) -> Any:
    return request.session


def routes(session_of: Any) -> list[Route]:
    async def begin(request: Request) -> PlainTextResponse:
        (await session_of(request)).update(FIELDS)
        return PlainTextResponse("begun")

    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"user {(await session_of(request))['user']}")

    async def write(request: Request) -> PlainTextResponse:
        session = await session_of(request)
        session["n"] = session.get("n", 0) + 1
        return PlainTextResponse(f"user {session['user']}")

    async def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse("user 42")

    return [Route("/begin", begin), Route("/read", read), Route("/write", write), Route("/plain", plain)]


def bare(_: str) -> Starlette:
    return Starlette(routes=routes(there))


def redyard(url: str, format: Any = "native") -> Starlette:  # noqa: A002
    from redyard import Redis, SessionStore
    from redyard.asgi.sessions import SessionMiddleware

    app = Starlette(routes=routes(awaited))
    store = SessionStore(Redis.from_url(url), format=format)
    app.add_middleware(SessionMiddleware, store=store, secret=SECRET, secure=False)
    return app


def redyard_express(url: str) -> Starlette:
    return redyard(url, "express")


def cookie(_: str) -> Starlette:
    from starlette.middleware.sessions import SessionMiddleware

    app = Starlette(routes=routes(there))
    app.add_middleware(SessionMiddleware, secret_key=SECRET)
    return app


def starsessions(url: str) -> Starlette:
    from redis.asyncio import Redis
    from starsessions import SessionMiddleware
    from starsessions.stores.redis import RedisStore

    app = Starlette(routes=routes(load))
    store = RedisStore(connection=Redis.from_url(url))
    app.add_middleware(SessionMiddleware, store=store, lifetime=86_400, rolling=True, cookie_https_only=False)
    return app


def alcazaba(url: str) -> Starlette:
    from fastapi_alcazaba import Cache
    from fastapi_alcazaba.backends.redis import RedisBackend
    from fastapi_alcazaba.sessions import ServerSessionMiddleware
    from redis.asyncio import Redis

    app = Starlette(routes=routes(there))
    cache = Cache(RedisBackend(Redis.from_url(url, max_connections=50)), signing_key=SECRET)
    app.add_middleware(ServerSessionMiddleware, cache=cache, secure=False)
    return app


if __name__ == "__main__":
    name, url, port = sys.argv[1:]
    options: Any = {"loop": "uvloop", "http": "httptools", "access_log": False, "log_level": "error"}
    uvicorn.run(globals()[name](url), port=int(port), **options)
