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
        self._name = name.encode()
        jobs, seconds = limit or ("", 0)
        told = (moves.wire.base, round(lock * 1000), name, jobs, round(seconds * 1000) or "", MINUTES)
        terms = [str(term) for term in told]
        head = moves.wire.head("exchange")
        evalsha, digest, count, *names, _ = head
        self._taking = (*head, *terms)
        self._call = (evalsha, digest, str(count - 1), *names, *terms)
        self._together = Together(self._complete, lambda ended: (len(ended.value), ended[3:]))

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
        _, flat, limited, due, now = reply
        taken = [self._taken(flat[place], flat[place + 1], now) for place in range(0, len(flat), 2)]
        if len(taken) < wanted:
            taken += [Taken("", {}, limited / 1000, due / 1000)] * (wanted - len(taken))
        return taken

    async def _complete(self, ended: list[Ended]) -> list[Taken | int]:
        keep, take = ended[0][3:]
        words: list[Word] = [len(ended), keep, int(take)]
        for one in ended:
            words += one[:3]
        reply = await self._send(words)
        following = iter(self.read(reply, wanted=len(ended) * take))
        return [next(following) if take and code == 0 else code for code in reply[0]]

    def _send(self, words: Sequence[Word]) -> Awaitable[Any]:
        return self._moves.wire.send("exchange", (*self._call, b"%d" % (self._moves.now() * 1000), *words))

    def _taken(self, job_id: bytes, flat: Any, now: bytes) -> Taken:
        """Return a job; the script gives its fields as they were before it wrote that it was taken."""
        fields = as_fields(flat)
        fields[b"processedOn"], fields[b"pb"] = now, self._name
        fields[b"ats"] = b"%d" % (int(fields.get(b"ats", 0)) + 1)
        return Taken(job_id.decode(), fields, 0.0, 0.0)
