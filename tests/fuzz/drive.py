"""Gives one target inputs until the time is over, those first that reach new lines.

    python -m tests.fuzz.drive NAME SECONDS DIRECTORY.

A process of its own: atheris counts the lines of what is imported after it, and ends the process with what it found.
An input that takes 10 s, or 1 GB of memory, is a finding as well.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["redyard", "cronsim"], enable_loader_override=False):
    from tests.fuzz.targets import TABLE, run

LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=4096", "-print_final_stats=1", "-verbosity=0")


def main(name: str, seconds: str, directory: str) -> None:
    target = next(row for row in TABLE if row.name == name)
    for number, seed in enumerate(target.seeds):
        (Path(directory) / str(number)).write_bytes(seed)
    words = [name, *LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={directory}/found-", directory]
    atheris.Setup(words, lambda data: run(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
