"""Redyard as it is by default."""

from typing import Any

from starlette.applications import Starlette

from benchmarks.peers.sessions.app import SECRET, make
from redyard import Redis, SessionStore
from redyard.asgi.sessions import SessionMiddleware, session_of


def app(url: str, form: Any = "native") -> Starlette:
    made = make(session_of)
    store = SessionStore(Redis.from_url(url), format=form)
    made.add_middleware(SessionMiddleware, store=store, secret=SECRET, secure=False)
    return made
