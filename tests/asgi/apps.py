"""Small ASGI apps, and a browser that keeps cookies."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

View = Callable[[Request], Awaitable[Any]]


def app_of(view: View) -> Starlette:
    """An app with one view for all paths; what it returns becomes JSON."""

    async def endpoint(request: Request) -> Response:
        result = await view(request)
        return result if isinstance(result, Response) else JSONResponse(result)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=["GET", "POST"])])


def browser(app: Any, *, https: bool = False) -> httpx.AsyncClient:
    """A client of an app, without a network."""
    base = "https://app.test" if https else "http://app.test"
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)
