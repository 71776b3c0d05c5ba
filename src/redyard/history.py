"""The history of an instance's figures: a small SQLite file that survives restarts and does not grow for ever.

A row is a moment of one instance with all its figures as 32-bit floats: 10 s for 6 hours, 1 minute for 7 days, 15
minutes for 90 days. Coarse rows are folded from finer ones, so that a restart loses at most ten seconds. It blocks:
call it in a thread. A damaged file is set aside and a new one begun: a chart is no reason for not starting.
"""

import math
import sqlite3
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from redyard import events
from redyard.metrics.series import NAMES, TABLE, Series
from redyard.metrics.sources import Info

STEPS = {10: 6 * 3600, 60: 7 * 86400, 900: 90 * 86400}
"""Seconds between the rows of each resolution, and for how many seconds they are kept."""

FINE = 10

SCHEMA = """
CREATE TABLE IF NOT EXISTS point (
  step INTEGER NOT NULL, instance TEXT NOT NULL, at INTEGER NOT NULL, figures BLOB NOT NULL,
  PRIMARY KEY (step, instance, at)
) WITHOUT ROWID
"""

MISSING = math.nan
Figures = Sequence[float]
EACH = [place for place, series in enumerate(TABLE) if not series.grows and series.fold != "last"]
"""The series that are read at every look."""


class Line(NamedTuple):
    """A series over time: (time, figure) pairs, the oldest first; None where nothing is known."""

    step: int
    points: list[tuple[int, float | None]]


class Rows(NamedTuple):
    """The rows of an instance, the oldest first: the time of each and its figures; `step` seconds lie between two."""

    step: int
    rows: list[tuple[int, Figures]]


def read(path: Path, instance: str, since: float, until: float) -> Rows:
    """Return all figures of a time without a yard, in the finest resolution that has all of it; none of a bad file."""
    usual = next((step for step, kept in STEPS.items() if until - since <= kept), max(STEPS))
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1.0)) as database:
            for step in sorted((step for step in STEPS if step <= usual), reverse=True):
                rows = database.execute(
                    "SELECT at, figures FROM point WHERE step = ? AND instance = ? AND at BETWEEN ? AND ? ORDER BY at",
                    (step, instance, int(since), int(until)),
                )
                found: list[tuple[int, Figures]] = [(at, _unpack(blob)) for at, blob in rows]
                if found:
                    return Rows(step, found)
    except sqlite3.Error as error:
        events.LOGGER.warning("the history cannot be read: %s", error)
    return Rows(usual, [])


