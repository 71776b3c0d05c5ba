"""What `redyard doctor --since` tells: from the yard's files, so that the yard need not run."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec

from redyard.alerts.state import Book
from redyard.cli.yard import home
from redyard.doctor.since import Limits, Summary, summarise
from redyard.errors import NoHistory, UnknownName
from redyard.history import read
from redyard.units import format_span


def summaries(what: str | None, span: float) -> list[dict[str, Any]]:
    """Return the summary of each instance of an add-on or a name, or raise NoHistory; some may have none."""
    found = home()
    specs = [json.loads(path.read_text()) for path in sorted(found.instances.glob("*/spec.json"))]
    wanted = [spec for spec in specs if what in {None, spec["name"], spec["addon"]}]
    if what is not None and not wanted:
        raise UnknownName(name=what, known=", ".join(sorted(spec["name"] for spec in specs)) or "none")
    until = time.time()
    book = _book(found.alerts)
    made = [_summary(found.history, spec, book, span, until) for spec in wanted]
    if not any(made):
        raise NoHistory(name=what or "any instance", span=format_span(span))
    return [msgspec.to_builtins(summary) for summary in made if summary]


def _summary(history: Path, spec: dict[str, Any], book: Book, span: float, until: float) -> Summary | None:
    name = spec["name"]
    rows = read(history, name, until - span, until)
    fired = [
        (line.at, line.rule, line.subject)
        for line in book.history
        if line.what == "fires" and line.at >= until - span and line.subject.partition("/")[0] == name
    ]
    limits = Limits(spec["connections"], is_cache=spec["role"] == "cache")
    return summarise(name, rows, asked=span, limits=limits, fired=fired)


def _book(path: Path) -> Book:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Book)
    except (OSError, msgspec.DecodeError):
        return Book()
