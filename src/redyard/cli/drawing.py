"""How a view is made and printed: labels, tables, sizes, colours, and the page that rich draws on.

Only `cli.output` and `cli.views` load this module, and only where a person reads.
"""

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from redyard.units import format_size, format_span

COLOURS = {
    "running": "green",
    "starting": "cyan",
    "loading": "cyan",
    "stopping": "cyan",
    "backoff": "yellow",
    "silent": "yellow",
    "failed": "bold red",
    "stopped": "dim",
}
"""The colour of a phase."""

WIDE = 1000
"""Columns where no terminal sets a limit: nothing is cut in a pipe or a file."""

NOTHING = "-"


class Page(StringIO):
    """Text in memory that rich takes for stdout: writing there is up to `Output.write`, which knows how to fail."""

    encoding = sys.stdout.encoding if sys.stdout else "utf-8"

    def isatty(self) -> bool:
        """Say what stdout says."""
        return bool(sys.stdout and sys.stdout.isatty())


def draw(renderable: RenderableType) -> str:
    """Return what goes to stdout, with colours where stdout is a terminal and NO_COLOR is not set."""
    page = Page()
    console = Console(file=page, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDE
    console.print(renderable, crop=False)
    return "".join(line.rstrip() + "\n" for line in page.getvalue().removesuffix("\n").split("\n"))


def working(text: str) -> AbstractContextManager[object]:
    """Return a spinner on stderr that goes when it is left."""
    return Console(stderr=True, highlight=False, markup=False).status(text)


def pairs(facts: Iterable[tuple[str, object]]) -> list[Text]:
    """Return label and value, one line each, the values under one another; what is not known is left out."""
    known = [(label, value) for label, value in facts if value is not None and value != NOTHING]
    width = max((len(label) for label, _ in known), default=0)
    return [pair("  " + label.ljust(width), value) for label, value in known]


def pair(label: str, value: object) -> Text:
    """Return a label and its value; a long value is not cut, so that it can be copied."""
    return Text.assemble((label, "cyan"), "  ", str(value), overflow="ignore", no_wrap=True)


def plain(text: str) -> Text:
    """Return a sentence, wrapped at the edge of the terminal."""
    return Text(text, overflow="fold")


def table(*columns: str) -> Table:
    """Return an empty table; a column whose name ends with ">" is aligned to the right."""
    empty = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        empty.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    return empty


def phase(name: str) -> Text:
    """Return a phase in its colour."""
    return Text(name, style=COLOURS.get(name, ""))


def size(count: int | None) -> str:
    """Return bytes for reading."""
    return NOTHING if count is None else format_size(count)


def span(seconds: float | None) -> str:
    """Return whole seconds for reading."""
    return NOTHING if seconds is None else format_span(max(seconds, 1))


def of(used: object, limit: object) -> str:
    """Return how much of a limit is used."""
    if used in {None, NOTHING}:
        return NOTHING
    return str(used) if limit in {None, NOTHING} else f"{used} / {limit}"
