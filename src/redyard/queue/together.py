"""What many callers ask for in one turn of the event loop goes as few calls: a call costs more than a job in it.

Nobody waits for company: a lone caller's request leaves at once, those of many when their turn ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

MOST = 32
"""Requests of one call: the server does nothing else meanwhile, and the first answers are handled beside the next."""

LARGEST = 64 * 1024
"""Bytes of one call, unless a single request is larger."""

T = TypeVar("T")


Weigh = Callable[[T], tuple[int, object]]
"""Says how many bytes a request has, and its group: those of one group can share a call."""


class Together(Generic[T]):
    """Collects requests; `send` makes the call for some of a group, and returns an answer for each."""

    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(
        self,
        send: Callable[[list[T]], Awaitable[list[Any]]],
        weigh: Weigh[T],
        send_one: Callable[[T], Awaitable[Any]] | None = None,
    ) -> None:
        self._send = send
        self._weigh = weigh
        self._send_one = send_one or self._send_as_one
        self._open = 0
        self._forget()

    def ask(self, what: T) -> Awaitable[Any]:
        """Send a request, with others where there are any, and return what its answer is awaited by.

        (Hot: a lone caller does without the loop, for which Python asks the system whether this is a fork.)
        """
        if self._lonely and not self._open and not self._asked:
            return self._alone(what)
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._forget()
        if not self._asked:
            loop.call_soon(self._leave)
        answer = loop.create_future()
        self._asked.append((what, answer))
        return answer

    async def _alone(self, what: T) -> Any:
        self._open += 1
        try:
            return await self._send_one(what)
        finally:
            self._open -= 1

    async def _send_as_one(self, what: T) -> Any:
        return (await self._send([what]))[0]

    def _forget(self) -> None:
        """Begin anew: what was asked in another loop has nobody who waits for it."""
        self._asked: list[tuple[T, asyncio.Future[Any]]] = []
        self._lonely = True
        self._calls: set[asyncio.Task[None]] = set()

    def _leave(self) -> None:
        asked = [one for one in self._asked if not one[1].done()]  # but those whose callers have gone
        self._asked = []
        self._lonely = len(asked) == 1
        for part in cut([what for what, _ in asked], self._weigh):
            call = asyncio.create_task(self._call(asked[part]))
            self._calls.add(call)  # the loop itself would forget it
            call.add_done_callback(self._calls.discard)

    async def _call(self, asked: list[tuple[T, "asyncio.Future[Any]"]]) -> None:
        self._open += 1
        try:
            replies = await self._send([what for what, _ in asked])
            for (_, answer), reply in zip(asked, replies, strict=True):
                if not answer.done():
                    answer.set_result(reply)
        except Exception as error:  # noqa: BLE001 - it is the callers'
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
        finally:
            self._open -= 1
            for _, answer in asked:
                answer.cancel()  # where the loop ends; else all is done


def cut(requests: Iterable[T], weigh: Weigh[T]) -> Iterator[slice]:
    """Say which of these requests, in their order, share a call."""
    start = place = total = 0
    group: object = None
    for size, own_group in map(weigh, requests):
        if place > start and (place - start == MOST or total + size > LARGEST or own_group != group):
            yield slice(start, place)
            start, total = place, 0
        place, total, group = place + 1, total + size, own_group
    if place > start:
        yield slice(start, place)
