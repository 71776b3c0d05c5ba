"""Passwords on the command line, taken out of the process list, which everybody on the machine can read.

The system shows the words where they lie in the process's own memory. They are overwritten there, at once; what the
shell's history has of them stays. An address by REDIS_URL, or by - from stdin, was never there.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

PROC = Path("/proc/self")

ARG_START = 45
"""Where /proc/self/stat, behind the program's name, tells the address of the words."""

_SECRET = re.compile(rb"://[^/?#@:]*:(?P<login>.*)@|[?&]password=(?P<option>[^&]*)", re.DOTALL)


def hide(words: Sequence[str]) -> bool:
    """Overwrite the passwords of addresses among this process's words; say whether none is shown any more."""
    secret = [word for word in map(os.fsencode, words) if _SECRET.search(word)]
    try:
        return not secret or _overwrite(secret)
    except (OSError, ValueError, IndexError):  # a system without /proc, or one that does not let us
        return False


def _overwrite(secret: Sequence[bytes]) -> bool:
    shown = (PROC / "cmdline").read_bytes()
    start = int((PROC / "stat").read_text().rpartition(")")[2].split()[ARG_START])
    with (PROC / "mem").open("r+b", buffering=0) as memory:
        for word in secret:
            place = shown.find(word)
            for first, end in _spans(word) if place >= 0 else ():
                memory.seek(start + place + first)
                memory.write(b"*" * (end - first))
    shown = (PROC / "cmdline").read_bytes()
    return not any(word in shown for word in secret)


def _spans(word: bytes) -> Iterator[tuple[int, int]]:
    for found in _SECRET.finditer(word):
        yield found.span("login" if found["login"] is not None else "option")
