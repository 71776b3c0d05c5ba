"""No session at all: what the server and the framework cost."""

from starlette.applications import Starlette

from benchmarks.peers.sessions.app import make


def app(_: str) -> Starlette:
    return make()
