"""Single flight in this process: many who want one value wait for one load of it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NamedTuple

from redyard.cache.record import Record


class Flight(NamedTuple):
    """A load under way, and the tags that its value will have."""

    task: "asyncio.Task[Record]"
    tags: tuple[str, ...]


class Flights:
    """The loads under way, by key. A caller who gives up stops none of them."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._all: set[asyncio.Task[Record]] = set()

    def join(
        self, key: str, tags: tuple[str, ...], load: Callable[[], Coroutine[Any, Any, Record]]
    ) -> "asyncio.Task[Record]":
        """Return a key's load under way; start it if there is none."""
        flight = self._flights.get(key)
        if flight is not None and flight.task.get_loop() is asyncio.get_running_loop():
            return flight.task
        task = asyncio.create_task(load())
        self._all.add(task)
        self._flights[key] = Flight(task, tags)
        task.add_done_callback(lambda done: self._landed(key, done))
        return task

    def divert(self, key: str) -> None:
        """Let no more callers join a key's load: its value is no longer wanted."""
        self._flights.pop(key, None)

    def divert_where(self, matches: Callable[[str, Iterable[str]], bool]) -> None:
        """Do the same for every load whose key and tags match."""
        for key in [key for key, flight in self._flights.items() if matches(key, flight.tags)]:
            self.divert(key)

    def _landed(self, key: str, task: "asyncio.Task[Record]") -> None:
        self._all.discard(task)
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # the waiters have it; without any, asyncio would warn
