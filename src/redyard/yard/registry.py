"""The instances of a yard, on the disk: readable files, written whole, no database.

What a command is making or removing is written down first (`unfinished.json`), so that a yard killed in the middle
leaves nothing half-made: the next one removes it.
"""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from redyard.engine.files import write_private
from redyard.engine.seat import Seat
from redyard.errors import StateUnreadable
from redyard.yard.home import Home
from redyard.yard.spec import Spec, Status

Model = TypeVar("Model")


class Registry:
    """The files of a yard's instances."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def seat(self, name: str) -> Seat:
        """Return the place of an instance's engine."""
        return Seat(self.home.instances / name, self.home.runtime / f"{name}.sock")

    def specs(self) -> list[Spec]:
        """Return what is wanted of each instance, the oldest first."""
        found = [_read(path, Spec) for path in self.home.instances.glob("*/spec.json")]
        return sorted(found, key=lambda spec: (spec.created_at, spec.role == "cache"))

    def create(self, spec: Spec, passwords: dict[str, str]) -> None:
        """Make an instance's directory with its secrets and its spec."""
        directory = self.seat(spec.name).directory
        directory.mkdir(mode=0o700)
        write_private(directory / "secrets.json", _text(passwords))
        self.write_spec(spec)

    def write_spec(self, spec: Spec) -> None:
        """Write what is wanted."""
        write_private(self.seat(spec.name).directory / "spec.json", _text(spec))

    def passwords(self, name: str) -> dict[str, str]:
        """Return the passwords of an instance, by user."""
        return _read(self.seat(name).directory / "secrets.json", dict[str, str])

    def status(self, name: str) -> Status:
        """Return what was last seen; a missing or damaged file only means that all must be found out again."""
        try:
            return _read(self.seat(name).directory / "status.json", Status)
        except StateUnreadable:
            return Status()

    def write_status(self, name: str, status: Status) -> None:
        """Write what was seen."""
        write_private(self.seat(name).directory / "status.json", _text(status), durable=False)

    def remove(self, name: str) -> None:
        """Remove an instance's files and data."""
        seat = self.seat(name)
        seat.socket.unlink(missing_ok=True)
        if seat.directory.exists():
            shutil.rmtree(seat.directory)

    def begin(self, names: Iterable[str]) -> None:
        """Write down what must not be left half-made."""
        write_private(self.home.unfinished, _text(sorted(names)))

    def finish(self) -> None:
        """Forget it: all is made, or all is removed."""
        self.home.unfinished.unlink(missing_ok=True)

    def unfinished(self) -> Collection[str]:
        """Return the instances that an interrupted command left."""
        return _read(self.home.unfinished, list[str]) if self.home.unfinished.exists() else []


def _text(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _read(path: Path, kind: type[Model]) -> Model:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise StateUnreadable(path=str(path), reason=error.strerror or str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateUnreadable(path=str(path), reason=str(error)) from None
