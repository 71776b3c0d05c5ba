"""Redyard in the format of Express."""

from starlette.applications import Starlette

from benchmarks.peers.sessions import redyard


def app(url: str) -> Starlette:
    return redyard.app(url, "express")
