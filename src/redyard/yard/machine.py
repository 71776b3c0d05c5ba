"""The memory of this machine, or of its container: all of it, and what is free. A container does not see its own limit.

Linux tells it in the control group's files, of the second version or the first.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

GROUPS = Path("/sys/fs/cgroup")


class Group(NamedTuple):
    """A row: the files of a container's limit, use and statistics, and which of these is memory that files lend."""

    limit: str
    used: str
    statistics: str
    lent: str


GROUP_FILES = (
    Group("memory.max", "memory.current", "memory.stat", "inactive_file"),
    Group("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def total_memory(groups: Path = GROUPS) -> int:
    """Return the bytes that this machine has, or its container."""
    return min([psutil.virtual_memory().total, *(limit for limit, _ in _limits(groups))])


def free_memory(groups: Path = GROUPS) -> int:
    """Return the bytes that a process can still have without another losing its own."""
    free = [psutil.virtual_memory().available, *(limit - used for limit, used in _limits(groups))]
    return max(0, min(free))


def _limits(groups: Path) -> Iterator[tuple[int, int]]:
    """Yield the limits of the container, each with what cannot be had back of it."""
    for files in GROUP_FILES:
        with suppress(OSError, ValueError):  # no such file, or no limit ("max")
            limit, used = (int((groups / name).read_text()) for name in (files.limit, files.used))
            lines = (line.split() for line in (groups / files.statistics).read_text().splitlines())
            yield limit, used - next((int(value) for name, value in lines if name == files.lent), 0)
