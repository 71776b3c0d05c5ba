"""Sessions of a Starlette or FastAPI app, asked by browsers: `redyard run -- python examples/sessions.py`"""

import asyncio
import secrets

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from redyard import Redis, SessionStore
from redyard.asgi.sessions import SessionMiddleware, session_of

SECRET = secrets.token_urlsafe(32)  # an app keeps one that all its processes share


async def sign_in(request: Request) -> PlainTextResponse:
    """Remember who it is, under a new id: an id from before the sign-in must not become a signed-in one."""
    session = await session_of(request)
    await session.rotate(user=request.query_params["name"])
    session["greeting"] = "hello " + request.query_params["name"]
    return PlainTextResponse("welcome")


async def home(request: Request) -> PlainTextResponse:
    """Say who it is."""
    session = await session_of(request)
    return PlainTextResponse(f"{session.get('greeting', 'who are you?')}; devices: {len(await session.devices())}")


async def sign_out_others(request: Request) -> PlainTextResponse:
    """End the user's sessions on all other devices."""
    return PlainTextResponse(f"signed out: {await (await session_of(request)).destroy_others()}")


async def main() -> None:
    """Sign in on two devices, and out on one of them."""
    routes = [Route("/", home), Route("/in", sign_in), Route("/others", sign_out_others)]
    async with Redis.from_env() as redis:
        app = Starlette(routes=routes)
        app.add_middleware(SessionMiddleware, store=SessionStore(redis), secret=[SECRET])
        laptop, phone = [httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://x.test") for _ in "12"]
        visits = [(laptop, "/"), (laptop, "/in?name=Ada"), (phone, "/in?name=Ada"), (laptop, "/")]
        for browser, path in [*visits, (laptop, "/others"), (phone, "/"), (laptop, "/")]:
            answer = await browser.get(path)
            print(f"{path:<12}", answer.text, "(sets a cookie)" if "set-cookie" in answer.headers else "")
        await laptop.aclose()
        await phone.aclose()


if __name__ == "__main__":
    asyncio.run(main())
