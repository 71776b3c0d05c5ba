"""One app, whose sessions a module beside this one keeps: `python -m benchmarks.peers.sessions.app NAME URL PORT`."""

import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

SECRET = "a-secret-of-the-benchmark-of-32-characters"
FIELDS = {"user": 42, "name": "Ada Lovelace", "cart": [1, 2, 3], "theme": "dark"}


async def there(request: Request) -> Any:
    """Return the session of a middleware that has loaded it."""
    return request.session


def make(session_of: Callable[[Request], Awaitable[Any]] = there) -> Starlette:
    async def begin(request: Request) -> PlainTextResponse:
        (await session_of(request)).update(FIELDS)
        return PlainTextResponse("begun")

    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"user {(await session_of(request))['user']}")

    async def write(request: Request) -> PlainTextResponse:
        session = await session_of(request)
        session["n"] = session.get("n", 0) + 1
        return PlainTextResponse(f"user {session['user']}")

    async def plain(_: Request) -> PlainTextResponse:
        return PlainTextResponse("user 42")

    views = {"/begin": begin, "/read": read, "/write": write, "/plain": plain}
    return Starlette(routes=[Route(path, view) for path, view in views.items()])


def main() -> None:
    name, url, port = sys.argv[1:]
    app = importlib.import_module(f"benchmarks.peers.sessions.{name}").app(url)
    options: Any = {"loop": "uvloop", "http": "httptools", "access_log": False, "log_level": "error"}
    uvicorn.run(app, port=int(port), **options)


if __name__ == "__main__":
    main()
