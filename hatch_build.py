"""Copies BullMQ's Lua scripts out of its wheel into the package when Redyard is built.

The scripts are BullMQ's protocol, so they are taken as they are, from one exact version that a digest names. Nothing
else of that wheel reaches an installation: it exists only in the environment of the build.
"""

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TARGET = Path("src/redyard/queue/bullmq")
DIGEST = "fdb9c793618b90bc0f21bd7b392c82781b3f9c25f8ab7a5c62dc2caee8c828ab"
"""Of the scripts' names and texts, in order of their names: another version of BullMQ is a decision of its own."""

FLAGS = "#!lua flags=allow-oom\n"
"""In front of what workers do: a server whose memory is full can still be drained. (Valkey, or Redis 7.)"""

PRODUCING = {"addDelayedJob", "addJobScheduler", "addParentJob", "addPrioritizedJob", "addStandardJob"}
"""What fills a server is refused when that is full."""

SKIPPED = ("relay", "isJobInList", "getState-", "saveStacktrace")
"""What Redyard has no use for."""


class Scripts(BuildHookInterface[Any]):
    """The hook: hatchling calls it before it builds a wheel, editable or not."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Write the scripts, or leave those that are there when BullMQ is not."""
        target = Path(self.root, TARGET)
        spec = find_spec("bullmq")
        if spec is None or spec.origin is None:
            if any(target.glob("*.lua")):
                return
            raise FileNotFoundError("the build needs the package bullmq, as pyproject.toml's build-system says")
        write(Path(spec.origin).parent / "commands", target)


def write(source: Path, target: Path) -> None:
    """Copy the scripts that are wanted, with their flags, under their plain names."""
    scripts = {path.name: path.read_bytes() for path in sorted(source.glob("*.lua"))}
    wanted = {name: text for name, text in scripts.items() if not name.startswith(SKIPPED)}
    found = sha256(b"\0".join(part for name, text in wanted.items() for part in (name.encode(), text))).hexdigest()
    if found != DIGEST:
        raise ValueError(f"BullMQ's scripts have the digest {found}, not {DIGEST}: these are not the ones we know")
    for name, text in wanted.items():
        plain = name.partition("-")[0]
        flags = "" if plain in PRODUCING else FLAGS
        Path(target, f"{plain}.lua").write_bytes(flags.encode() + text)
