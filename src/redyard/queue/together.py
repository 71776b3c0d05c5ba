"""What many callers ask for in one turn of the event loop goes as few calls: a call costs more than a job in it.

Nobody waits for company: a lone caller's request leaves at once, those of many when their turn ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

MOST = 32
"""Requests of one call: the server does nothing else meanwhile, and the first answers are handled beside the next."""

LARGEST = 64 * 1024
"""Bytes of one call, unless a single request is larger."""

T = TypeVar("T")


class Load(NamedTuple):
    """The bytes of a request, and its group: those of one group can share a call."""

    size: int = 0
    group: object = None


class _Asked(NamedTuple, Generic[T]):
    what: T
    load: Load
    answer: "asyncio.Future[Any]"


class Together(Generic[T]):
    """Collects requests; `send` makes the call for some of a group, and returns an answer for each."""

    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, send: Callable[[list[T], Any], Awaitable[list[Any]]]) -> None:
        self._send = send
        self._forget()

    async def ask(self, what: T, load: Load) -> Any:
        """Send a request, with others where there are any, and return its answer."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._forget()
        if self._lonely and not self._open and not self._asked:
            self._open += 1
            try:
                return (await self._send([what], load.group))[0]
            finally:
                self._open -= 1
        if not self._asked:
            loop.call_soon(self._leave)
        answer = loop.create_future()
        self._asked.append(_Asked(what, load, answer))
        return await answer

    def _forget(self) -> None:
        """Begin anew: what was asked in another loop has nobody who waits for it."""
        self._asked: list[_Asked[T]] = []
        self._open = 0
        self._lonely = True
        self._calls: set[asyncio.Task[None]] = set()

    def _leave(self) -> None:
        asked = [one for one in self._asked if not one.answer.done()]  # but those whose callers have gone
        self._asked = []
        self._lonely = len(asked) == 1
        for part in cut(one.load for one in asked):
            call = asyncio.create_task(self._call(asked[part]))
            self._calls.add(call)  # the loop itself would forget it
            call.add_done_callback(self._calls.discard)

    async def _call(self, asked: list[_Asked[T]]) -> None:
        self._open += 1
        try:
            answers = await self._send([one.what for one in asked], asked[0].load.group)
            for one, answer in zip(asked, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)
        except Exception as error:  # noqa: BLE001 - it is the callers'
            for one in asked:
                if not one.answer.done():
                    one.answer.set_exception(error)
        finally:
            self._open -= 1
            for one in asked:
                one.answer.cancel()  # the loop ends; elsewhere all is done


def cut(loads: Iterable[Load]) -> Iterator[slice]:
    """Say which of these requests, in their order, share a call."""
    start = place = size = 0
    group: object = None
    for load in loads:
        if place > start and (place - start == MOST or size + load.size > LARGEST or load.group != group):
            yield slice(start, place)
            start, size = place, 0
        place, size, group = place + 1, size + load.size, load.group
    if place > start:
        yield slice(start, place)
