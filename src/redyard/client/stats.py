"""What a client did and how long it took: counts by command, and latencies in powers of two."""

from collections import Counter
from collections.abc import Callable
from typing import Any

BUCKETS = 24
"""Bucket i counts latencies below 2**i microseconds: the last one begins at 4 s."""


class Stats:
    """Counters of one lane. One command of each write is timed: all of them at one caller, a sample at many."""

    def __init__(self) -> None:
        self.commands: Counter[Any] = Counter()
        self.latencies: dict[Any, list[int]] = {}
        self.heard: Callable[[Any, float], None] | None = None
        self.connects = 0
        self.resent = 0
        self.lost = 0
        self.timed_out = 0

    def count(self, names: list[Any]) -> None:
        """Count the commands of one write; mostly they all have one name."""
        first, size = names[0], len(names)
        if size == 1 or names.count(first) == size:
            self.commands[first] += size
        else:
            self.commands.update(names)

    def observe(self, name: Any, seconds: float) -> None:
        """Count one latency, and tell who listens (`heard`)."""
        try:
            self.latencies[name][int(seconds * 1_000_000).bit_length()] += 1
        except KeyError:
            self.latencies[name] = [0] * BUCKETS
            return self.observe(name, seconds)
        except IndexError:
            self.latencies[name][-1] += 1
        if self.heard:
            self.heard(name, seconds)
        return None

    def quantile(self, name: Any, share: float) -> float | None:
        """Return the bound, in seconds, below which this share of a command's latencies lies."""
        buckets = self.latencies.get(name)
        if buckets is None:
            return None
        wanted, seen = share * sum(buckets), 0
        for power, count in enumerate(buckets):
            seen += count
            if seen >= wanted:
                return float(1 << power) / 1_000_000
        return None