class History:
    """The file. One thread at a time may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = self._open()

    def add(self, instance: str, at: float, figures: Figures) -> None:
        """Write the figures of ten seconds, in the order of the table, and fold what is complete."""
        start = int(at) // FINE * FINE
        try:
            with self._database:
                before = self._last(instance)
                self._write(FINE, instance, start, figures)
                if before is not None:
                    self._fold(instance, before, start)
        except sqlite3.OperationalError as error:  # a full disk, or somebody else's lock: this moment is lost, no more
            events.LOGGER.warning("the history took no row: %s", error)
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    def line(self, instance: str, series: str, since: float, until: float, *, step: int | None = None) -> Line:
        """Return a series; without a step, in the finest resolution that reaches back so far."""
        chosen = step or next((fine for fine, kept in STEPS.items() if until - since <= kept), max(STEPS))
        place = NAMES[series]
        rows = self._database.execute(
            "SELECT at, figures FROM point WHERE step = ? AND instance = ? AND at BETWEEN ? AND ? ORDER BY at",
            (chosen, instance, int(since), int(until)),
        )
        return Line(chosen, [(at, _known(_unpack(blob)[place])) for at, blob in rows])

    def forget(self, instance: str) -> None:
        """Remove an instance's rows."""
        with suppress(sqlite3.Error), self._database:
            self._database.execute("DELETE FROM point WHERE instance = ?", (instance,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        self.path.touch(mode=0o600)
        database = sqlite3.connect(self.path, timeout=1.0, check_same_thread=False)
        try:
            _check(database)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(SCHEMA)
        except sqlite3.DatabaseError as error:
            database.close()
            if isinstance(error, sqlite3.OperationalError):
                raise
            return self._set_aside(error)
        return database

    def _begin_anew(self, error: sqlite3.DatabaseError) -> None:
        self._database.close()
        self._database = self._set_aside(error)

    def _set_aside(self, error: sqlite3.DatabaseError) -> sqlite3.Connection:
        kept = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(kept)
        events.emit(events.HISTORY_DAMAGED, path=str(kept), reason=str(error))
        return self._open()

    def _last(self, instance: str) -> int | None:
        row = self._database.execute(
            "SELECT max(at) FROM point WHERE step = ? AND instance = ?", (FINE, instance)
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def _write(self, step: int, instance: str, at: int, figures: Figures) -> None:
        self._database.execute("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?)", (step, instance, at, _pack(figures)))

    def _fold(self, instance: str, before: int, now: int) -> None:
        """Fold the coarse spans that ended between two rows, each from the next finer one; drop what is too old."""
        for fine, coarse in zip(list(STEPS), list(STEPS)[1:], strict=False):
            span = before // coarse * coarse
            if now // coarse * coarse == span:
                return
            rows = self._database.execute(
                "SELECT figures FROM point WHERE step = ? AND instance = ? AND at >= ? AND at < ? ORDER BY at",
                (fine, instance, span, span + coarse),
            )
            folded = fold([_unpack(row[0]) for row in rows])
            if folded is not None:
                self._write(coarse, instance, span, folded)
            self._database.execute(
                "DELETE FROM point WHERE step = ? AND instance = ? AND at < ?", (fine, instance, now - STEPS[fine])
            )
        coarsest = max(STEPS)
        self._database.execute(
            "DELETE FROM point WHERE step = ? AND instance = ? AND at < ?", (coarsest, instance, now - STEPS[coarsest])
        )


class Moments:
    """The looks of ten seconds, on their way to one row: counters become growth a second.

    Only what is folded by mean or maximum is read at each look.
    """

    def __init__(self) -> None:
        self._seen: list[list[float]] = []
        self._last: tuple[float, Info] | None = None
        self._taken: tuple[float, Info] | None = None

    def add(self, at: float, info: Info) -> None:
        """Take a look."""
        self._last = (at, info)
        self._taken = self._taken or self._last
        self._seen.append([_read(TABLE[place], info) for place in EACH])

    def take(self) -> Figures | None:
        """Return the row of all looks since the last one; None without any."""
        seen, self._seen = self._seen, []
        if not seen or self._last is None or self._taken is None:
            return None
        (before, old), (now, new) = self._taken, self._last
        self._taken = self._last
        row = [_grown(series, old, new, now - before) if series.grows else _read(series, new) for series in TABLE]
        for place, column in zip(EACH, zip(*seen, strict=True), strict=True):
            row[place] = _folded(TABLE[place].fold, column)
        return row


def fold(rows: Iterable[Figures]) -> Figures | None:
    """Return one row for several, each series by its own rule."""
    columns = list(zip(*rows, strict=False))
    if not columns:
        return None
    return [_folded(series.fold, column) for series, column in zip(TABLE, columns, strict=False)]


def _folded(way: str, column: Sequence[float]) -> float:
    known = [value for value in column if not math.isnan(value)]
    if not known:
        return MISSING
    if way == "max":
        return max(known)
    return known[-1] if way == "last" else sum(known) / len(known)


def _read(series: Series, info: Info) -> float:
    value = series.read(info)
    return MISSING if value is None else value


def _grown(series: Series, old: Info, new: Info, seconds: float) -> float:
    """Return the growth a second; a counter that fell began anew, with its server."""
    if seconds <= 0:
        return MISSING
    first, last = _read(series, old), _read(series, new)
    return (last if last < first else last - first) / seconds


def _check(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError("the check found damage")


def _pack(figures: Figures) -> bytes:
    return struct.pack(f"<{len(figures)}f", *figures)


def _unpack(blob: bytes) -> list[float]:
    """Return a row's figures; a row from before a series was added has none of it."""
    found = list(struct.unpack(f"<{len(blob) // 4}f", blob))
    return found + [MISSING] * (len(TABLE) - len(found))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
