"""What this machine knows of a server that runs on it (Linux): the container's limit, swap, the kernel's settings."""

from contextlib import suppress
from pathlib import Path

import msgspec

from redyard.checks import Facts

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
NAMES = ("redis", "valkey")


def look(facts: Facts, process_id: int, *, proc: Path = PROC, cgroups: Path = CGROUPS) -> Facts:
    """Add what the system says of the process, if it is an engine of this machine."""
    home = proc / str(process_id)
    if not process_id or not _read(home / "comm").startswith(NAMES):
        return facts
    limit = facts.memory_limit
    path = _read(home / "cgroup").rpartition("::")[2].strip().lstrip("/")
    for folder in (cgroups / path, *(cgroups / path).parents) if path or cgroups.exists() else ():
        if limit is None and (text := _read(folder / "memory.max").strip()).isdecimal():
            limit = int(text)
    swapped = next((line.split()[1] for line in _read(home / "status").splitlines() if line.startswith("VmSwap")), "0")
    pages = _read(Path("/sys/kernel/mm/transparent_hugepage/enabled"))
    return msgspec.structs.replace(
        facts,
        memory_limit=limit,
        overcommit=_read(proc / "sys/vm/overcommit_memory").strip(),
        huge_pages=pages.partition("[")[2].partition("]")[0],
        swapped=int(swapped) * 1024,
    )


def _read(path: Path) -> str:
    with suppress(OSError, ValueError):
        return path.read_text()
    return ""
