"""What memory there is: the machine's, or less where a container may not have it all."""

from pathlib import Path

import psutil
import pytest

from redyard.yard.machine import free_memory, total_memory

MB = 1 << 20
SECOND = ("memory.max", "memory.current", "memory.stat", "anon 1\ninactive_file {}\n")
FIRST = (
    "memory/memory.limit_in_bytes",
    "memory/memory.usage_in_bytes",
    "memory/memory.stat",
    "inactive_file 7\ntotal_inactive_file {}\n",
)


def container(root: Path, files: tuple[str, str, str, str], limit: str) -> Path:
    """Write what the system tells in a container that uses 300 MB, 100 of them to keep files at hand."""
    texts = (limit, str(300 * MB), files[3].format(100 * MB))
    for name, text in zip(files[:3], texts, strict=True):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize("files", [SECOND, FIRST], ids=["second version", "first version"])
def test_a_container_has_what_it_may_have(tmp_path: Path, files: tuple[str, str, str, str]) -> None:
    """A container has its limit, and of that free what it does not use; what it keeps of files can be had back."""
    groups = container(tmp_path, files, str(512 * MB))

    assert (512 * MB, 312 * MB) == (total_memory(groups), free_memory(groups))


@pytest.mark.parametrize(("files", "limit"), [(SECOND, "max"), (FIRST, "9223372036854771712")])
def test_a_container_without_a_limit_has_the_machine(
    tmp_path: Path, files: tuple[str, str, str, str], limit: str
) -> None:
    """Where nothing limits it, a container has what the machine has, and so has who is in none."""
    groups = container(tmp_path, files, limit)

    assert psutil.virtual_memory().total == total_memory(groups) == total_memory(tmp_path / "none")
    assert 0 < free_memory(groups) < total_memory(groups)


def test_a_container_that_is_full_has_nothing_free(tmp_path: Path) -> None:
    """A container that uses more than a limit which was lowered has nothing free, not less than that."""
    assert 0 == free_memory(container(tmp_path, SECOND, str(100 * MB)))
