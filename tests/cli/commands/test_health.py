"""`health` answers what the endpoints answer, and its status is one for a container's check."""

import json

import pytest

from redyard.errors import Unhealthy
from tests.support.odd import Odd
from tests.support.servers import free_port


def test_an_add_on_is_healthy(shared_yard):
    """Each of its instances takes a write."""
    said = shared_yard.run("health", "redis", "--json")
    report = json.loads(said.stdout)

    assert (0, "") == (said.returncode, said.stderr)
    assert "healthy" == report["status"]
    assert {"redis-store": True, "redis-cache": True} == {
        name: check["connected"] for name, check in report["checks"].items()
    }


def test_a_person_reads_a_line_for_each(shared_yard):
    """With the time that it took."""
    said = shared_yard.run("health", "redis-store").stdout

    assert "redis-store" in said
    assert " ms" in said


@pytest.mark.parametrize(
    ("words", "reason"), [(("--requirepass", "x"), "refused"), (("--min-replicas-to-write", 1), "no-replicas")]
)
def test_what_takes_no_write_is_the_status(shared_yard, engine, words, reason):
    """The reason is one word."""
    server = Odd(engine, *words)
    try:
        said = shared_yard.run("health", server.url(), "--json")
    finally:
        server.close()

    assert (Unhealthy.status, "") == (said.returncode, said.stderr)
    assert reason == json.loads(said.stdout)["checks"]["redis"]["reason"]


def test_a_server_that_evicts_is_well_unless_it_must_keep(shared_yard, engine):
    """What the address is for, only its owner knows."""
    server = Odd(engine, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
    try:
        server.do("EVAL", "for i = 1, 3000 do redis.call('SET', 'bull:' .. i, string.rep('x', 3000)) end", 0)
        cache, durable = shared_yard.run("health", server.url()), shared_yard.run("health", server.url(), "--durable")
    finally:
        server.close()

    assert (0, Unhealthy.status) == (cache.returncode, durable.returncode)
    assert "evicting" in durable.stdout


def test_nobody_is_there(shared_yard):
    """No address and no driver's message is printed."""
    said = shared_yard.run("health", f"redis://:hunter2@127.0.0.1:{free_port()}")

    assert (Unhealthy.status, "") == (said.returncode, said.stderr)
    assert "unreachable" in said.stdout
    assert "hunter2" not in said.stdout
