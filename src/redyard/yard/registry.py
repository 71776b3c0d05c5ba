"""The instances of a yard, on the disk: readable files, written whole, no database.

What a command is making or removing is written down first (`unfinished.json`), so that a yard killed in the middle
leaves nothing half-made: the next one removes it.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from redyard.engine.files import sync_directory, write_private
from redyard.engine.seat import Seat
from redyard.errors import StateUnreadable
from redyard.yard.credentials import Secret
from redyard.yard.home import Home
from redyard.yard.spec import Spec, Status

Model = TypeVar("Model")

FORMER = "spec.json.former"


class Staged(NamedTuple):
    """What will be wanted, beside what is: to commit it and to take that back is one rename, which needs no room."""

    path: Path
    next: Path
    former: Path

    def commit(self) -> None:
        """Let it count."""
        self.next.replace(self.path)

    def take_back(self) -> None:
        """Let count what did before, whether it was committed or not."""
        self.former.replace(self.path)
        self.next.unlink(missing_ok=True)


class Registry:
    """The files of a yard's instances."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def directory(self, name: str) -> Path:
        """Return an instance's directory."""
        return self.home.instances / name

    def seat(self, name: str, generation: int) -> Seat:
        """Return the place of an instance's engine: a move gives it a new one."""
        return Seat(self.directory(name) / f"engine-{generation}", self.home.runtime / f"{name}.{generation}.sock")

    def strays(self, spec: Spec) -> list[Seat]:
        """Return the places of an instance's engines that a move which was cut short left beside the true one."""
        found = [int(path.name.removeprefix("engine-")) for path in self.directory(spec.name).glob("engine-[0-9]*")]
        return [self.seat(spec.name, number) for number in sorted(found) if number != spec.generation]

    def specs(self) -> list[Spec]:
        """Return what is wanted of each instance, the oldest first."""
        found = [_read(path, Spec) for path in self.home.instances.glob("*/spec.json")]
        return sorted(found, key=lambda spec: (spec.created_at, spec.role == "cache"))

    def spec(self, name: str) -> Spec:
        """Return what is wanted of an instance."""
        return _read(self.directory(name) / "spec.json", Spec)

    def create(self, spec: Spec, passwords: dict[str, str]) -> None:
        """Make an instance's directory with its secrets and its spec."""
        directory = self.directory(spec.name)
        directory.mkdir(mode=0o700)
        write_private(directory / "secrets.json", _text(passwords))
        self.write_spec(spec)

    def write_spec(self, spec: Spec) -> None:
        """Write what is wanted."""
        write_private(self.directory(spec.name) / "spec.json", _text(spec))

    def stage_spec(self, spec: Spec) -> Staged:
        """Write what will be wanted beside what is."""
        path = self.directory(spec.name) / "spec.json"
        staged = Staged(path, path.with_name("spec.json.next"), path.with_name(FORMER))
        write_private(staged.former, path.read_text())
        write_private(staged.next, _text(spec))
        return staged

    def keep_spec(self, name: str) -> None:
        """Forget what was wanted before a staged spec was committed, and wait until the disk has it."""
        (self.directory(name) / FORMER).unlink(missing_ok=True)
        sync_directory(self.directory(name))

    def passwords(self, name: str) -> dict[str, str]:
        """Return the passwords of an instance, by user."""
        return {user: secret.password for user, secret in self.secrets(name).items()}

    def secrets(self, name: str) -> dict[str, Secret]:
        """Return the passwords of an instance, by user, with those that are on their way in or out."""
        found = _read(self.directory(name) / "secrets.json", dict[str, str | Secret])
        return {user: Secret(password=item) if isinstance(item, str) else item for user, item in found.items()}

    def write_secrets(self, name: str, secrets: Mapping[str, Secret]) -> None:
        """Write passwords; one that was never exchanged stays a plain word."""
        plain = {user: item if item.since or item.next else item.password for user, item in secrets.items()}
        write_private(self.directory(name) / "secrets.json", _text(plain))

    def address(self, name: str, user: str) -> Path:
        """Return the file that has the address of a user, for apps that read it again when it changes."""
        return self.directory(name) / "urls" / user

    def publish(self, name: str, urls: Mapping[str, str]) -> None:
        """Write the addresses of users where apps read them; those of others go."""
        directory = self.directory(name) / "urls"
        directory.mkdir(mode=0o700, exist_ok=True)
        for path in directory.iterdir():
            if path.name not in urls:
                path.unlink()
        for user, url in urls.items():
            path = self.address(name, user)
            if not path.exists() or path.read_text() != url + "\n":
                write_private(path, url + "\n")

    def status(self, name: str) -> Status:
        """Return what was last seen; a missing or damaged file only means that all must be found out again."""
        try:
            return _read(self.directory(name) / "status.json", Status)
        except StateUnreadable:
            return Status()

    def write_status(self, name: str, status: Status) -> None:
        """Write what was seen."""
        write_private(self.directory(name) / "status.json", _text(status), durable=False)

    def remove(self, name: str) -> None:
        """Remove an instance's files and data."""
        for socket in self.home.runtime.glob(f"{name}.[0-9]*.sock"):
            socket.unlink(missing_ok=True)
        if self.directory(name).exists():
            shutil.rmtree(self.directory(name))

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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StateUnreadable(path=str(path), reason=str(error)) from None
