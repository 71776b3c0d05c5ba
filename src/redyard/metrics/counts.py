"""What happens in this process, counted: of each kind of event how many, and what the kit's parts make of theirs.

One table says which event becomes which figure. Nothing is counted, and the parts emit nothing, while nobody listens.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from redyard import events, keys
from redyard.events import Event
from redyard.metrics import kit
from redyard.metrics.sources import Metric, Sample

Fields = Mapping[str, Any]
Values = tuple[str, ...]

MOST = 200
"""Sets of labels that a metric may have: names that come from outside must not fill the memory."""

REST = "(others)"
"""Stands for the labels beyond that."""

BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0)
"""Seconds: the upper bounds of a histogram's buckets, but for the last, which has none."""

CACHE_LEAD = keys.CACHE.pattern.removesuffix("{key}")


class Row(NamedTuple):
    """An event's figure: the metric, its labels, what they are of an event; of a histogram also its seconds."""

    metric: Metric
    names: Values
    values: Callable[[Fields], Values]
    seconds: str = ""


def _cache(fields: Fields) -> str:
    """Return what a cache's key begins with: the name of the cached function's template."""
    name: str = fields["key"]
    return name.removeprefix(CACHE_LEAD).partition(":")[0]


def _found(result: str) -> Row:
    return Row(kit.CACHE, ("cache", "result"), lambda fields: (_cache(fields), result))


def _decision(fields: Fields) -> Values:
    return (fields["name"], "allowed" if fields["allowed"] else "refused", str(fields["degraded"]).lower())


_BY_KIND = {
    events.CACHE_HIT: _found("hit"),
    events.CACHE_MISS: _found("miss"),
    events.CACHE_STALE: _found("stale"),
    events.CACHE_LOAD: Row(kit.CACHE_LOAD, ("cache",), lambda fields: (_cache(fields),), "seconds"),
    events.RATELIMIT_DECIDED: Row(kit.LIMITED, ("limit", "result", "degraded"), _decision),
    events.SESSION_USED: Row(kit.SESSIONS, ("what",), lambda fields: (fields["what"],)),
    events.JOB_ENDED: Row(
        kit.JOB_SECONDS, ("queue", "result"), lambda fields: (fields["queue"], fields["result"]), "seconds"
    ),
}

TABLE: Mapping[str, Row] = {kind.name: row for kind, row in _BY_KIND.items()}
"""By the event's name."""


class EventCounts:
    """Counts what happens in this process from now on, until `close`."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter({kind.name: 0 for kind in events.TABLE})
        self._figures: dict[str, dict[Values, Any]] = {row.metric.name: {} for row in TABLE.values()}
        self.close = events.subscribe(self._hear)

    def samples(self) -> Iterator[Sample]:
        """Yield all figures; each kind of event is there, if as zero: a rate needs a zero to start from."""
        for name, count in sorted(self._kinds.items()):
            yield Sample(kit.EVENTS, {"kind": name}, count)
        for name, row in {row.metric.name: row for row in TABLE.values()}.items():
            for values, figure in sorted(self._figures[name].items()):
                labels = dict(zip(row.names, values, strict=True))
                yield from figure.samples(row.metric, labels)

    def _hear(self, event: Event) -> None:
        name = event.kind.name
        self._kinds[name] += 1
        row = TABLE.get(name)
        if row is None:
            return
        figures, values = self._figures[row.metric.name], row.values(event.fields)
        figure = figures.get(values)
        if figure is None:
            if len(figures) >= MOST:
                values = (REST,) * len(row.names)
            figure = figures.setdefault(values, Times() if row.seconds else Count())
        figure.add(event.fields.get(row.seconds, 1))


class Count:
    """A counter."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, more: int) -> None:
        """Count so many."""
        self._count += more

    def samples(self, metric: Metric, labels: dict[str, str]) -> Iterator[Sample]:
        """Yield it."""
        yield Sample(metric, labels, self._count)


class Times:
    """A histogram of seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def samples(self, metric: Metric, labels: dict[str, str]) -> Iterator[Sample]:
        """Yield its buckets, its sum and its count."""
        seen = 0
        for bound, count in zip((*(f"{bound:g}" for bound in BOUNDS), "+Inf"), self._counts, strict=True):
            seen += count
            yield Sample(metric, labels | {"le": bound}, seen, "_bucket")
        yield Sample(metric, labels, self._sum, "_sum")
        yield Sample(metric, labels, seen, "_count")
