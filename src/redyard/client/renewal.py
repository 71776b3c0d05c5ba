"""A login that changes while its process runs: user and password from a file, read for each new connection.

Whoever writes the file anew gives a new password. The connections that are there go over to it one by one, each when it
has nothing on its way, so that the old password can end without a failed command.
"""

import asyncio
import os
import weakref
from collections.abc import Callable
from typing import Any

from redis.asyncio.connection import parse_url
from redis.credentials import CredentialProvider

from redyard.client.url import read_file

EVERY = 1.0
"""Seconds between two looks at the file: one question to the system."""


class Login(CredentialProvider):
    """The user and the password of the address in a file; `renew` is called when the file has changed.

    The rest of the address counts as it was at the start.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._words: tuple[str, ...] = ()
        self._mark = _mark(file)
        self._renew: weakref.WeakMethod[Callable[[], Any]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.get_credentials()

    def follow(self, renew: Callable[[], Any]) -> None:
        """Call a method when the file has changed, for as long as its object lives."""
        self._renew = weakref.WeakMethod(renew)

    def get_credentials(self) -> tuple[str, ...]:  # type: ignore[override] # none, where the address has none
        """Return user and password; those of before while the file cannot be read."""
        if words := _words(read_file(self._file)):
            self._words = words
        return self._words

    async def get_credentials_async(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the same, and look from now on whether the file changes."""
        self._watch()
        return self.get_credentials()

    def is_stale(self) -> bool:
        """Say whether the file has another login by now than the one that was given last."""
        return self._words != self.get_credentials()

    def stop(self) -> None:
        """Look no more, until the next connection."""
        if self._timer:
            self._timer.cancel()
        self._loop = self._timer = None

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._timer = loop, loop.call_later(EVERY, self._look)

    def _look(self) -> None:
        renew = self._renew() if self._renew else None
        if renew is None or self._loop is None:
            self._loop = self._timer = None
            return
        self._timer = self._loop.call_later(EVERY, self._look)
        if (mark := _mark(self._file)) != self._mark:
            self._mark = mark
            renew()


def _words(url: str) -> tuple[str, ...]:
    """Return the user and the password of an address."""
    try:
        parts = parse_url(url)
    except (ValueError, LookupError):
        return ()
    user, password = parts.get("username"), parts.get("password")
    return (user, password) if user and password else (password,) if password else ()


def _mark(file: str) -> object:
    """Return what changes with a file, whether it is written anew or another takes its place."""
    try:
        seen = os.stat(file)  # noqa: PTH116 - follows the links of a mounted secret
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_ino, seen.st_size
