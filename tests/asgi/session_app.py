"""An app with sessions, for these tests: its view does what the path says."""

import pytest
from starlette.responses import JSONResponse

from redyard import SessionStore
from redyard.asgi.sessions import SessionMiddleware
from tests.asgi.apps import app_of

SECRET = "a-secret-of-today"


async def view(request):
    """/set?a=1 writes, /drop/a removes, /rotate, /end, /plain does not touch the session, all else reads."""
    session = request.session
    match request.url.path.strip("/").split("/"):
        case ["plain"]:
            return {}
        case ["end"]:
            await session.destroy()
        case ["rotate"]:
            await session.rotate()
        case ["set"]:
            (await session.load()).update(request.query_params)
        case ["drop", name]:
            del (await session.load())[name]
        case ["fail"]:
            (await session.load())["a"] = "failed"
            return JSONResponse({}, 500)
    return dict(await session.load())


@pytest.fixture(params=["native", "express"])
def make(redis, request):
    """Wrap the view in a middleware with the options given, in each format."""

    def wrap(view=view, redis=redis, store=None, **options):
        options = {"secret": SECRET, "secure": "auto", "cookie": "session", **options}
        store = store or SessionStore(redis, format=request.param, deadline=10)
        return SessionMiddleware(app_of(view), store=store, **options)

    return wrap
