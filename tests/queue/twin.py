"""Two queues with one history: one lives by BullMQ's own scripts alone, the other by ours where we have some."""

import asyncio
import json
from typing import Any

from redyard import Redis
from redyard.client import raw
from redyard.queue.exchange import MINUTES, Ended, Exchange
from redyard.queue.moves import Moves, Taken
from redyard.queue.wire import pack

LOCK, NAME = 10_000, "w"
OPTIONS = {"attempts": 3, "backoff": {"type": "exponential", "delay": 2000}, "removeOnComplete": 100}


class Twin:
    """One of the two queues; `now` is in ms, `ours` says which scripts move plain jobs."""

    def __init__(self, redis: Redis, name: str, *, ours: bool) -> None:
        self.redis = redis
        self.ours = ours
        self.moves = Moves(redis, name)
        self.wire = self.moves.wire
        self.base = self.wire.base
        self._exchange = Exchange(self.moves, lock=LOCK / 1000, name=NAME, limit=None)
        self.held: dict[str, str] = {}
        """The tokens of the jobs that are active: BullMQ's scripts take for them in another order than ours."""

    # ---- as both do it

    async def add(self, script: str, job_id: str, now: int, *, parent: str = "", **options: Any) -> None:
        """Add a job by one of BullMQ's scripts."""
        kin = [f"{self.base}{parent}", f"{self.base}{parent}:dependencies", {"id": parent, "queueKey": self.base[:-1]}]
        like = f"{self.base}de:{options['de']['id']}" if "de" in options else None
        args = pack((self.base, job_id, "a", now, *(kin if parent else (None, None, None)), None, like))
        await self.wire.run(script, args, '"x"', pack({**OPTIONS, **options}))

    async def pause(self, kind: str) -> None:
        """Pause or resume."""
        await self.wire.run("pause", kind, "1", state="wait", other="paused")

    async def write(self, name: str, value: int | None) -> None:
        """Write a setting."""
        meta = self.wire.key("meta")
        await (raw(self.redis, "HDEL", meta, name) if value is None else raw(self.redis, "HSET", meta, name, value))

    async def finish(self, job_id: str, now: int, *, keep: int, take: bool = False) -> Any:
        """Complete a job by BullMQ's script."""
        options = {
            "token": self.held.pop(job_id),
            "keepJobs": {"count": keep},
            "lockDuration": LOCK,
            "attempts": 3,
            "maxMetricsSize": MINUTES,
            "name": NAME,
        }
        kind = ("returnvalue", f'"{job_id}"', "completed", "1" if take else "", self.base)
        return await self.wire.run(
            "moveToFinished", job_id, now, *kind, pack(options), "", state="completed", id=job_id
        )

    # ---- as each does it

    async def append(self, ids: list[str], now: int) -> None:
        """Add plain jobs."""
        if self.ours:
            words = [word for job_id in ids for word in (job_id, "a", '"x"', json.dumps(OPTIONS), now)]
            await self.wire.run("append", self.base, *words)
        else:
            for job_id in ids:
                await self.add("addStandardJob", job_id, now)

    async def take(self, tokens: list[str], now: int) -> list[str]:
        """Take a job for each token; return their ids."""
        if self.ours:
            self._set_clock(now)
            return await self._took([taken.id for taken in await self._exchange.take(tokens) if taken.id])
        options = [pack({"token": token, "lockDuration": LOCK, "name": NAME}) for token in tokens]
        replies = [await self.wire.run("moveToActive", self.base, now, option) for option in options]
        return await self._took([reply[1].decode() for reply in replies if reply[0]])

    async def exchange(
        self, ids: list[str], spoiled: set[str], now: int, *, keep: int, take: bool
    ) -> tuple[list[int], list[str]]:
        """Complete jobs, of which some have lost what they need for that; return the answers, and the ids taken.

        BullMQ takes with the last of those that can be completed, and then one by one.
        """
        if self.ours:
            self._set_clock(now)
            ended = [Ended(job_id, self.held.pop(job_id), f'"{job_id}"'.encode(), keep, take) for job_id in ids]
            lone = len(ended) == 1
            answers = [await self._exchange.complete(*ended)] if lone else await self._exchange.complete_all(ended)
            codes = [answer if isinstance(answer, int) else 0 for answer in answers]
            return codes, await self._took([answer.id for answer in answers if isinstance(answer, Taken) and answer.id])
        good = [job_id for job_id in ids if job_id not in spoiled]
        tokens, codes, taken = [self.held[job_id] for job_id in good], [], []
        for job_id in ids:
            reply = await self.finish(job_id, now, keep=keep, take=take and good[-1:] == [job_id])
            codes.append(reply if isinstance(reply, int) else 0)
            if isinstance(reply, list) and reply[0]:
                taken = await self._took([reply[1].decode()])
        return codes, taken + (await self.take(tokens[:-1], now) if take else [])

    def _set_clock(self, now: int) -> None:
        self.moves.now = lambda: (now + 0.5) / 1000

    async def _took(self, ids: list[str]) -> list[str]:
        for job_id in ids:
            self.held[job_id] = (await raw(self.redis, "GET", self.wire.key(f"{job_id}:lock"))).decode()
        return ids

    # ---- what there is

    async def everything(self) -> dict[str, Any]:
        """All that the queue's keys hold, but what must differ: ids of events, tokens, how options are written.

        A ring where nothing is left to be taken is no difference: BullMQ's wakes workers for nothing.
        """
        keys = [key async for key in self.redis.scan_iter(f"{self.base}*", count=1000)]
        names = [key.decode().removeprefix(self.base) for key in keys]
        values = await asyncio.gather(*(self._value(key, name) for key, name in zip(keys, names, strict=True)))
        found = dict(zip(names, values, strict=True))
        if not {"wait", "prioritized", "delayed"} & found.keys():
            found.pop("marker", None)
        return found

    async def _value(self, key: bytes, name: str) -> Any:
        kind = (await raw(self.redis, "TYPE", key)).decode()
        lives = (await raw(self.redis, "PTTL", key)) > 0
        words = READ[kind]
        value = await raw(self.redis, words[0], key, *words[1:])
        if kind == "hash":
            pairs = dict(zip(value[::2], value[1::2], strict=True)) if isinstance(value, list) else value
            value = {field: json.loads(text) if field == b"opts" else text for field, text in pairs.items()}
        elif kind == "stream":
            value = [fields for _, fields in value]
        elif kind == "set":
            value = sorted(value)
        return kind, lives, "" if name.endswith(":lock") else _without(value, self.base.encode())


READ: dict[str, tuple[Any, ...]] = {
    "hash": ("HGETALL",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    "stream": ("XRANGE", "-", "+"),
    "string": ("GET",),
}


def _without(value: Any, base: bytes) -> Any:
    """The same without the queue's name."""
    if isinstance(value, bytes):
        return value.replace(base, b"").replace(base[:-1], b"")
    if isinstance(value, dict):
        return {_without(name, base): _without(part, base) for name, part in value.items()}
    return [_without(part, base) for part in value] if isinstance(value, list) else value
