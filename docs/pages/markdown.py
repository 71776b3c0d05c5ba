"""Markdown: a page, a table, a piece of code. Pure."""

from collections.abc import Iterable
from textwrap import fill


def page(title: str, source: str, *parts: str) -> str:
    """Return a page: its title, a note of where it comes from, its parts."""
    note = f"<!-- Written by `make docs` from {source}. Changes here are lost. -->"
    return "\n\n".join([f"# {title}", note, *(part.strip() for part in parts)]) + "\n"


def prose(text: str) -> str:
    """Return a paragraph, wrapped."""
    return fill(" ".join(text.split()), 118, break_long_words=False, break_on_hyphens=False)


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    """Return a table; the head's columns are separated by ' | '."""
    columns = head.split(" | ")
    lines = [columns, ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def code(value: object) -> str:
    """Return a piece of code; an empty one shows as quotes."""
    return f"`{value}`" if str(value) else '`""`'
