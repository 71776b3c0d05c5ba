"""A look at some keys: enough to know what a database is for, bounded in time and number."""

import asyncio
import re
from typing import Any, NamedTuple

import hiredis

from redyard.checks import Backlog, Group, Key
from redyard.doctor.line import Line
from redyard.reading import pairs, text

KEYS, PAGE = 2000, 500
"""Keys that are looked at, and asked for at once."""

WITHIN = 0.8
"""Seconds that the sample may take."""

QUEUES, JOBS = 20, 100
"""Queues, and jobs of each, that are looked at."""

STREAMS, GROUPS = 20, 10
"""Streams, and groups of each, that are looked at."""

QUEUE = re.compile(r"bull:([^:]+):(?:meta|wait|active|completed|failed|paused|id|prioritized)$")


class Sample(NamedTuple):
    """Some keys, the queues and the streams' groups among them, and why there are no more."""

    keys: list[Key]
    queues: list[Backlog]
    groups: list[Group]
    why: str


async def sample(line: Line, *, frequencies: bool) -> Sample:
    """Look at some keys."""
    keys: list[Key] = []
    try:
        async with asyncio.timeout(WITHIN):
            cursor: Any = 0
            while True:
                cursor, names = await line.ask("SCAN", cursor, "COUNT", PAGE)
                keys += await _describe(line, names, frequencies=frequencies)
                if int(cursor) == 0 or len(keys) >= KEYS:
                    break
            queues = await _queues(line, {match[1] for key in keys if (match := QUEUE.match(key.name))})
            groups = await _groups(line, [key.name for key in keys if key.type == "stream"][:STREAMS])
    except TimeoutError:
        return Sample(keys, [], [], f"only {len(keys)} keys were looked at within {WITHIN:g} s")
    why = "" if int(cursor) == 0 else f"a sample of {len(keys)} keys; --memory looks at all"
    return Sample(keys, queues, groups, why)


async def _describe(line: Line, names: list[bytes], *, frequencies: bool) -> list[Key]:
    asks = [("TYPE",), ("PTTL",), ("MEMORY", "USAGE"), *([("OBJECT", "FREQ")] if frequencies else [])]
    replies = await line.ask_many([(*words, name) for name in names for words in asks])
    found = []
    for place, name in enumerate(names):
        kind, ttl, size, *freq = replies[place * len(asks) : (place + 1) * len(asks)]
        left = _number(ttl)
        hot = _number(freq[0]) if freq else None
        found.append(Key(text(name), text(kind), _number(size), left / 1000 if left > 0 else left, hot))
    return [key for key in found if key.type != "none"]


async def _queues(line: Line, names: set[str]) -> list[Backlog]:
    return [await _queue(line, name) for name in sorted(names)[:QUEUES]]


async def _queue(line: Line, name: str) -> Backlog:
    key = f"bull:{name}"
    asks = (
        *(("LLEN", f"{key}:wait"), ("LLEN", f"{key}:paused"), ("ZCARD", f"{key}:prioritized")),
        *(("ZCARD", f"{key}:completed"), ("ZCARD", f"{key}:failed"), ("HGET", f"{key}:meta", "paused")),
        *(("LRANGE", f"{key}:active", 0, JOBS - 1), ("LRANGE", f"{key}:wait", 0, JOBS - 1), ("LLEN", f"{key}:active")),
    )
    wait, held, prioritized, completed, failed, paused, active, waiting, running = await line.ask_many(asks)
    ids = [text(job) for job in active] if isinstance(active, list) else []
    some = [text(job) for job in waiting if not job.startswith(b"0:")] if isinstance(waiting, list) else []
    locks = await line.ask_many([("EXISTS", f"{key}:{job}:lock") for job in ids])
    there = await line.ask_many([("EXISTS", f"{key}:{job}") for job in some])
    return Backlog(
        name=name,
        waiting=_number(wait) + _number(held) + _number(prioritized),
        active=_number(running),
        locked=sum(map(_number, locks)),
        finished=_number(completed) + _number(failed),
        paused=paused == b"1",
        lost=len(some) - sum(map(_number, there)),
    )


async def _groups(line: Line, streams: list[str]) -> list[Group]:
    replies = await line.ask_many([("XINFO", "GROUPS", stream) for stream in streams])
    told = [
        (stream, pairs(group))
        for stream, groups in zip(streams, replies, strict=True)
        if isinstance(groups, list)
        for group in groups[:GROUPS]
    ]
    oldest = await line.ask_many([("XPENDING", stream, group["name"], "-", "+", 1) for stream, group in told])
    return [_group(stream, group, first) for (stream, group), first in zip(told, oldest, strict=True)]


def _group(stream: str, group: dict[str, Any], first: Any) -> Group:
    _, consumer, idle, deliveries = first[0] if isinstance(first, list) and first else (b"", b"", 0, 0)
    read, pending = group.get("entries-read"), _number(group["pending"])
    return Group(
        stream=stream,
        name=text(group["name"]),
        consumers=_number(group["consumers"]),
        unread=_number(group.get("lag")),
        pending=pending,
        acked=max(0, read - pending) if isinstance(read, int) else None,
        consumer=text(consumer),
        idle=_number(idle) / 1000,
        deliveries=_number(deliveries),
    )


def _number(reply: Any) -> int:
    return reply if isinstance(reply, int) and not isinstance(reply, hiredis.ReplyError) else 0
