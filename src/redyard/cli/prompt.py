"""The built-in prompt of `redyard connect`: one connection, one command at a time, replies as people read them.

It is there where no valkey-cli or redis-cli is, and wherever a command has to be confirmed first. Line editing, history
and completion are the standard library's readline.
"""

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from redis.connection import parse_url
from redis.exceptions import RedisError, ResponseError

from redyard.errors import Unreachable, Usage

CONNECT_WITHIN = 5.0
"""Seconds to connect; a command itself may block for as long as it likes."""

FLUSHES = frozenset({"FLUSHALL", "FLUSHDB"})
"""Commands that empty a whole database."""

STREAMS = frozenset({"MONITOR", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"})
"""Commands that answer until they are interrupted."""

PRIVATE = re.compile(r"(?i)\s*(auth|hello|acl\s+setuser|config\s+set\s+\S*(pass|auth|user))")
"""Lines that may hold a password: the history does not keep them."""

HISTORY = 1000
"""Lines that the history keeps."""


class Refused(Exception):
    """The server's own error; the connection is well."""


class Line:
    """One connection to a server, as the user of its address."""

    def __init__(self, name: str, url: str) -> None:
        parse: Any = parse_url
        options = parse(url)
        kind = options.pop("connection_class", redis.Connection)
        self.name = name
        self._connection: Any = kind(**{**options, "protocol": 2, "client_name": "redyard:connect"})
        self._connection.socket_connect_timeout = CONNECT_WITHIN

    def ask(self, words: list[str]) -> Any:
        """Send a command and return its reply; Refused is the server's own error."""
        try:
            self._connection.send_command(*words, check_health=False)
            return self.read()
        except (RedisError, OSError) as error:
            self._connection.disconnect()
            raise Unreachable(url=self.name, reason=str(error).splitlines()[0]) from None

    def read(self) -> Any:
        """Return the next reply."""
        try:
            return self._connection.read_response(disable_decoding=True)
        except ResponseError as error:
            raise Refused(error.args[0] if error.args else "") from None

    def close(self) -> None:
        """End the connection."""
        self._connection.disconnect()


def draw(reply: Any, indent: str = "") -> str:
    """Return a reply as the usual command-line clients show it at a terminal."""
    if isinstance(reply, Exception):
        return f"(error) {reply}"
    if reply is None:
        return "(nil)"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, list):
        return _list(reply, indent)
    return quoted(reply)


def raw(reply: Any) -> str:
    """Return a reply for another program: values alone, one a line."""
    if isinstance(reply, list):
        return "\n".join(map(raw, reply))
    return "" if reply is None else reply.decode(errors="backslashreplace") if isinstance(reply, bytes) else str(reply)


def plain(reply: Any) -> Any:
    """Return a reply as JSON has it; bytes that are no text are written as \\xNN."""
    if isinstance(reply, list):
        return [plain(item) for item in reply]
    return reply.decode(errors="backslashreplace") if isinstance(reply, bytes) else reply


def quoted(value: bytes | str) -> str:
    """Return a string in quotes, whatever it holds; a status as it is."""
    if isinstance(value, str):
        return value
    escaped = value.decode("utf-8", "backslashreplace").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in escaped) + '"'


def _list(items: list[Any], indent: str) -> str:
    if not items:
        return "(empty array)"
    width = len(str(len(items)))
    rows = []
    for number, item in enumerate(items, 1):
        label = f"{number:>{width}}) "
        rows.append(("" if number == 1 else indent) + label + draw(item, indent + " " * len(label)))
    return "\n".join(rows)


def split(text: str) -> list[str]:
    """Return the words of a line, with quotes as a shell has them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Usage(problem=f"the line cannot be read: {str(error).lower()}", command="redyard connect") from None


def flushes(words: list[str]) -> bool:
    """Say whether a command empties a database."""
    return bool(words) and words[0].upper() in FLUSHES


def converse(line: Line, history: Path, *, confirm: Callable[[str], bool], write: Callable[[str], None]) -> None:
    """Read commands and print replies until the end of the input."""
    prompt = f"{line.name}> " if sys.stdin.isatty() else ""
    with _editing(line, history):
        while (text := _input(prompt)) is not None:
            with suppress(KeyboardInterrupt):
                _answer(line, text, confirm, write)


def _answer(line: Line, text: str, confirm: Callable[[str], bool], write: Callable[[str], None]) -> None:
    try:
        words = split(text)
        if not words or (flushes(words) and not confirm(line.name)):
            return
        write(draw(line.ask(words)) + "\n")
        while words[0].upper() in STREAMS:
            write(draw(line.read()) + "\n")
    except (Refused, Usage, Unreachable) as error:
        write(f"(error) {error}\n")
    except KeyboardInterrupt:
        line.close()  # what was on its way is nobody's; the next command connects again
        raise


def _input(prompt: str) -> str | None:
    try:
        text = input(prompt)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return ""
    except EOFError:
        return None
    return None if text.strip().lower() in {"quit", "exit"} else text


class _editing:  # noqa: N801 - a context
    """Line editing, with the history of earlier prompts and the server's own commands to complete; nothing without."""

    def __init__(self, line: Line, history: Path) -> None:
        self.line, self.history = line, history
        self.readline: Any = None

    def __enter__(self) -> None:
        if not sys.stdin.isatty():
            return
        with suppress(ImportError):
            import readline  # noqa: PLC0415 - a pipe needs none, and some Pythons have none

            self.readline = readline
            self._prepare()

    def _prepare(self) -> None:
        with suppress(OSError):
            self.readline.read_history_file(self.history)
        self.readline.set_history_length(HISTORY)
        names = sorted(commands(self.line))
        self.readline.set_completer(completer(names))
        libedit = "libedit" in (self.readline.__doc__ or "")
        self.readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")

    def __exit__(self, *_: object) -> None:
        if self.readline is None:
            return
        kept = [
            self.readline.get_history_item(place + 1) for place in range(self.readline.get_current_history_length())
        ]
        with suppress(OSError):
            self.history.touch(mode=0o600)
            self.history.write_text("".join(f"{text}\n" for text in kept[-HISTORY:] if not PRIVATE.match(text)))


def commands(line: Line) -> Iterator[str]:
    """Yield the names of the server's commands; none where its user may not ask."""
    with suppress(Refused, Unreachable, RedisError):
        yield from (name.decode().upper() for name in line.ask(["COMMAND", "LIST"]))


def completer(names: list[str]) -> Callable[[str, int], str | None]:
    """Return the function that readline asks for the words that begin like this, one after another."""

    def complete(text: str, place: int) -> str | None:
        found = [f"{name} " for name in names if name.startswith(text.upper())] if text else []
        return found[place] if place < len(found) else None

    return complete
