"""The kit of an app: opened, found by its routes, and closed in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from redis.exceptions import AuthenticationError, RedisError
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from redyard import Queue, Redis, Worker, events
from redyard.asgi.fastapi import AppCache, AppQueue, AppRedis
from redyard.asgi.kit import Kit, cache_of, kit_of, queue_of, redis_of
from redyard.errors import EvictingServer
from redyard.testing import Server
from tests.asgi.apps import browser
from tests.support.clients import heard
from tests.support.wait import until


def environ(server: Server) -> dict[str, str]:
    return {"REDIS_URL": server.url, "REDIS_CACHE_URL": server.url}


@pytest.fixture
def kit(server: Server) -> Kit:
    """A kit with a queue on the shared store."""
    return Kit.from_env(environ(server), app="shop", queue="mails")


@asynccontextmanager
async def started(app: FastAPI | Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """An app between its startup and its shutdown, and its client."""
    async with app.router.lifespan_context(app), browser(app) as client:
        yield client


def connections(server: Server) -> set[str]:
    """The names under which a server lists an app's connections."""
    return {client["name"].rpartition(":")[0] for client in server.admin("CLIENT LIST") if "shop" in client["name"]}


async def test_fastapi_routes_get_their_parts_by_type(kit: Kit, server: Server):
    """A parameter's type is enough, and after the shutdown no connection is left."""
    app = FastAPI(lifespan=kit.lifespan)

    @app.post("/mails")
    async def send(to: str, redis: AppRedis, queue: AppQueue, cache: AppCache) -> dict[str, object]:
        await cache.set("last", to)
        await queue.add("welcome", {"to": to})
        return {
            "waiting": (await queue.counts())["waiting"],
            "last": await cache.get("last"),
            "sent": await redis.incr("sent"),
        }

    async with started(app) as client:
        answer = await client.post("/mails", params={"to": "Ada"})
        during = connections(server)
    await until(lambda: not connections(server))

    assert {"waiting": 1, "last": "Ada", "sent": 1} == answer.json()
    assert {"shop:store", "shop:cache"} == during


async def test_starlette_views_ask_for_them(kit: Kit):
    """The same functions, also where a view belongs to an app that is mounted, by the server's lifespan state."""

    async def view(request: Request) -> JSONResponse:
        await (await redis_of(request)).set("a", 1)
        return JSONResponse([repr(await queue_of(request)), await (await cache_of(request)).get("none")])

    inner = Starlette(routes=[Route("/", view)])
    app = Starlette(routes=[Route("/", view), Mount("/inner", inner)], lifespan=kit.lifespan)
    async with app.router.lifespan_context(app) as state:

        async def served(scope, receive, send):
            await app({**scope, "state": dict(state)}, receive, send)  # as a server does; httpx does not

        async with browser(served) as client:
            answers = [(await client.get(path)).json() for path in ("/", "/inner/")]

    assert [["<Queue 'mails'>", None]] * 2 == answers


async def test_an_app_of_plain_asgi_uses_it_by_itself(kit: Kit):
    """It is a context manager, and an app without a state is no obstacle."""
    async with kit.lifespan(object()) as state:
        connection = HTTPConnection({"type": "http", "state": state})
        pong = await (await redis_of(connection)).ping()

    assert pong


async def test_it_is_a_part_of_an_own_lifespan(kit: Kit):
    """What is opened after it is closed before it, while Redis is still there."""
    seen = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with kit.lifespan(app):
            yield
            seen.append(await kit.redis.ping())

    async with started(FastAPI(lifespan=lifespan)):
        pass

    assert [True] == seen


async def test_a_store_that_evicts_ends_the_start(own_server: Server):
    """An app whose jobs could vanish does not start, and leaves no connection."""
    own_server.admin("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    kit = Kit.from_env(environ(own_server), app="shop", queue="mails")
    with pytest.raises(EvictingServer):
        await kit.open()

    await until(lambda: not connections(own_server))


async def test_a_wrong_password_ends_the_start(server: Server):
    """It will not become right by waiting."""
    url = server.url.replace("secret", "wrong")
    kit = Kit.from_env({"REDIS_URL": url}, queue="mails")
    with pytest.raises(AuthenticationError):
        await kit.open()


async def test_a_redis_that_is_away_does_not(own_server: Server):
    """The app starts, says so, and works when it is back."""
    own_server.kill()
    redis = Redis.from_url(own_server.url, socket_timeout=1)
    kit = Kit(redis, redis, queue=Queue(redis, "mails"))
    with heard(events.REDIS_AWAY) as said:
        await kit.open()
    await asyncio.to_thread(own_server.start)

    async def added() -> bool:
        with suppress(RedisError):
            await kit.queue.add("welcome", job_id="welcome-ada")
            return True

    await until(added)
    await kit.close()

    assert ["the app"] == [event.fields["owner"] for event in said]


async def test_what_is_on_its_way_is_answered_before_the_end(own_server: Server):
    """A shutdown loses no command that a task of the app has sent."""
    kit = Kit.from_env(environ(own_server))
    await kit.redis.ping()
    with own_server.paused():
        sent = [asyncio.create_task(kit.redis.incr("n")) for _ in range(100)]
        await until(lambda: kit.redis.in_flight == 100)
        closing = asyncio.create_task(kit.close())
    await closing

    assert list(range(1, 101)) == sorted(await asyncio.gather(*sent))


async def test_a_hanging_redis_does_not_hold_the_end_up(own_server: Server):
    """Whoever waits is told that the command may have run."""
    kit = Kit.from_env(environ(own_server))
    await kit.redis.ping()
    with own_server.paused():
        sent = asyncio.create_task(kit.redis.incr("n"))
        await until(lambda: kit.redis.in_flight)
        await kit.close()
        (error,) = await asyncio.gather(sent, return_exceptions=True)

    assert error.maybe_ran


async def test_a_worker_stands_on_it_too(kit: Kit):
    """The worker ends first, then the connections."""

    async def handler(job):
        return job.data

    async with kit:
        worker = Worker(kit.queue, handler)
        run = asyncio.create_task(worker.run())
        result = await (await kit.queue.add("echo", 1)).result(timeout=10)
        worker.stop()
        await run

    assert 1 == result


async def test_a_queue_can_be_made_by_the_app(server: Server):
    """With the options that its jobs need."""
    kit = Kit.from_env(environ(server), queue=lambda redis: Queue(redis, "slow", attempts=9))
    await kit.close()

    assert ("slow", 9) == (kit.queue.name, kit.queue.options["attempts"])


@pytest.mark.parametrize(
    ("state", "said"), [({}, "lifespan=kit.lifespan"), ({"redyard": Kit(Redis(), Redis())}, "has no queue")]
)
async def test_what_is_missing_is_said(state: dict[str, object], said: str):
    """A route that asks for what the app has not."""
    with pytest.raises(LookupError, match=said):
        await queue_of(HTTPConnection({"type": "http", "state": state, "app": SimpleNamespace()}))


async def test_a_framework_that_names_its_app_otherwise_is_known(kit: Kit):
    """Litestar puts it into the scope by its own name."""
    app = SimpleNamespace(state=SimpleNamespace())
    async with kit.lifespan(app):
        found = await kit_of(HTTPConnection({"type": "http", "litestar_app": app}))

    assert found is kit
