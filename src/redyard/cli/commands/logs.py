"""`redyard logs`: what the yard, the engines and the edges wrote, in one form.

It reads files, so it needs no yard that runs.
"""

import json
import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from redyard.cli.output import Output
from redyard.cli.yard import home, names
from redyard.errors import UnknownName, YardNotRunning
from redyard.platform import is_production
from redyard.yard.home import Home
from redyard.yard.logs import Line, hide, parse

EXAMPLES = ("redyard logs", "redyard logs redis-store --follow", "redyard logs --json --lines 1000")

TAIL = 1024 * 1024
"""Bytes of each file's end that are read."""

COLOURS = {"debug": "bright_black", "warn": "yellow", "error": "red"}
"""The colour of a line at a terminal, by its level."""

PASSWORDS = ("password", "next", "old")
"""The fields of a secret that is being exchanged."""

KINDS = ("engine", "edge")
"""The processes of an instance; each writes KIND.log into a directory whose name begins with KIND."""

PAUSE = 0.2
"""Seconds between two looks of --follow."""


def logs(
    out: Output,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on or an instance. Default: all.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what is written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
) -> None:
    """Print what the yard and the engines wrote, in the order of its time.

    An edge that speaks TLS for an engine is among them. With --json, and in production where no terminal reads, each
    line is a JSON object with level, message, time, source and name. No password is shown.
    """
    place = home()
    wanted = _instances(place, name)
    files = _files(place, wanted)
    as_json = out.as_json or (is_production(os.environ) and not sys.stdout.isatty())
    colourful = sys.stdout.isatty() and not as_json and "NO_COLOR" not in os.environ
    secrets = _secrets(place)

    def show(found: list[Line]) -> None:
        for line in found:
            text = hide(line.to_json() if as_json else line.to_text(), secrets)
            out.write((typer.style(text, fg=COLOURS.get(line.level)) if colourful else text) + "\n")

    def mine(line: Line) -> bool:
        return name is None or line.source != "yard" or line.name in wanted

    offsets = {path: _size(path) for path in files}
    read = [line for path in files for line in _parse(place, path, _last(path, offsets[path])) if mine(line)]
    show(sorted(read, key=attrgetter("at"))[-lines:] if lines else [])
    while follow:
        for path in _files(place, wanted):  # a move gives an engine a new log
            offsets.setdefault(path, 0)
        show(sorted(filter(mine, _news(place, offsets)), key=attrgetter("at")))
        time.sleep(PAUSE)


def _instances(place: Home, name: str | None) -> list[str]:
    """Return the names of the instances that are meant."""
    if not place.marker.exists():
        raise YardNotRunning(home=str(place.path))
    owners = {path.parent.name: _addon(path) for path in place.instances.glob("*/spec.json")}
    chosen = [item for item, addon in owners.items() if name in {None, item, addon}]
    if name is not None and not chosen:
        known = ", ".join(sorted({*owners, *owners.values()})) or "nothing yet"
        raise UnknownName(name=name, known=known)
    return chosen


def _files(place: Home, wanted: Collection[str]) -> list[Path]:
    """Return the yard's log and those of the instances' engines and edges."""
    own = [path for name in wanted for kind in KINDS for path in (place.instances / name).glob(f"{kind}*/{kind}.log")]
    return [place.log, *own]


def _addon(spec: Path) -> str:
    with suppress(OSError, ValueError):
        return str(json.loads(spec.read_text()).get("addon"))
    return ""


def _secrets(place: Home) -> Collection[str]:
    """Return every password of the yard, as it is written and as it is meant."""
    found: set[str] = set()
    for path in place.instances.glob("*/secrets.json"):
        with suppress(OSError, ValueError):
            for value in _words(json.loads(path.read_text()).values()):
                password = urlsplit(value).password if "://" in value else value
                found |= {password, unquote(password)} if password else set()
    return found


def _words(values: Iterable[object]) -> Iterator[str]:
    """Yield the texts of a file of secrets: a password, or several while one is exchanged."""
    for value in values:
        if isinstance(value, dict):
            yield from (value[field] for field in PASSWORDS if field in value)
        else:
            yield str(value)


def _last(path: Path, size: int) -> list[str]:
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, size - TAIL))
        return file.read(TAIL).decode(errors="replace").splitlines()[1 if size > TAIL else 0 :]
    return []


def _news(place: Home, offsets: dict[Path, int]) -> Iterator[Line]:
    """Yield what was written since the last look; a log that is shorter than before was begun anew."""
    for path, before in offsets.items():
        size = _size(path)
        start = before if size >= before else 0
        with suppress(OSError), path.open("rb") as file:
            file.seek(start)
            data = file.read(max(0, size - start))
            whole = data[: data.rfind(b"\n") + 1]
            offsets[path] = start + len(whole)
            yield from _parse(place, path, whole.decode(errors="replace").splitlines())


def _parse(place: Home, path: Path, texts: list[str]) -> Iterator[Line]:
    return parse(texts, "yard") if path == place.log else parse(texts, path.stem, path.parent.parent.name)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
