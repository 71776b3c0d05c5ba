"""What of an instance lies open: to other users of the machine, to version control, to an image, to the network.

Facts for the doctor's checks: each is looked up where it is, and nothing is judged here.
"""

import asyncio
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from redyard.checks.case import Exposure
from redyard.engine import access
from redyard.yard.addresses import LOOPBACK
from redyard.yard.home import Home
from redyard.yard.supervisor import Instance

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""The rights of everybody but the owner."""

MOST = 20_000
"""Files of a yard that are looked at: backups may be many."""

NAMED = 10
"""How many files are named."""

GIT_WITHIN = 3.0
"""Seconds that git has to answer."""

FORBIDDEN = (
    ("FLUSHALL",),
    ("KEYS", "*"),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
    ("MONITOR",),
    ("REPLICAOF", "NO", "ONE"),
    ("SHUTDOWN",),
)
"""What no app's user may; the engine is asked whether it would."""

DOCKERFILES = ("Dockerfile", "Dockerfile.*", "*.Dockerfile", "Containerfile")


async def look(item: Instance, home: Home) -> Exposure:
    """Return what lies open of an instance and of its yard's directory."""
    client: Any = item.admin.redis
    lines = [_text(line).split() for line in await client.execute_command("ACL LIST")]
    known = {user.name for user in access.users(item.spec.apps)}
    excess = [words for words in FORBIDDEN if await _may(client, words)]
    paths, files, dockerfile = await asyncio.to_thread(_look_around, home)
    return Exposure(
        name=item.name,
        directory=str(home.path),
        open_paths=paths,
        tracked=files,
        build_context=dockerfile,
        bind=item.spec.bind,
        listening=sorted(set(listening(item.status.pid)) - expected(item.spec.bind)),
        without_password=[words[1] for words in lines if "nopass" in words and "on" in words],
        strangers=[words[1] for words in lines if words[1] not in known],
        excess=[" ".join(words) for words in excess],
    )


def _look_around(home: Home) -> tuple[dict[str, str], list[str], str]:
    """Look at files, which may take a moment."""
    return dict(list(open_paths(home))[:NAMED]), tracked(home.path)[:NAMED], build_context(home.path)


def open_paths(home: Home) -> Iterator[tuple[str, str]]:
    """Yield the paths of a yard that others may use in any way, with their modes."""
    for path, _ in zip(_paths(home), range(MOST), strict=False):
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if mode & OTHERS and not stat.S_ISLNK(mode):
                yield str(path), f"{stat.S_IMODE(mode):04o}"


def tracked(path: Path) -> list[str]:
    """Return the files of a directory that git keeps; nothing where there is no git."""
    root = next((parent for parent in path.parents if (parent / ".git").exists()), None)
    if root is None:
        return []
    command = ["git", "-C", str(root), "ls-files", "-z", "--", str(path)]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, timeout=GIT_WITHIN, check=True, text=True)
        return [name for name in done.stdout.split("\0") if name]
    return []


def build_context(path: Path) -> str:
    """Return the Dockerfile with whose directory a yard goes into an image, where no ignore file leaves it out."""
    root = next((parent for parent in path.parents if (parent / ".git").exists()), path.parent)
    for context in path.parents:
        for file in (found for pattern in DOCKERFILES for found in sorted(context.glob(pattern))):
            if not file.name.endswith(".dockerignore") and not _left_out(path, context, file):
                return str(file)
        if context == root:
            break
    return ""


def listening(pid: int | None) -> list[str]:
    """Return the addresses on which a process listens."""
    with suppress(psutil.Error):
        found = psutil.Process(pid).net_connections("inet") if pid else []
        return [item.laddr.ip for item in found if item.status == psutil.CONN_LISTEN]
    return []


def expected(bind: str) -> set[str]:
    """Return the addresses on which an engine listens that is bound to one; of all addresses there are two forms."""
    every = {"::", "0.0.0.0"}  # noqa: S104 - it is compared
    return every if bind in every else {bind, LOOPBACK}


def ignores(lines: Iterable[str], name: str) -> bool:
    """Say whether the lines of a .dockerignore leave out a path, given relative to the context."""
    ignored = False  # the last line that fits decides
    parts = name.split("/")
    leads = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        pattern = _pattern(line.lstrip("!").strip("/ "))
        if any(pattern.fullmatch(lead) for lead in leads):
            ignored = not line.startswith("!")
    return ignored


def _pattern(text: str) -> re.Pattern[str]:
    signs = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    words = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", text.removeprefix("./"))
    return re.compile("".join(signs.get(word, re.escape(word)) for word in words))


def _left_out(path: Path, context: Path, dockerfile: Path) -> bool:
    """Say whether the ignore file of a Dockerfile, else of its directory, leaves a yard out."""
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    name = (path / "yard.json").relative_to(context).as_posix()
    for file in (own, context / ".dockerignore"):
        with suppress(OSError, UnicodeDecodeError):
            return ignores(file.read_text("utf-8").splitlines(), name)
    return False


def _paths(home: Home) -> Iterator[Path]:
    yield home.runtime
    yield home.path
    for folder, names, files in os.walk(home.path):
        for name in (*names, *files):
            yield Path(folder, name)


async def _may(client: Any, words: tuple[str, ...]) -> bool:
    return _text(await client.execute_command("ACL DRYRUN", access.APP.name, *words)) == "OK"


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
