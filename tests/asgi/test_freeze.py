"""What an app made at its start is out of the garbage collector's sight, and a request leaves no circles behind."""

import gc
import subprocess
import sys
import weakref

import pytest

from redyard.asgi.sessions import session_of
from tests.asgi.apps import browser
from tests.asgi.session_app import make

__all__ = ["make"]

PROGRAM = """
import asyncio, gc
from redyard import Cache, RateLimit, Redis, SessionStore
from redyard.asgi.cache import CacheMiddleware
from redyard.asgi.ratelimit import RateLimitMiddleware
from redyard.asgi.sessions import SessionMiddleware

redis = Redis.from_url("redis://127.0.0.1:1")
doors = {{
    "cache": lambda app, **options: CacheMiddleware(app, cache=Cache(redis), **options),
    "sessions": lambda app, **options: SessionMiddleware(app, store=SessionStore(redis), secret="s" * 16, **options),
    "limits": lambda app, **options: RateLimitMiddleware(app, limit=RateLimit(redis, "a", 1, 1), **options),
}}

async def app(scope, receive, send):
    await send({{"type": "lifespan.startup.complete"}})

async def send(message):
    print(message["type"], gc.get_freeze_count() - before > 1000, gc.get_threshold()[0])

{prelude}
before = gc.get_freeze_count()
asyncio.run(doors["{door}"](app, {options})({{"type": "lifespan"}}, None, send))
"""


def start(door: str, prelude: str = "", options: str = "") -> list[str]:
    """Start an app in its own process; return what it said, whether it has frozen, and the collector's threshold."""
    program = PROGRAM.format(door=door, prelude=prelude, options=options)
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("door", ["sessions", "limits", "cache"])
def test_start(door):
    """When an app has started, what it made is frozen, and the collector looks less often."""

    assert ["lifespan.startup.complete", "True", "10000"] == start(door)


@pytest.mark.parametrize(
    ("prelude", "options", "threshold"),
    [
        ("", "freeze=False", str(gc.get_threshold()[0])),
        ("gc.set_threshold(900); gc.disable()", "", "900"),
        ("gc.set_threshold(0)", "", "0"),
        ("gc.set_threshold(900); gc.freeze()", "", "900"),
    ],
)
def test_left_alone(prelude, options, threshold):
    """An app that says so, has no collector or has frozen by itself is left alone."""
    prelude = f"gc.set_threshold({threshold})\n{prelude}"

    assert ["lifespan.startup.complete", "False", threshold] == start("sessions", prelude, options)


def test_longer_threshold():
    """A collector that looks even less often stays so."""

    assert "50000" == start("limits", "gc.set_threshold(50_000)")[2]


@pytest.mark.parametrize("path", ["/read", "/set?a=1"])
async def test_no_circles(make, path):
    """A request's session is gone when the request is, without the collector."""
    seen = []

    async def view(request):
        session = await session_of(request)
        session.update(request.query_params)
        seen.append(weakref.ref(session))
        return len(session)

    async with browser(make(view)) as client:
        await client.get("/set?a=1")
        gc.disable()
        try:
            await client.get(path)
        finally:
            gc.enable()

    assert [None, None] == [ref() for ref in seen]
