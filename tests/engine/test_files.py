"""Files are written whole or not at all, for their owner alone."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from redyard.engine.files import last_lines, write_private
from redyard.errors import DiskFull

LENGTH = 200_000


UNDER_A_QUOTA = """
import resource, sys
from pathlib import Path
from redyard.engine.files import write_private
from redyard.errors import DiskFull

resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_private(Path(sys.argv[1]), "x" * 200_000)
except DiskFull as full:
    print(full.details["path"])
"""
"""A program whose files may have 4 KiB at most: a limit in this process would also hit what pytest prints."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for 64 KiB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=False)
    if mounted.returncode != 0:
        pytest.skip("a small disk needs the right to mount one")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_text_is_written(tmp_path):
    """What was written is read again, and nothing else is in the directory."""
    write_private(tmp_path / "file", "words: ä\n")

    assert ("words: ä\n", ["file"]) == ((tmp_path / "file").read_text(), os.listdir(tmp_path))


@pytest.mark.parametrize("durable", [True, False])
def test_reader_never_sees_half(tmp_path, durable):
    """While a file is replaced again and again, each reader sees one of its texts whole."""
    path = tmp_path / "file"
    write_private(path, "a" * LENGTH)

    def write() -> None:
        for number in range(40):
            write_private(path, "ab"[number % 2] * LENGTH, durable=durable)

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(path.read_text())
    writer.join()

    assert seen <= {"a" * LENGTH, "b" * LENGTH}


def test_owner_alone_may_read(tmp_path):
    """The file is its owner's alone, whatever the umask says and whatever was there before."""
    path = tmp_path / "file"
    path.write_text("open to all")
    path.chmod(0o644)
    mask = os.umask(0)
    write_private(path, "secret")
    os.umask(mask)

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_quota_used_up(tmp_path):
    """A file that the system refuses leaves the old one and no temporary."""
    path = tmp_path / "file"
    write_private(path, "old")
    done = subprocess.run([sys.executable, "-c", UNDER_A_QUOTA, path], capture_output=True, text=True, check=True)

    assert (f"{path}\n", "old", ["file"]) == (done.stdout, path.read_text(), os.listdir(tmp_path))


def test_disk_full(small_disk):
    """A disk that is full leaves the old file and no temporary, and the next write succeeds when there is room."""
    path = small_disk / "file"
    write_private(path, "old")
    with pytest.raises(DiskFull):
        write_private(path, "x" * LENGTH)
    after = (path.read_text(), os.listdir(small_disk))
    write_private(path, "new")

    assert (("old", ["file"]), "new") == (after, path.read_text())


def test_other_trouble_is_itself(tmp_path):
    """What is no matter of room is the system's own error."""
    with pytest.raises(FileNotFoundError):
        write_private(tmp_path / "missing" / "file", "text")


def test_target_that_is_a_directory_leaves_no_temporary(tmp_path):
    """A file that cannot be put in its place leaves nothing."""
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "file", "text")

    assert ["file"] == os.listdir(tmp_path)


def test_text_that_cannot_be_written_leaves_no_temporary(tmp_path):
    """A text that has no bytes is an error and leaves nothing."""
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "file", "\ud800")

    assert [] == os.listdir(tmp_path)


def test_last_lines(tmp_path):
    """The last lines of a log, oldest first."""
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(5000)))

    assert "line 4998\nline 4999" == last_lines(path, 2)


def test_last_lines_since(tmp_path):
    """Only what was written since a moment, though it be less than was asked for."""
    path = tmp_path / "log"
    path.write_text("before\n")
    with path.open("a") as log:
        log.write("after\n")

    assert "after" == last_lines(path, 8, since=len("before\n"))


def test_last_lines_of_a_log_begun_anew(tmp_path):
    """A log that is shorter than it was has been begun anew: all of it is news."""
    path = tmp_path / "log"
    path.write_text("the reason\n")

    assert "the reason" == last_lines(path, since=1000)


def test_last_lines_of_bytes(tmp_path):
    """A log that is not text is shown as well as it can be."""
    path = tmp_path / "log"
    path.write_bytes(b"bad \xff byte\n")

    assert "bad \ufffd byte" == last_lines(path)


def test_last_lines_of_nothing(tmp_path):
    """A log that does not exist has no lines."""
    assert "" == last_lines(tmp_path / "log")
