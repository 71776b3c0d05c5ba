"""The last hour of an instance's figures, as points in time: what the conditions of the rules look at. No clock."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from redyard.metrics import Sample

KEPT = 3700.0
"""Seconds that a point is kept: the longest look back of a rule, and some."""

_time = attrgetter("at")
Labels = tuple[tuple[str, tuple[str, ...]], ...]


class Pick(NamedTuple):
    """The samples of a metric whose labels have one of these values; their sum is one figure."""

    name: str
    labels: Labels = ()

    def of(self, found: Mapping[str, list[Sample]]) -> float | None:
        """Return the figure, or None where there is no such metric; no sample with these labels counts as 0."""
        rows = found.get(self.name)
        if rows is None:
            return None
        return sum(row.value for row in rows if all(row.labels.get(name) in values for name, values in self.labels))


class Point(NamedTuple):
    """The figures of one moment."""

    at: float
    values: Mapping[Pick, float]


class Window:
    """Points, the oldest first."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self.points: list[Point] = list(points)

    def add(self, at: float, found: Mapping[str, list[Sample]], picks: Iterable[Pick]) -> None:
        """Add a moment, and forget what is too old. A clock that was set back begins the window anew."""
        if self.points and at < self.points[-1].at:
            self.points.clear()
        values = {pick: value for pick in picks if (value := pick.of(found)) is not None}
        self.points.append(Point(at, values))
        del self.points[: self._from(at - KEPT)]

    def latest(self, pick: Pick) -> float | None:
        """Return the figure of the last point."""
        return self.points[-1].values.get(pick) if self.points else None

    def before(self, pick: Pick, seconds: float) -> float | None:
        """Return the figure so many seconds ago; None where the window does not reach so far."""
        place = bisect_right(self.points, self._now - seconds, key=_time)
        return self.points[place - 1].values.get(pick) if place else None

    def increase(self, pick: Pick, seconds: float) -> float | None:
        """Return by how much a counter grew; one that fell began anew, with its server."""
        known = list(self._within(pick, seconds))
        if len(known) < 2 or self.latest(pick) is None:
            return None
        return sum(new - old if new >= old else new for (_, old), (_, new) in pairwise(known))

    def rate(self, pick: Pick, seconds: float) -> float | None:
        """Return the growth of a counter a second."""
        known = list(self._within(pick, seconds))
        grown = self.increase(pick, seconds)
        return None if grown is None else grown / (known[-1][0] - known[0][0])

    def predict(self, pick: Pick, seconds: float, ahead: float) -> float | None:
        """Return the figure in the future if it goes on as in the last seconds; None where half of them are missing."""
        known = list(self._within(pick, seconds))
        if len(known) < 3 or known[-1][0] - known[0][0] < seconds / 2:
            return None
        middle = sum(at for at, _ in known) / len(known)
        mean = sum(value for _, value in known) / len(known)
        spread = sum((at - middle) ** 2 for at, _ in known)
        slope = sum((at - middle) * (value - mean) for at, value in known) / spread
        return mean + slope * (self._now + ahead - middle)

    @property
    def _now(self) -> float:
        return self.points[-1].at if self.points else 0.0

    def _within(self, pick: Pick, seconds: float) -> Iterator[tuple[float, float]]:
        points = self.points[self._from(self._now - seconds) :]
        return ((point.at, point.values[pick]) for point in points if pick in point.values)

    def _from(self, bound: float) -> int:
        return bisect_left(self.points, bound, key=_time)
