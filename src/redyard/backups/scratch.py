"""A moment in an engine of its own, for as long as somebody looks at it: to prove it, to read it, to copy from it.

Nothing of it stays. Valkey is told that it imports, so that keys whose time was over since the moment are still there
for those who ask for them; Redis has no such mode and drops them.
"""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from redyard.backups import canonical
from redyard.backups.restore import Tell, assemble, silent
from redyard.backups.storage import Storage
from redyard.backups.timeline import LOGICAL, Recipe
from redyard.engine import access
from redyard.engine.directives import Limits
from redyard.engine.files import last_lines
from redyard.engine.find import Engine
from redyard.engine.lock import end_orphans
from redyard.engine.process import Process
from redyard.engine.seat import Seat
from redyard.errors import EngineDied

UNLIMITED = Limits(0, 100, 1024)
"""A scratch engine takes what the moment takes; any database may have keys in it."""

LOOK = 0.01
"""Seconds between looks whether it has read its files."""

IMPORTS = (8, 1)
"""Since which Valkey an engine can import: keys whose time is over stay."""

RELAXED = (9, 0)
"""Since which Valkey an engine can be told to read values of newer versions and other makers."""

REFUSED = "is sending an error"
"""What an engine's log says where a command of its files was refused."""


class Scratch(NamedTuple):
    """A running scratch engine: a client of its yard's user, and its users' passwords."""

    client: Any
    passwords: dict[str, str]
    seconds: float
    process: Process


def serving(
    engine: Engine, storage: Storage, recipe: Recipe, *, port: int = 0, imports: bool = False, tell: Tell = silent
) -> AbstractContextManager[Scratch]:
    """Start an engine on a moment of the backups; see `scratch`."""
    fill = partial(assemble, storage, recipe, tell=tell)
    return scratch(engine, fill, port=port, imports=imports, strict=recipe.base.kind == LOGICAL)


@contextmanager
def scratch(
    engine: Engine,
    fill: Callable[[Path], object],
    *,
    port: int = 0,
    imports: bool = False,
    strict: bool = False,
) -> Iterator[Scratch]:
    """Start an engine on files that `fill` writes into its directory, and end it with all its files afterwards.

    Args:
        engine: the program.
        fill: writes the files.
        port: where it listens; 0 for a Unix socket alone.
        imports: keep keys whose time is over, where the engine can; the client sees them.
        strict: end where a command of the files is refused, such as a value that the engine cannot read. An engine
            else logs that and goes on without the key.
    """
    with tempfile.TemporaryDirectory(prefix="redyard-", dir="/tmp") as root:  # short, as a socket's path must be
        seat = Seat(Path(root) / "e", Path(root) / "s")
        passwords = {user.name: secrets.token_urlsafe(24) for user in access.TABLE}
        seat.prepare(role="store", limits=UNLIMITED, port=port, users=access.render(passwords))
        with seat.configuration.open("a") as file:
            file.write("import-mode yes\n" if imports and can_import(engine) else "")
            file.write("propagation-error-behavior panic\n" if strict else "")
            file.write("rdb-version-check relaxed\n" if strict and _is_valkey(engine, RELAXED) else "")
        fill(seat.data)
        began = time.monotonic()
        process = seat.spawn(engine)
        client = canonical.connect(seat.socket, passwords["yard"])
        try:
            _await(seat, process, client)
            if imports and can_import(engine):
                client.execute_command("CLIENT", "IMPORT-SOURCE", "ON")
            yield Scratch(client, passwords, time.monotonic() - began, process)
        finally:
            client.close()
            process.send(9)  # type: ignore[arg-type]  # SIGKILL: what it holds is nobody's
            process.wait(30)
            process.close()
            end_orphans(seat.lock)


def can_import(engine: Engine) -> bool:
    """Say whether an engine can keep keys whose time is over."""
    return _is_valkey(engine, IMPORTS)


def _is_valkey(engine: Engine, since: tuple[int, int]) -> bool:
    return engine.name == "valkey" and tuple(int(part) for part in engine.version.split(".")[:2]) >= since


def _await(seat: Seat, process: Process, client: Any) -> None:
    """Wait until it has read its files, however long that takes, or has ended because it cannot."""
    while True:
        try:
            if b"\nloading:0" in client.execute_command("INFO", "persistence"):
                return
        except (RedisError, OSError):
            if not process.alive():
                log = "\n".join(line for line in last_lines(seat.log, 500).splitlines() if REFUSED in line)
                log = log or last_lines(seat.log)
                raise EngineDied(name="the scratch engine", log=log, path="removed with its directory") from None
        time.sleep(LOOK)
