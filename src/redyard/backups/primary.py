"""Being a primary: fills an empty server with a moment, exactly and at the engine's own speed.

The server is told to follow us; it gets the base and the stream up to the last whole command or transaction before the
moment, says that it has all of it, and is told to follow nobody. It must be able to reach us, its user must be allowed
REPLICAOF, and it must be able to read the dump; where one of these is not so, `PrimaryRefused` says so, the server is
its own again, and plain commands are the other way.
"""

import secrets
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import hiredis
from redis.exceptions import RedisError

from redyard.backups.disaster import walk
from redyard.backups.restore import BASE_FILE, DIRECTORY, STREAM_FILE, Tell, assemble, silent
from redyard.backups.storage import PART, Storage
from redyard.backups.timeline import LOGICAL, Recipe
from redyard.errors import PrimaryRefused

ASKED_WITHIN = 5.0
"""Seconds that the server has to come and ask for the dump."""

STALLED_AFTER = 60.0
"""Seconds without progress after which it is given up."""

ACK_EVERY = 0.05
"""Seconds between questions how far it is."""


def fill(target: Any, storage: Storage, recipe: Recipe, tell: Tell = silent) -> None:
    """Put a moment into an empty server; raise PrimaryRefused where that is no way, and leave it empty."""
    if recipe.base.kind == LOGICAL:
        raise PrimaryRefused(reason="what was read key by key is no dump")
    with tempfile.TemporaryDirectory(prefix="redyard-", dir="/tmp") as root, socket.socket() as door:
        assemble(storage, recipe, Path(root), tell)
        files = Path(root, DIRECTORY)
        door.bind((_own_address(target), 0))
        door.listen(1)
        try:
            target.execute_command("REPLICAOF", *map(str, door.getsockname()))
            _serve(door, files)
        except (OSError, RedisError, ValueError) as error:
            _release(target)
            with suppress(RedisError, OSError):
                target.execute_command("FLUSHALL")
            raise PrimaryRefused(reason=str(error) or type(error).__name__) from None
        _release(target)


def whole_end(stream: bytes) -> int:
    """Return where the last whole command, or transaction, of a stream ends."""
    end, inside = 0, False
    for position, name, _ in walk(stream, "the stream"):
        if name == b"MULTI":
            inside = True
        elif name == b"EXEC":
            inside = False
        if not inside:
            end = position
    return end


def _own_address(target: Any) -> str:
    """Return the address under which the server sees us."""
    line = target.connection_pool.get_connection()
    try:
        sock: socket.socket = line._sock
        if sock.family == socket.AF_UNIX:
            return "127.0.0.1"
        return str(sock.getsockname()[0])
    finally:
        target.connection_pool.release(line)


def _release(target: Any) -> None:
    with suppress(RedisError, OSError):
        target.execute_command("REPLICAOF", "NO", "ONE")


def _serve(door: socket.socket, files: Path) -> None:
    door.settimeout(ASKED_WITHIN)
    line, _ = door.accept()
    with line:
        line.settimeout(STALLED_AFTER)
        commands = _commands(line)
        for words in commands:
            name = words[0].upper()
            if name in {b"PSYNC", b"SYNC"}:
                break
            line.sendall(b"+PONG\r\n" if name == b"PING" else b"+OK\r\n")
        line.sendall(b"+FULLRESYNC %s 0\r\n" % secrets.token_hex(20).encode())
        base, stream = files / BASE_FILE, (files / STREAM_FILE).read_bytes()
        line.sendall(b"$%d\r\n" % base.stat().st_size)
        with base.open("rb") as file:
            _send(line, file)
        end = whole_end(stream)
        line.sendall(stream[:end])
        _await(line, commands, end)


def _send(line: socket.socket, file: BinaryIO) -> None:
    while part := file.read(PART):
        line.sendall(part)


def _await(line: socket.socket, commands: Iterator[list[bytes]], end: int) -> None:
    """Wait until the server has applied everything up to an offset; asking moves that on by the question itself."""
    deadline = time.monotonic() + STALLED_AFTER
    done = -1
    while done < end:
        line.sendall(b"\n")
        if not select.select([line], [], [], ACK_EVERY)[0]:
            if time.monotonic() > deadline:
                raise TimeoutError("it does not go on")
            continue
        words = next(commands)
        if words[:2] == [b"REPLCONF", b"ACK"] and int(words[2]) > done:
            done, deadline = int(words[2]), time.monotonic() + STALLED_AFTER


def _commands(line: socket.socket) -> Iterator[list[bytes]]:
    """Yield what the server says to us."""
    reader = hiredis.Reader()
    while True:
        part = line.recv(PART)
        if not part:
            raise ConnectionResetError("it went away: it may not be able to read the dump")
        reader.feed(part.lstrip(b"\n") if part.strip(b"\n") == b"" else part)
        while (words := reader.gets()) is not False:
            if isinstance(words, list):
                yield words
