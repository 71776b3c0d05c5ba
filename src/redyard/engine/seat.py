"""The place of one engine: its files, its configuration, its start.

The engine is started detached, in a session of its own, with the directory's lock in its hands: it outlives whoever
started it. Its command line names a file and nothing else, so that no password is in a process list.
"""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

from redyard.engine import directives
from redyard.engine.directives import Limits
from redyard.engine.files import write_private
from redyard.engine.find import Engine
from redyard.engine.lock import end_orphans, locked
from redyard.engine.process import Process, start_mark
from redyard.errors import DirectoryBusy, EngineUnusable

EVERY_ADDRESS = "* -::*"
"""How the engine writes: every address of IPv4, and of IPv6 where there is any."""

LOG_LIMIT = 10 * 1024 * 1024
"""Bytes of a log after which a start begins a new one and keeps the old as `.1`."""


class Seat(NamedTuple):
    """An engine's directory and its socket; the files have fixed names in it."""

    directory: Path
    socket: Path

    @property
    def configuration(self) -> Path:
        """The file that the engine is started with."""
        return self.directory / "engine.conf"

    @property
    def users(self) -> Path:
        """The engine's ACL file."""
        return self.directory / "users.acl"

    @property
    def log(self) -> Path:
        """What the engine prints."""
        return self.directory / "engine.log"

    @property
    def lock(self) -> Path:
        """The lock that the running engine holds."""
        return self.directory / "engine.lock"

    @property
    def data(self) -> Path:
        """Where the engine keeps its snapshot and its log of writes."""
        return self.directory / "data"

    def prepare(  # noqa: PLR0913 - what an engine is made of
        self,
        *,
        role: str,
        limits: Limits,
        port: int,
        users: str,
        bind: str = "127.0.0.1",
        settings: Mapping[str, str] = MappingProxyType({}),
        secured: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write what the engine reads: its configuration, TLS and the owner's settings in it, and its users."""
        for directory in (self.directory, self.data, self.socket.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.users, users)
        write_private(
            self.configuration,
            render(self, role=role, limits=limits, port=port, bind=bind, settings={**secured, **settings}),
        )

    def spawn(self, engine: Engine) -> Process:
        """Start the engine and return its process, which may still end by itself when it reads its files."""
        try:
            return self._spawn(engine)
        except DirectoryBusy:
            end_orphans(self.lock)
        return self._spawn(engine)  # refuses again when an engine lives there

    def _spawn(self, engine: Engine) -> Process:
        with locked(self.lock) as handle, self._open_log() as log:
            self._sweep()
            try:
                child = subprocess.Popen(
                    [engine.path, str(self.configuration)],
                    cwd=self.data,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    umask=0o077,
                    pass_fds=(handle,),
                )
            except OSError as error:
                raise EngineUnusable(path=engine.path, reason=error.strerror or str(error)) from None
        child.returncode = 0  # Process collects it; without this the Popen would warn that it was left alone
        return Process(child.pid, start_mark(child.pid) or "ended")

    def _sweep(self) -> None:
        """Remove what a save that was cut short left: nobody writes to it while we hold the lock."""
        for pattern in ("temp-*.rdb", "temp-*.aof", "appendonlydir/temp-*"):
            for path in self.data.glob(pattern):
                path.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def _open_log(self) -> BinaryIO:
        with suppress(OSError):
            if self.log.stat().st_size > LOG_LIMIT:
                self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)
        return self.log.open("ab")


def render(seat: Seat, *, role: str, limits: Limits, port: int, bind: str, settings: Mapping[str, str]) -> str:
    """Return the engine's configuration: where it is, the table's settings with their reasons, then the owner's."""
    place = {
        "port": str(port),
        "unixsocket": str(seat.socket),
        "unixsocketperm": "600",
        "dir": str(seat.data),
        "aclfile": str(seat.users),
        "logfile": "",
        "daemonize": "no",
    }
    lines = ["# Written by Redyard at each start; changes here are lost.", ""]
    lines += [f"bind {EVERY_ADDRESS if bind == '::' else bind}"]
    lines += [f"{name} {quote(value)}" for name, value in place.items()]
    for row in directives.TABLE:
        lines += ["", f"# {row.why}", directive(row.name, row.value(role, limits))]
    if settings:
        lines += ["", "# Set by `redyard config set`; the last word on a setting counts.", ""]
        lines += [directive(name, value) for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def directive(name: str, value: str) -> str:
    """Return a setting as a line of the configuration, its words apart where it has several."""
    words = value.split() if name in directives.SEVERAL_WORDS and value else [value]
    return " ".join([name, *map(quote, words)])


def quote(value: str) -> str:
    """Return a value as the engine's configuration language reads it, whatever characters it has."""
    if value and all(letter.isalnum() or letter in "-._/" for letter in value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + "".join(_byte(letter) for letter in escaped) + '"'


def _byte(letter: str) -> str:
    """Write out what is no text: a byte of a path that is not UTF-8."""
    return f"\\x{os.fsencode(letter)[0]:02x}" if "\udc80" <= letter <= "\udcff" else letter
