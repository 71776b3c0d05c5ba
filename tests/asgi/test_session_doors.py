"""Sessions through other doors: FastAPI's dependencies, WebSockets, and scopes that have none."""

from typing import Annotated

from fastapi import Depends, FastAPI

from redyard import SessionStore
from redyard.asgi.sessions import SessionMiddleware, session_of
from redyard.sessions import Session
from tests.asgi.apps import browser
from tests.asgi.session_app import SECRET
from tests.support.clients import client


async def test_a_fastapi_app_has_it_by_a_dependency(redis):
    """Typed and loaded, also for a view that is no coroutine."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, store=SessionStore(redis, deadline=10), secret=SECRET)
    Loaded = Annotated[Session, Depends(session_of)]  # noqa: N806 - a type

    @app.get("/")
    def count(session: Loaded):
        session["n"] = session.get("n", 0) + 1
        return session["n"]

    async with browser(app, https=True) as visitor:
        assert [1, 2, 3] == [(await visitor.get("/")).json() for _ in range(3)]


def socket_scope(**more):
    return {"type": "websocket", "path": "/", "query_string": b"", "headers": [], "scheme": "ws", **more}


async def test_a_websocket_reads_and_keeps_the_session(make):
    """A change after the handshake is kept by commit()."""
    app = make()
    async with browser(app) as visitor:
        cookie = (await visitor.get("/set?a=1")).headers["set-cookie"].partition(";")[0]
        seen = []

        async def socket(scope, receive, send):
            session = await scope["session"].load()
            seen.append(dict(session))
            await send({"type": "websocket.accept"})
            session["b"] = 2
            assert await session.commit()

        sent = []

        async def send(message):
            sent.append(message)

        wrapped = SessionMiddleware(socket, store=app.store, secret=SECRET, secure="auto", cookie="session")
        await wrapped(socket_scope(headers=[(b"cookie", cookie.encode())]), None, send)

        assert [{"a": "1"}] == seen
        assert [{"type": "websocket.accept"}] == sent
        assert {"a": "1", "b": 2} == (await visitor.get("/")).json()


async def test_a_websocket_can_begin_a_session_in_its_handshake(make):
    """The cookie goes with the answer to the upgrade."""
    app, sent = make(), []

    async def socket(scope, receive, send):
        (await scope["session"].load())["a"] = 1
        await send({"type": "websocket.accept", "headers": [(b"x", b"y")]})

    async def send(message):
        sent.append(message)

    await SessionMiddleware(socket, store=app.store, secret=SECRET, secure="auto")(
        socket_scope(scheme="wss"), None, send
    )

    ((first, cookie),) = [message["headers"] for message in sent]
    assert ((b"x", b"y"), b"set-cookie") == (first, cookie[0])
    assert cookie[1].endswith(b"; Secure")


async def test_a_websocket_whose_session_cannot_be_kept_is_closed():
    """With the code for "try again later"."""
    sent = []

    async def socket(scope, receive, send):
        (await scope["session"].load())["a"] = 1
        await send({"type": "websocket.accept"})

    async def send(message):
        sent.append(message)

    async with client("redis://127.0.0.1:1") as redis:
        await SessionMiddleware(socket, store=SessionStore(redis), secret=SECRET)(socket_scope(), None, send)

    assert [{"type": "websocket.close", "code": 1013}] == sent


async def test_other_scopes_pass_through(make):
    """A lifespan has no session."""
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope)

    await SessionMiddleware(lifespan, store=make().store, secret=SECRET)({"type": "lifespan"}, None, None)

    assert [{"type": "lifespan"}] == seen
