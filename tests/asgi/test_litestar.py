"""A Litestar app: the kit's lifespan, its parts in routes, and each middleware, as the guide says."""

import httpx
from litestar import Litestar, Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import asgi
from litestar.middleware import DefineMiddleware

from redyard import Queue, RateLimit, SessionStore
from redyard.asgi.health import HealthApp
from redyard.asgi.kit import Kit, cache_of, queue_of, redis_of
from redyard.asgi.ratelimit import RateLimitMiddleware
from redyard.asgi.sessions import SessionMiddleware, session_of
from redyard.testing import Server
from tests.asgi.apps import browser
from tests.support.wait import until

SECRET = "a-secret-for-tests-of-32-characters"


async def its_queue(request: Request) -> Queue:
    """A provider: the framework gives it the request by its parameter's name."""
    return await queue_of(request)


@post("/mails")
async def send(request: Request, queue: NamedDependency[Queue]) -> dict[str, object]:
    """Use all three parts; one by the framework's own injection."""
    cache, redis, to = await cache_of(request), await redis_of(request), request.query_params["to"]
    await cache.set("last", to)
    await queue.add("welcome", {"to": to})
    return {
        "last": await cache.get("last"),
        "waiting": (await queue.counts())["waiting"],
        "sent": await redis.incr("sent"),
    }


@get("/visits")
async def visits(request: Request) -> int:
    """Count in the visitor's session."""
    session = await session_of(request)
    session["visits"] = session.get("visits", 0) + 1
    return session["visits"]


def app_of(kit: Kit) -> Litestar:
    """An app with everything that the kit has for it."""
    return Litestar(
        [send, visits, asgi("/health", is_mount=True, copy_scope=True)(HealthApp(kit.redis))],
        lifespan=[kit.lifespan],
        dependencies={"queue": Provide(its_queue)},
        middleware=[
            DefineMiddleware(SessionMiddleware, store=SessionStore(kit.redis), secret=SECRET, secure=False),
            DefineMiddleware(RateLimitMiddleware, limit=RateLimit(kit.redis, "all", limit=4, per=60)),
        ],
    )


async def test_a_litestar_app_has_it_all(server: Server):
    """Parts in routes, sessions, limits, health; and after the shutdown no connection is left."""
    kit = Kit.from_env({"REDIS_URL": server.url, "REDIS_CACHE_URL": server.url}, app="litestar", queue="mails")
    app = app_of(kit)
    async with app.lifespan(), browser(app) as client:
        sent = await client.post("/mails", params={"to": "Ada"})
        seen = [(await client.get("/visits")).text for _ in range(2)]
        health = await client.get("/health/live")
        refused = await client.get("/visits")
    await until(lambda: not [item for item in server.admin("CLIENT LIST") if "litestar" in item["name"]])

    assert {"last": "Ada", "waiting": 1, "sent": 1} == sent.json()
    assert ["1", "2"] == seen
    assert (httpx.codes.OK, httpx.codes.TOO_MANY_REQUESTS) == (health.status_code, refused.status_code)
