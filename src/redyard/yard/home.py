"""The yard's directory: where it is, what is in it, and the short directory beside it for sockets.

Everything in it is private (0700, 0600) and kept out of version control. Sockets cannot live there: their path must be
shorter than 108 bytes, so they have a directory of their own whose name is derived from the yard's path.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from redyard.engine.files import write_private
from redyard.errors import RuntimeUnsafe, StateUnreadable, YardAlreadyRunning, YardNotWritable, YardTooNew
from redyard.settings import Settings

FORMAT = 1
"""The format of the files in a yard; a directory with a higher one is left alone."""

LONGEST_SOCKET = 100
"""Bytes of a socket's path: the system's bound is 108 on Linux and 104 on macOS."""

LOCK_TRIES, LOCK_PAUSE = 10, 0.02
"""How often, and with how many seconds between, a yard tries to take its directory."""

PROJECT_MARKS = (".git", "pyproject.toml")


class Home(NamedTuple):
    """A yard's directory and the directory of its sockets."""

    path: Path
    runtime: Path

    @property
    def api(self) -> Path:
        """The socket of the yard's API."""
        return self.runtime / "yard.sock"

    @property
    def log(self) -> Path:
        """What the yard's process says."""
        return self.path / "yard.log"

    @property
    def lock(self) -> Path:
        """The lock that the yard's process holds; its text is the process's number."""
        return self.path / "yard.lock"

    @property
    def instances(self) -> Path:
        """The directory that has a directory for each instance."""
        return self.path / "instances"

    @property
    def authorities(self) -> Path:
        """The directory of the yard's own authority for TLS."""
        return self.path / "tls"

    @property
    def unfinished(self) -> Path:
        """The names of instances that a command was making or removing: the next yard removes them."""
        return self.path / "unfinished.json"

    @property
    def history(self) -> Path:
        """The figures of the last 90 days."""
        return self.path / "history.sqlite"

    @property
    def alerts(self) -> Path:
        """The alerts, the silences, and what happened."""
        return self.path / "alerts.json"

    @property
    def audit(self) -> Path:
        """What was done, by whom."""
        return self.path / "audit.jsonl"

    @property
    def marker(self) -> Path:
        """The file that makes a directory a yard, with its format."""
        return self.path / "yard.json"

    def prepare(self) -> None:
        """Make what is missing; refuse a directory that cannot be written or that a newer Redyard wrote."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_format()
            self.instances.mkdir(mode=0o700, exist_ok=True)
            self.log.touch(mode=0o600)
            self.lock.touch(mode=0o600)
            for path, text in ((self.path / ".gitignore", "*\n"), (self.marker, json.dumps({"format": FORMAT}) + "\n")):
                if not path.exists():
                    write_private(path, text)
        except OSError as error:
            raise YardNotWritable(home=str(self.path), reason=error.strerror or str(error)) from None
        self._prepare_runtime()

    def close(self) -> None:
        """Remove the socket, and the sockets' directory when no engine's is left in it."""
        self.api.unlink(missing_ok=True)
        with suppress(OSError):
            self.runtime.rmdir()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the yard's lock: one process a directory."""
        with self.lock.open("a+") as file:
            if not _locks(file):
                file.seek(0)
                raise YardAlreadyRunning(home=str(self.path), pid=file.read().strip() or "unknown")
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def is_held(self) -> bool:
        """Say whether a yard's process holds the directory."""
        try:
            with self.lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _check_format(self) -> None:
        if not self.marker.exists():
            return
        try:
            written = int(json.loads(self.marker.read_text())["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise StateUnreadable(path=str(self.marker), reason=str(error)) from None
        if written > FORMAT:
            raise YardTooNew(home=str(self.path), format=written, known=FORMAT)

    def _prepare_runtime(self) -> None:
        for path in (self.runtime.parent, self.runtime):
            try:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                state = path.lstat()
            except OSError as error:
                raise RuntimeUnsafe(path=str(path), reason=error.strerror or str(error)) from None
            if path.is_symlink() or state.st_uid != os.geteuid() or state.st_mode & 0o022:
                raise RuntimeUnsafe(path=str(path), reason="it is not yours alone")
        longest = os.fsencode(self.runtime / ("x" * 56))
        if len(longest) > LONGEST_SOCKET:
            raise RuntimeUnsafe(path=str(self.runtime), reason=f"a socket's path in it has {len(longest)} bytes")


def _locks(file: TextIO) -> bool:
    """Take the lock; try for a moment, because a command that looks whether it is held has it for an instant."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE)
        else:
            return True
    return False


def find_home(settings: Settings, cwd: Path) -> Home:
    """Return the yard's paths; nothing is made."""
    path = _find(settings, cwd)
    base = Path(settings.runtime or f"/tmp/redyard-{os.geteuid()}").expanduser().absolute()  # noqa: S108 - checked in prepare
    return Home(path, base / hashlib.sha256(os.fsencode(path)).hexdigest()[:10])


def _find(settings: Settings, cwd: Path) -> Path:
    """Find the directory: REDYARD_HOME, else the nearest `.redyard` upwards, else the one of the project's root."""
    if settings.home:
        return Path(settings.home).expanduser().resolve()
    here = cwd.resolve()
    upwards = (here, *here.parents)
    found = [path for path in upwards if (path / ".redyard" / "yard.json").exists()]
    roots = [path for path in upwards if any((path / mark).exists() for mark in PROJECT_MARKS)]
    return (found or roots or [here])[0] / ".redyard"
