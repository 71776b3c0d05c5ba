"""`redyard audit`: who did what with the yard. It reads files, so it needs no yard that runs."""

import json
import re
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from redyard.cli.output import Output
from redyard.cli.yard import home
from redyard.errors import NotAudited, YardNotRunning
from redyard.units import parse_instant, parse_span
from redyard.yard.audit import read

EXAMPLES = ("redyard audit", "redyard audit --since 24h --json", "redyard audit --follow")

PAUSE = 0.3
"""Seconds between two looks of --follow."""

Record = dict[str, Any]


def audit(
    out: Output,
    since: Annotated[
        str | None, typer.Option(metavar="SPAN|TIME", help="From when on: 24h ago, or a moment. Default: all.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is done.")] = False,
) -> None:
    """Show what was done with the yard: who, what, before and after, how it ended.

    Each change, and each look at a password, is a line: the user and the process that asked, the parameters, what
    changed, the result and the seconds. With --json, lines of JSON. What was cut short is `unfinished`. No password is
    in the trail.
    """
    place = home()
    if not place.marker.exists():
        raise YardNotRunning(home=str(place.path))
    first = _moment(since) if since else 0.0
    seen: dict[str, str] = {}
    while True:
        for record in _read(place.audit):
            if parse_instant(record["time"]) >= first and seen.get(record["id"]) != record["state"]:
                seen[record["id"]] = record["state"]
                out.write(line(record, as_json=out.as_json) + "\n")
        if not follow:
            return
        sys.stdout.flush()
        time.sleep(PAUSE)


def line(record: Record, *, as_json: bool) -> str:
    """Return a record as one line: JSON, or words for a person."""
    if as_json:
        return json.dumps(record)
    command = re.sub(r"(^| )/[^ ]*/", r"\1", record["command"]) or "it had ended"
    who = f"{record['user'] or record['uid']}, process {record['pid']} ({command})"
    asked = " ".join(
        f"{name}={value}" for name, value in record["parameters"].items() if value not in (None, "", False)
    )
    ended = "unfinished" if record["state"] != "done" else f"{record['result']} in {record['seconds']:g} s"
    return f"{record['time']} {record['operation']} {asked}  {ended}  by {who}{_changes(record)}"


def _changes(record: Record) -> str:
    before, after = record.get("before") or {}, record.get("after") or {}
    parts = []
    for name in sorted({*before, *after}):
        one, other = before.get(name, {}), after.get(name, {})
        if not one or not other:
            parts.append(f"{name} {'made' if other else 'gone'}")
            continue
        fields = {**one, **other}
        parts.append(f"{name} " + ", ".join(f"{field} {one.get(field)} -> {other.get(field)}" for field in fields))
    return f"  [{'; '.join(parts)}]" if parts else ""


def _moment(since: str) -> float:
    """Return a moment that is given as itself, or as a span that ends now."""
    if since[-1:].isalpha() and since[:1].isdigit() and "T" not in since:
        return time.time() - parse_span(since)
    return parse_instant(since)


def _read(path: Path) -> list[Record]:
    try:
        return list(read(path))
    except OSError as error:
        raise NotAudited(path=str(path), reason=error.strerror or str(error)) from None
