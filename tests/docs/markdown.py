"""What the tests read in a page: its blocks of code, its links, its headings, the commands that it names."""

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\S[^\n]*)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?<!install )\bredyard ([a-z]+)\b([^\n|)#&]*)")


class Block(NamedTuple):
    """A fenced block: what stands behind the fence, and what is in it."""

    info: str
    body: str


def pages() -> list[Path]:
    """Return every page of the project."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]


def blocks(page: Path) -> list[Block]:
    """Return a page's blocks of code, in order."""
    return [Block(info or "", body) for info, body in FENCE.findall(page.read_text("utf-8"))]


def programs(page: Path) -> list[tuple[str, str | None]]:
    """Return the programs of a page, and the output that each shows, None where it shows none."""
    return [
        (block.body, after.body if after.info == "text output" else None)
        for block, after in pairwise([*blocks(page), Block("", "")])
        if block.info == "python runnable"
    ]


def links(page: Path) -> list[str]:
    """Return the links of a page that lead to files of the project."""
    found = LINK.findall(FENCE.sub("", page.read_text("utf-8")))
    return [link for link in found if not link.startswith(("http:", "https:"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made where it is shown."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> set[tuple[str, frozenset[str]]]:
    """Return the commands of redyard that a page names as code, each with its options."""
    text = page.read_text("utf-8")
    code = [block.body for block in blocks(page) if block.info == "sh"] + SPAN.findall(FENCE.sub("", text))
    found = COMMAND.findall("\n".join(code))
    return {(name, frozenset(re.findall(r"(?<= )--[a-z-]+", rest.partition(" -- ")[0]))) for name, rest in found}
