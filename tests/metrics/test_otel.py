"""A client's figures as OpenTelemetry's own SDK reads them."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from redyard.metrics.otel import BOUNDS, instrument


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader):
    made = MeterProvider([reader])
    yield made
    made.shutdown()


def points(reader):
    """Return the points of each metric."""
    data = reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
    return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


async def test_operations_have_the_names_of_the_conventions(redis, server, reader, provider):
    """The histogram's buckets are those that are advised, and its attributes tell command, database and server."""
    stop = instrument(redis, provider=provider)
    for _ in range(3):
        await redis.set("a", 1)
    await redis.get("a")
    found = {point.attributes["db.operation.name"]: point for point in points(reader)["db.client.operation.duration"]}
    stop()

    assert (3, 1) == (found["SET"].count, found["GET"].count)
    assert BOUNDS == tuple(found["SET"].explicit_bounds)
    assert 0 < found["SET"].sum < 3
    assert {
        "db.system.name": "redis",
        "db.namespace": "0",
        "db.operation.name": "SET",
        "server.address": "127.0.0.1",
        "server.port": server.port,
    } == dict(found["SET"].attributes)


async def test_counts_and_connections(redis, reader, provider):
    """Each command is counted, and the connection is idle between two."""
    stop = instrument(redis, provider=provider, name="store")
    await redis.ping()
    seen = points(reader)
    stop()
    states = {
        point.attributes["db.client.connection.state"]: point.value for point in seen["db.client.connection.count"]
    }

    assert {"idle": 1, "used": 0} == states
    assert 1 == sum(point.value for point in seen["redyard.client.commands"])
    assert [1, 0, 0, 0, 0] == [
        seen[f"redyard.client.{name}"][0].value for name in ("connects", "resent", "lost", "timed_out", "in_flight")
    ]
    assert "store" == seen["redyard.client.lost"][0].attributes["db.client.connection.pool.name"]


async def test_nothing_is_told_after_it_was_stopped(redis, reader, provider):
    """Stopping twice is legal."""
    stop = instrument(redis, provider=provider)
    stop()
    stop()
    await redis.ping()

    assert [] == [point for found in points(reader).values() for point in found]
    assert redis.stats.heard is None


def test_without_the_extra_it_is_named():
    """And the kit itself does not need it."""
    program = """
import sys
sys.modules["opentelemetry.metrics"] = None
import redyard, redyard.metrics
try:
    import redyard.metrics.otel
except redyard.RedyardError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert "the extra 'otel'" in said
