"""The engine of an app's tests: what its switches do, and what it does when it cannot start."""

import socket
from pathlib import Path

import pytest
import redis
from redis.exceptions import OutOfMemoryError

from redyard.errors import EngineDied, EngineUnusable
from redyard.testing import Server, server as module
from redyard.testing.server import MB


def test_a_port_that_is_taken_is_left_to_its_owner(engine, monkeypatch):
    """Another one is chosen, and the engine starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1]])
        real = module.free_port
        monkeypatch.setattr(module, "free_port", lambda: next(ports, None) or real())
        with Server(engine) as server:
            assert server.answers()
            assert server.port != taken.getsockname()[1]


def test_an_engine_that_will_not_start_says_why(own_server):
    """Its last lines are in the error."""
    own_server.kill()
    own_server.seat.configuration.write_text("no-such-setting 1\n")
    with pytest.raises(EngineDied, match="no-such-setting"):
        own_server.start()


def test_the_engine_of_the_environment_is_used(monkeypatch, tmp_path: Path):
    """REDYARD_ENGINE names it, and one that is not there is named in the error."""
    monkeypatch.setenv("REDYARD_ENGINE", str(tmp_path / "none"))
    with pytest.raises(EngineUnusable, match="none"):
        Server()


def test_a_full_store_refuses_writes_and_keeps_its_keys(own_server):
    """Reads go on; a clean one takes writes again."""
    with redis.Redis.from_url(own_server.url) as client:
        client.set("a", 1)
        own_server.fill()
        with pytest.raises(OutOfMemoryError):
            client.set("b", 1)
        seen = client.get("a")
        own_server.clean()
        client.set("b", 1)

        assert b"1" == seen
        assert [None, b"1"] == client.mget("a", "b")


def test_a_full_cache_has_evicted(engine):
    """It takes writes, and other keys go for them."""
    with Server(engine, role="cache", memory=8 * MB) as server, redis.Redis.from_url(server.url) as client:
        server.fill()
        taken = client.set("b", 1)

        assert taken
        assert client.info("stats")["evicted_keys"] > 0


def test_a_closed_one_leaves_nothing(engine):
    """No process and no file."""
    with Server(engine) as server:
        directory, process = server.seat.directory, server.process

    assert (False, False) == (directory.exists(), process.alive())


def test_closing_and_killing_twice_is_harmless(own_server):
    """Also when it never was alive again."""
    own_server.kill()
    own_server.kill()
    own_server.close()

    assert not own_server.answers()
