"""Sessions of a Starlette or FastAPI app, asked by a browser: `redyard run -- python examples/sessions.py`"""

import asyncio
import secrets

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from redyard import Redis, SessionStore
from redyard.asgi.sessions import SessionMiddleware
from redyard.sessions import Session

SECRET = secrets.token_urlsafe(32)  # an app keeps one that all its processes share


def session_of(request: Request) -> Session:
    """Return `request.session`, which Starlette's types call a dict."""
    session: Session = request.scope["session"]
    return session


async def sign_in(request: Request) -> PlainTextResponse:
    """Remember who it is, under a new id: an id from before the sign-in must not become a signed-in one."""
    session = await session_of(request).rotate()
    session["user"] = request.query_params["name"]
    return PlainTextResponse("welcome")


async def home(request: Request) -> PlainTextResponse:
    """Say who it is."""
    session = await session_of(request).load()
    return PlainTextResponse(f"hello {session.get('user', 'stranger')}")


async def sign_out(request: Request) -> PlainTextResponse:
    """End the session for everybody who holds its id."""
    await session_of(request).destroy()
    return PlainTextResponse("bye")


async def main() -> None:
    """Sign in and out again."""
    async with Redis.from_env() as redis:
        app = Starlette(routes=[Route("/", home), Route("/in", sign_in), Route("/out", sign_out)])
        app.add_middleware(SessionMiddleware, store=SessionStore(redis), secret=[SECRET])
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://example.test") as browser:
            for path in ("/", "/in?name=Ada", "/", "/out", "/"):
                answer = await browser.get(path)
                print(f"{path:<12}", answer.text, "(sets a cookie)" if "set-cookie" in answer.headers else "")


if __name__ == "__main__":
    asyncio.run(main())
