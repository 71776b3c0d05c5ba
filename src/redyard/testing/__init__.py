"""A real engine for an app's own tests: a pytest plugin, there as soon as Redyard is installed.

An engine starts once a session (once a worker of pytest-xdist) when a test first asks for it, and is clean for each
test. There is no mock: what holds here holds on the add-on. Every run of pytest imports this module, so it is light.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from redyard.testing.server import Server

__all__ = ["Server"]


@pytest.fixture(scope="session")
def redyard_servers() -> "Iterator[dict[str, Server]]":
    """The engines of a session, by role; empty until one is asked for."""
    servers: dict[str, Server] = {}
    yield servers
    for server in servers.values():
        server.close()


@pytest.fixture
def redis_server(redyard_servers: "dict[str, Server]") -> "Server":
    """A store as the add-on has it, running and clean; it can be paused, killed and filled."""
    return _clean(redyard_servers, "store")


@pytest.fixture
def redis_cache_server(redyard_servers: "dict[str, Server]") -> "Server":
    """A cache as the add-on has it, beside the store."""
    return _clean(redyard_servers, "cache")


@pytest.fixture
def redis_environ(
    redis_server: "Server", redis_cache_server: "Server", monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """REDIS_URL and REDIS_CACHE_URL of a clean store and cache, set in this process for the time of a test."""
    environ = {"REDIS_URL": redis_server.url, "REDIS_CACHE_URL": redis_cache_server.url}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


def _clean(servers: "dict[str, Server]", role: str) -> "Server":
    if role in servers:
        servers[role].clean()
    else:
        servers[role] = import_module("redyard.testing.server").Server(role=role)
    return servers[role]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("redyard.testing.server"), name)
