"""A client's figures by OpenTelemetry's names: the extra `otel`. Nothing is measured that is not measured anyway.

The names and attributes are those of the semantic conventions for database clients, where there is one. A shared
connection times one command of each write, so that `db.client.operation.duration` is a sample at many callers; how many
commands there were says `redyard.client.commands`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from redyard.client import Redis
from redyard.errors import MissingExtra
from redyard.version import VERSION

try:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider
except ImportError:
    raise MissingExtra(extra="otel", package="opentelemetry-api") from None

BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Bounds of the buckets, in seconds, that the conventions advise."""

COUNTERS = (
    ("connects", "{connection}", "Connections that a client made."),
    ("resent", "{command}", "Commands sent again, which had not run."),
    ("lost", "{command}", "Commands whose fate is unknown."),
    ("timed_out", "{command}", "Commands that took too long."),
)
"""A client's counters, which no convention names: `redyard.client.NAME`."""

Attributes = dict[str, str | int]
Callback = Callable[[CallbackOptions], Iterable[Observation]]


def instrument(redis: Redis, *, provider: MeterProvider | None = None, name: str = "redis") -> Callable[[], None]:
    """Tell OpenTelemetry what a client does, from now on; return the function that ends this.

    Args:
        redis: the client; one is instrumented once.
        provider: where the figures go; without one, the process's own.
        name: tells several clients of a process apart.
    """
    meter = (provider or get_meter_provider()).get_meter("redyard", VERSION)
    common = _common(redis)
    pool = common | {"db.client.connection.pool.name": name}
    duration = meter.create_histogram(
        "db.client.operation.duration",
        unit="s",
        description="Duration of database client operations.",
        explicit_bucket_boundaries_advisory=BOUNDS,
    )

    def hear(command: Any, seconds: float) -> None:
        duration.record(seconds, common | {"db.operation.name": _operation(command)})

    def commands(_: CallbackOptions) -> Iterable[Observation]:
        counted = list(redis.stats.commands.items()) if redis.stats.heard is hear else []
        return [Observation(count, pool | {"db.operation.name": _operation(command)}) for command, count in counted]

    def value(read: Callable[[], int], attributes: Attributes | None = None) -> Callback:
        return lambda _: [Observation(read(), {**pool, **(attributes or {})})] if redis.stats.heard is hear else []

    meter.create_observable_counter("redyard.client.commands", [commands], "{command}", "Commands that a client sent.")
    for field, unit, says in COUNTERS:
        reader = value(partial(getattr, redis.stats, field))
        meter.create_observable_counter(f"redyard.client.{field}", [reader], unit, says)
    meter.create_observable_up_down_counter(
        "redyard.client.in_flight", [value(lambda: redis.in_flight)], "{command}", "Commands that wait for their reply."
    )
    states = [
        value(lambda: int(redis.connected and redis.in_flight > 0), {"db.client.connection.state": "used"}),
        value(lambda: int(redis.connected and not redis.in_flight), {"db.client.connection.state": "idle"}),
    ]
    meter.create_observable_up_down_counter(
        "db.client.connection.count", states, "{connection}", "The connections that are in the state."
    )
    redis.stats.heard = hear

    def stop() -> None:
        if redis.stats.heard is hear:
            redis.stats.heard = None

    return stop


def _common(redis: Redis) -> Attributes:
    options = redis.connection_pool.connection_kwargs
    found: Attributes = {"db.system.name": "redis", "db.namespace": str(options.get("db") or 0)}
    address = options.get("path") or options.get("host")
    if address:
        found["server.address"] = str(address)
    if "port" in options and not options.get("path"):
        found["server.port"] = int(options["port"])
    return found


def _operation(command: Any) -> str:
    text = command.decode("ascii", "replace") if isinstance(command, bytes) else str(command)
    return text.upper()
