"""A client's own counters as samples."""

from collections.abc import Iterator

from redyard.client import Redis
from redyard.metrics import kit
from redyard.metrics.sources import Sample

FIRST, LAST = 4, 23
"""The powers of two microseconds that are printed as buckets: 16 us to 8 s."""


def client_samples(redis: Redis, name: str = "redis") -> Iterator[Sample]:
    """Yield what a client did, labelled with a name for it."""
    stats, labels = redis.stats, {"client": name}
    yield Sample(kit.CONNECTS, labels, stats.connects)
    yield Sample(kit.RESENT, labels, stats.resent)
    yield Sample(kit.LOST, labels, stats.lost)
    yield Sample(kit.TIMED_OUT, labels, stats.timed_out)
    yield Sample(kit.IN_FLIGHT, labels, redis.in_flight)
    for command, count in list(stats.commands.items()):
        yield Sample(kit.COMMANDS, labels | {"cmd": _name(command)}, count)
    for command, buckets in list(stats.latencies.items()):
        yield from _histogram(labels | {"cmd": _name(command)}, list(buckets))


def _histogram(labels: dict[str, str], buckets: list[int]) -> Iterator[Sample]:
    """Yield the buckets. A client knows no sum; the middles of the buckets give one that is good to a factor."""
    seen, total = 0, 0.0
    for power, count in enumerate(buckets):
        seen += count
        total += count * (1 << power) * 0.75e-6
        if FIRST <= power < LAST:
            yield Sample(kit.DURATION, labels | {"le": f"{(1 << power) / 1e6:g}"}, seen, "_bucket")
    yield Sample(kit.DURATION, labels | {"le": "+Inf"}, seen, "_bucket")
    yield Sample(kit.DURATION, labels, total, "_sum")
    yield Sample(kit.DURATION, labels, seen, "_count")


def _name(command: object) -> str:
    text = command.decode("ascii", "replace") if isinstance(command, bytes) else str(command)
    return text.lower()
