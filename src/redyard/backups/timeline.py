"""What a storage holds of an instance, in order: bases, segments of the stream, and the moments that can be restored.

Pure: names of objects in, decisions out. The names alone tell the whole timeline, to a program and to a person:

    base/20261123T021500.250Z-000000000123456-9c1f3ab2.rdb.zst
    stream/20261123T021500.250Z-000000000123456-000000000987654-9c1f3ab2.aof.zst
    logical/20261123T021500.250Z-5e0d11aa.resp.zst

A base is a dump of the server at an offset of its stream of writes; a segment is that stream from one offset to
another. A logical base is what a server that nobody may follow answered when it was asked for every key: RESTORE
commands, read until the time in its name, with a history of its own that no stream continues. The last part is the
beginning of the history's name (the server's replication id): offsets of different histories have nothing to do with
each other. Beside each object lies NAME.json, written last: without it, the object is not there.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from redyard.errors import MomentUnknown
from redyard.units import format_instant

OFFSET_DIGITS = 15
"""Digits of an offset in a name: a server that takes 1 GB/s needs 31 years for a sixteenth."""

RDB, LOGICAL, STREAM = "rdb", "logical", "stream"
"""Kinds of objects: the server's own dump, its keys as they were read one after another, a part of its stream."""


class Base(NamedTuple):
    """A dump of the server: when it was begun, at which offset of which history; a logical one: when it was whole."""

    at: float
    offset: int
    history: str
    kind: str = RDB

    @property
    def name(self) -> str:
        """Return the object's name."""
        if self.kind == LOGICAL:
            return f"logical/{stamp(self.at)}-{self.history}.resp.zst"
        return f"base/{stamp(self.at)}-{self.offset:0{OFFSET_DIGITS}}-{self.history}.rdb.zst"


class Segment(NamedTuple):
    """A part of the stream: when it was begun, from which offset to which, of which history."""

    at: float
    start: int
    end: int
    history: str

    @property
    def name(self) -> str:
        """Return the object's name."""
        offsets = f"{self.start:0{OFFSET_DIGITS}}-{self.end:0{OFFSET_DIGITS}}"
        return f"stream/{stamp(self.at)}-{offsets}-{self.history}.aof.zst"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What lies beside an object (NAME.json): what it is made of, and how to know that it is whole.

    `marks` are (offset, Unix time) of a segment: what had come at that time. Of a logical base, `begun`
    is when its reading began, `keys` how many were read, and `digests` tell some of them (see `sample`).
    """

    sha256: str
    size: int
    raw_size: int
    engine: str
    version: str
    history: str
    kind: str = ""
    marks: list[tuple[int, float]] = []
    begun: float = 0.0
    keys: int = 0
    digests: dict[str, str] = {}


class Recipe(NamedTuple):
    """What makes a moment again: a base, the segments after it, and the offset at which to stop."""

    base: Base
    segments: tuple[Segment, ...]
    until: int
    at: float
    """The moment that this is, in truth: the last mark that is not later than the one asked for."""

    def spans(self) -> Iterator[tuple[Segment, int, int]]:
        """Yield each segment with how many of its bytes to leave out, and how many to take."""
        reached = self.base.offset
        for segment in self.segments:
            end = min(segment.end, self.until)
            if end > reached:
                yield segment, reached - segment.start, end - reached
                reached = end


class Window(NamedTuple):
    """A span of moments that can be restored, without a gap."""

    first: float
    last: float


_LOGICAL = re.compile(r"logical/(\d{8}T\d{6}\.\d{3}Z)-([0-9a-f]+)\.resp\.zst")
_BASE = re.compile(r"base/(\d{8}T\d{6}\.\d{3}Z)-([0-9]{1,18})-([0-9a-f]+)\.rdb\.zst")
_SEGMENT = re.compile(r"stream/(\d{8}T\d{6}\.\d{3}Z)-([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]+)\.aof\.zst")


def parse(name: str) -> Base | Segment | None:
    """Return what an object's name says, or None where it is none of ours."""
    try:
        return _parse(name)
    except ValueError:  # it has the form, and a moment that never was
        return None


def _parse(name: str) -> Base | Segment | None:
    if found := _BASE.fullmatch(name):
        return Base(_moment(found[1]), int(found[2]), found[3])
    if found := _LOGICAL.fullmatch(name):
        return Base(_moment(found[1]), 0, found[2], LOGICAL)
    if found := _SEGMENT.fullmatch(name):
        return Segment(_moment(found[1]), int(found[2]), int(found[3]), found[4])
    return None


class Timeline:
    """The bases and segments of one instance, the oldest first. Only what has its facts beside it counts."""

    def __init__(self, names: Iterable[str]) -> None:
        all_names = set(names)
        found = [parse(name) for name in all_names if f"{name}.json" in all_names]
        self.bases: list[Base] = sorted(item for item in found if isinstance(item, Base))
        self.segments: list[Segment] = sorted(item for item in found if isinstance(item, Segment))

    def after(self, base: Base) -> tuple[Segment, ...]:
        """Return the segments that continue a base without a gap, the next one first."""
        chain, reached = [], base.offset
        ours = sorted(  # of two that begin at one offset the longer: a merged one has those that it was made of
            (item for item in self.segments if item.history == base.history), key=lambda item: (item.start, -item.end)
        )
        for segment in ours:
            if segment.end <= reached:
                continue
            if segment.start > reached:
                break
            chain.append(segment)
            reached = segment.end
        return tuple(chain)

    def choose(self, at: float) -> tuple[Base, tuple[Segment, ...]]:
        """Return the newest base that is not later than a moment, and all that continues it; raise MomentUnknown."""
        earlier = [base for base in self.bases if base.at <= at]
        if not earlier:
            first = format_instant(self.bases[0].at) if self.bases else "nothing yet"
            raise MomentUnknown(at=format_instant(at), known=f"the first moment is {first}")
        return earlier[-1], self.after(earlier[-1])

    def reaching(self, history: str, offset: int) -> Recipe:
        """Return how to make the state at an offset of a history; raise MomentUnknown."""
        for base in reversed(self.bases):
            chain = self.after(base)
            if base.history == history and base.offset <= offset <= (chain[-1].end if chain else base.offset):
                return Recipe(base, tuple(item for item in chain if item.start < offset), offset, base.at)
        raise MomentUnknown(at=f"offset {offset} of {history}", known="no base and stream reach it")


def near(segments: Sequence[Segment], at: float) -> Sequence[Segment]:
    """Return the segments whose marks decide where a moment is."""
    return [segment for segment in segments if segment.at <= at][-2:]


def cut(base: Base, segments: Sequence[Segment], marks: Sequence[tuple[int, float]], at: float) -> Recipe:
    """Return how to make a moment: everything up to the last mark that is not later.

    Args:
        base: where to begin.
        segments: all that follows it, from `Timeline.choose`. A clock that was set back may have begun an earlier one
            at a later time: none is left out.
        marks: of those `near` the moment, in order.
        at: the moment, Unix time.
    """
    known = [(offset, when) for offset, when in marks if when <= at and offset >= base.offset]
    until, moment = max(known, default=(base.offset, base.at))
    return Recipe(base, tuple(segment for segment in segments if segment.start < until), until, moment)


def stamp(at: float) -> str:
    """Return a moment as names bear it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"


def _moment(text: str) -> float:
    return datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC).timestamp()
