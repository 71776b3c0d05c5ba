"""Starlette's own sessions, which are in the cookie."""

from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware

from benchmarks.peers.sessions.app import SECRET, make


def app(_: str) -> Starlette:
    made = make()
    made.add_middleware(SessionMiddleware, secret_key=SECRET)
    return made
