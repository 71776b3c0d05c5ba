"""What the machine says of an engine that runs on it."""

import os

from redyard.checks import Facts
from redyard.doctor.local import look


def machine(tmp_path, *, name="valkey-server", limit="536870912"):
    """Write files as the kernel shows them."""
    home, group = tmp_path / "proc" / "7", tmp_path / "cgroup" / "box" / "inner"
    home.mkdir(parents=True)
    group.mkdir(parents=True)
    (home / "comm").write_text(f"{name}\n")
    (home / "cgroup").write_text("0::/box/inner\n")
    (home / "status").write_text("Name: it\nVmSwap:\t   2048 kB\n")
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text(f"{limit}\n")
    return {"proc": tmp_path / "proc", "cgroups": tmp_path / "cgroup"}


def test_the_nearest_limit_counts(tmp_path):
    """Of the container or of one around it; swap in bytes."""
    seen = look(Facts(), 7, **machine(tmp_path))

    assert (536870912, 2 * 1024 * 1024) == (seen.memory_limit, seen.swapped)


def test_what_is_known_is_kept(tmp_path):
    """The yard's own figure is not replaced."""
    assert 5 == look(Facts(memory_limit=5), 7, **machine(tmp_path)).memory_limit


def test_a_stranger_is_not_looked_at(tmp_path):
    """A process of that number that is no engine: the server is on another machine."""
    assert Facts() == look(Facts(), 7, **machine(tmp_path, name="bash"))
    assert Facts() == look(Facts(), os.getpid())
    assert Facts() == look(Facts(), 0)
