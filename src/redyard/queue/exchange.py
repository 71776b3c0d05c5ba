"""The exchange: jobs that completed are handed in and the next ones are taken, for many at once in one call.

It is what a worker calls for every job, so it is a script of our own; what it leaves is what BullMQ's would leave.
"""

from collections.abc import Awaitable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from redyard.client import Words
from redyard.queue.moves import Moves, Taken, as_fields
from redyard.queue.together import Together
from redyard.queue.wire import Word, form

MINUTES = 1440
"""Minutes for which the numbers of completed and failed jobs are kept."""

MINUTE = 60_000
"""Milliseconds."""

FORMS = 32
"""Ways to end a job whose bytes are kept: jobs may say how many are kept, each its own number."""

NOT_HERE = 1
"""The answer for a job that BullMQ's own script has to end: it has a parent, or keeps like jobs out."""

How = tuple[Word, int, int, int]
"""Minutes of the metrics or nothing, how many jobs have ended and how many are kept, and whether each takes another."""
TAKE: How = ("", 0, -1, 0)


class Ended(msgspec.Struct, frozen=True, gc=False):
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
        self._minute = 0
        jobs, seconds = limit or ("", 0)
        terms = [str(term) for term in (round(lock * 1000), name, jobs, round(seconds * 1000) or "")]
        evalsha, digest, _, wait, gone = moves.wire.head("exchange")
        self._taking = (evalsha, digest, "2", wait, gone, *terms, *TAKE)
        self._call = (evalsha, digest, "1", wait, *terms)
        self._form = lru_cache(FORMS)(lambda how: form((*self._call, *how), more=4))
        self._together = Together(self.complete_all, lambda one: (len(one.value), (one.keep, one.take)), self._alone)

    def complete(self, ended: Ended) -> Awaitable[Taken | int]:
        """Complete a job and take the next one; or return the number of an error."""
        return self._together.ask(ended)

    async def take(self, tokens: Sequence[str]) -> list[Taken]:
        """Take a job for each token; where there are fewer jobs, the last tokens get none."""
        return self.read(await self._send(TAKE, self._now(), tokens), wanted=len(tokens))

    def taking(self, tokens: Sequence[str], wait: str) -> Words:
        """Return the call that takes a job for each token when a wait of that name is over, unless it was given up."""
        return (*self._taking, wait, *tokens)

    def read(self, reply: Any, *, wanted: int, ended: int = 0) -> list[Taken]:
        """Read the jobs that were taken, and why there are fewer than wanted."""
        jobs = range(ended + 3, len(reply), 3)
        taken = [self._taken(reply[ended + 2], *reply[place : place + 3]) for place in jobs]
        return taken + [_none(*reply[ended : ended + 2])] * (wanted - len(taken))

    async def complete_all(self, ended: list[Ended]) -> list[Taken | int]:
        """Complete jobs of the same `keep` and `take` in one call."""
        count, keep, take, now = len(ended), ended[0].keep, ended[0].take, self._now()
        words = [word for one in ended for word in (one.id, one.token, one.value)]
        reply = await self._send(self._how(now, count, keep, take), now, words)
        following = iter(self.read(reply, wanted=count * take, ended=count))
        return [next(following) if take and code == 0 else code for code in reply[:count]]

    async def _alone(self, ended: Ended) -> Taken | int:
        """Complete a job that has no company. (Hot: a worker of one job at a time does little else.)"""
        now, job_id, token, value = self._now(), ended.id.encode(), ended.token.encode(), ended.value
        how, digits = self._how(now, 1, ended.keep, ended.take), b"%d" % now
        filling = (len(digits), digits, len(job_id), job_id, len(token), token, len(value), value)
        reply = await self._send(how, now, (job_id, token, value), self._form(how) % filling)
        code, limited, due, at, *job = reply
        if code or not ended.take:
            return int(code)
        return self._taken(at, *job) if job else _none(limited, due)

    def _now(self) -> int:
        return int(self._moves.now() * 1000)

    def _how(self, now: int, count: int, keep: int, take: bool) -> How:
        """Say how jobs are ended; for how many minutes numbers are kept only in the first call of a minute."""
        return ("" if now // MINUTE == self._minute else MINUTES, count, keep, int(take))

    async def _send(self, how: How, now: int, words: Sequence[Word], packed: bytes = b"") -> Any:
        reply = await self._moves.wire.send("exchange", (*self._call, *how, now, *words), packed=packed)
        if 0 in reply[: how[1]]:
            self._minute = now // MINUTE
        return reply

    def _taken(self, now: bytes, job_id: bytes, started: int, flat: Any) -> Taken:
        fields = as_fields(flat)
        fields[b"processedOn"], fields[b"pb"], fields[b"ats"] = now, self._name, b"%d" % started
        return Taken(job_id.decode(), fields, 0.0, 0.0)


def _none(limited: int, due: int) -> Taken:
    return Taken("", {}, limited / 1000, due / 1000)
