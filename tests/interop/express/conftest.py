"""An Express app and one of ours on the same Redis."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from redyard import SessionStore
from redyard.asgi.sessions import SessionMiddleware, session_of
from tests.asgi.apps import app_of, browser
from tests.interop.express.node import express
from tests.support.clients import redis
from tests.support.servers import Server

__all__ = ["redis"]

OLD, NEW = "a-secret-of-yesterday", "a-secret-of-today"


@pytest.fixture(scope="module")
def address(shared_server: Server) -> Iterator[str]:
    """The address of an Express app that accepts both secrets and signs with the new one.

    It has a connection to the server, which other modules' tests are not to see.
    """
    with express(shared_server.url, [NEW, OLD]) as (found, _):
        yield found


async def operate(request):
    """Do what the Express app's /op does: set, drop, destroy, regenerate; answer what the session is."""
    said = await request.json()
    session = await session_of(request)
    match said.get("do"):
        case "destroy":
            await session.destroy()
        case "regenerate":
            await session.rotate()
    session.update(said.get("set", {}))
    for name in said.get("drop", []):
        session.pop(name, None)
    return {"id": session.id, "fields": dict(session)}


class Visitor:
    """A browser that goes to either app and carries its cookie across."""

    def __init__(self, node: httpx.AsyncClient, ours: httpx.AsyncClient) -> None:
        self.apps = {"express": node, "redyard": ours}
        self.cookie = ""
        self.line = ""
        self.status = 0

    async def __call__(self, app: str, **said: object) -> dict:
        """Ask an app, and return the fields of the session."""
        headers = {"cookie": self.cookie} if self.cookie else {}
        answer = await self.apps[app].post("/op", json=said, headers=headers)
        self.status, self.line = answer.status_code, answer.headers.get("set-cookie", "")
        for client in self.apps.values():
            client.cookies.clear()
        if self.line:
            self.cookie = self.line.partition(";")[0]
        return (answer.json() or {}).get("fields")

    @property
    def key(self) -> str:
        """Return the key of the session in Redis."""
        return "sess:" + self.cookie.partition("=s%3A")[2].rpartition(".")[0]


@pytest.fixture
async def visitor(server: Server, address: str, redis) -> AsyncIterator[Visitor]:
    """A visitor of both apps."""
    store = SessionStore(redis, format="express", deadline=10)
    app = SessionMiddleware(app_of(operate), store=store, secret=[NEW, OLD], secure=False)
    async with httpx.AsyncClient(base_url=address) as node, browser(app) as ours:
        yield Visitor(node, ours)
