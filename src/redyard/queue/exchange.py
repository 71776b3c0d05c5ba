"""The exchange: jobs that completed are handed in and the next ones are taken, for many at once in one call.

It is what a worker calls for every job, so it is a script of our own; what it leaves is what BullMQ's would leave.
"""

from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

from redyard.client import Words
from redyard.queue.moves import Moves, Taken, as_fields
from redyard.queue.together import Together
from redyard.queue.wire import Word

MINUTES = 1440
"""Minutes for which the numbers of completed and failed jobs are kept."""

NOT_HERE = 1
"""The answer for a job that BullMQ's own script has to end: it has a parent, or keeps like jobs out."""


class Ended(NamedTuple):
    """A job that completed, the token that holds it, and its result as JSON."""

    id: str
    token: str
    value: bytes
    keep: int
    """How many completed jobs are kept, -1 for all."""
    take: bool
    """The token is for the next job."""


class Exchange:
    """The calls of one worker, of whose locks, name and limit they tell."""

    def __init__(self, moves: Moves, *, lock: float, name: str, limit: tuple[int, float] | None) -> None:
        self._moves = moves
        jobs, seconds = limit or ("", 0)
        terms = [str(term) for term in (round(lock * 1000), name, jobs, round(seconds * 1000) or "", MINUTES)]
        evalsha, digest, _, wait, gone = moves.wire.head("exchange")
        self._taking = (evalsha, digest, "2", wait, gone, *terms)
        self._call = (evalsha, digest, "1", wait, *terms)
        self._together = Together(self._complete, lambda ended: (len(ended.value), ended[3:]), self._complete_one)

    def complete(self, ended: Ended) -> Awaitable[Taken | int]:
        """Complete a job and take the next one; or return the number of an error."""
        return self._together.ask(ended)

    async def take(self, tokens: Sequence[str]) -> list[Taken]:
        """Take a job for each token; where there are fewer jobs, the last tokens get none."""
        return self.read(await self._send((0, -1, 0, *tokens)), wanted=len(tokens))

    def taking(self, tokens: Sequence[str], wait: str) -> Words:
        """Return the call that takes a job for each token when a wait of that name is over, unless it was given up."""
        return (*self._taking, wait, 0, -1, 0, *tokens)

    def read(self, reply: Any, *, wanted: int) -> list[Taken]:
        """Read the jobs that were taken, and why there are fewer than wanted."""
        _, flat, limited, due = reply
        taken = [_taken(flat[place], flat[place + 1]) for place in range(0, len(flat), 2)]
        if len(taken) < wanted:
            taken += [Taken("", {}, limited / 1000, due / 1000)] * (wanted - len(taken))
        return taken

    async def _complete_one(self, ended: Ended) -> Taken | int:
        """Complete a job that has no company. (Hot: a worker of one job at a time does little else.)"""
        job_id, token, value, keep, take = ended
        codes, flat, limited, due = await self._send((1, keep, int(take), job_id, token, value))
        if codes[0] or not take:
            code: int = codes[0]
            return code
        return _taken(*flat) if flat else Taken("", {}, limited / 1000, due / 1000)

    async def _complete(self, ended: list[Ended]) -> list[Taken | int]:
        keep, take = ended[0][3:]
        words: list[Word] = [len(ended), keep, int(take)]
        for one in ended:
            words += one[:3]
        reply = await self._send(words)
        following = iter(self.read(reply, wanted=len(ended) * take))
        return [next(following) if take and code == 0 else code for code in reply[0]]

    def _send(self, words: Sequence[Word]) -> Awaitable[Any]:
        return self._moves.wire.send("exchange", (*self._call, int(self._moves.now() * 1000), *words))


def _taken(job_id: bytes, flat: Any) -> Taken:
    return Taken(job_id.decode(), as_fields(flat), 0.0, 0.0)
