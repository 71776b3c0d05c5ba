"""Passwords on the command line do not stay in the process list."""

import subprocess
import sys
from pathlib import Path

import pytest

from redyard.cli import hiding
from redyard.cli.hiding import hide

SHOWN = (
    "import sys; from redyard.cli.hiding import hide; print(hide(sys.argv)); print(open('/proc/self/cmdline').read())"
)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("redis://app:p:a@ss@host:6379/0", "redis://app:******@host:6379/0"),
        ("--from=rediss://:secret@host", "--from=rediss://:******@host"),
        ("s3://KEY:SECRET@bucket/path", "s3://KEY:******@bucket/path"),
        ("unix:///tmp/s?db=1&password=secret&x=1", "unix:///tmp/s?db=1&password=******&x=1"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("2026-11-23T02:15:00Z", "2026-11-23T02:15:00Z"),
    ],
)
def test_a_password_is_not_in_the_process_list(word: str, shown: str) -> None:
    """It is overwritten where the system reads it; all else stays readable, and the program has what it was given."""
    done = subprocess.run(
        [sys.executable, "-c", SHOWN, "before", word, "after"], capture_output=True, text=True, check=True
    )
    said, words = done.stdout.splitlines()

    assert ("True", ["before", shown, "after"]) == (said, words.split("\0")[-4:-1])


def test_where_it_cannot_be_hidden_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without /proc shows it; words without a password need nothing hidden."""
    monkeypatch.setattr(hiding, "PROC", tmp_path)

    assert (False, True) == (hide(["redis://app:secret@host"]), hide(["redis://host", "list"]))
