"""BullMQ's wire: its scripts, the keys that each takes, and msgpack for their options.

The scripts come out of BullMQ's wheel when Redyard is built (hatch_build.py); the few in `lua` are our own.
"""

from collections.abc import Collection
from functools import cache
from typing import Any

import hiredis
import msgspec
from redis.exceptions import NoScriptError

from redyard import keys
from redyard.client import Redis, Script, Words, raw

KEYS = {
    "addDelayedJob": "marker meta id delayed completed events",
    "addJobScheduler": "repeat delayed wait paused meta prioritized marker id events pc active",
    "addLog": "{id} {id}:logs",
    "addParentJob": "meta id delayed waiting-children completed events",
    "addPrioritizedJob": "marker meta id prioritized delayed completed active events pc",
    "addStandardJob": "wait paused meta id completed delayed active events marker",
    "changeDelay": "delayed meta marker events",
    "changePriority": "wait paused meta prioritized active pc marker",
    "cleanJobsInSet": "{state} events repeat",
    "drain": "wait paused delayed prioritized repeat",
    "extendLocks": "stalled",
    "getCounts": ".",
    "getCountsPerPriority": "wait prioritized",
    "getDependencyCounts": "{id}:processed {id}:dependencies {id}:failed {id}:unsuccessful",
    "getJobScheduler": "repeat",
    "getJobs": ".",
    "getMetrics": "metrics:{state} metrics:{state}:data",
    "getRanges": ".",
    "getRateLimitTtl": "limiter meta",
    "getStateV2": "completed failed delayed active wait paused waiting-children prioritized",
    "isFinished": "completed failed {id}",
    "isMaxed": "meta active",
    "moveJobFromActiveToWait": "active wait stalled paused meta limiter prioritized marker events",
    "moveJobsToWait": ". events {state} wait paused meta active marker",
    # BullMQ's own mark, stalled-check, keeps others from looking for as long as Node's workers say: 30 s.
    "moveStalledJobsToWait": "stalled wait active redyard-check meta paused marker events repeat",
    "moveToActive": "wait active prioritized events stalled limiter delayed paused meta pc marker",
    "moveToDelayed": "marker active prioritized delayed {id} events meta stalled wait limiter pc",
    "moveToFinished": "wait active prioritized events stalled limiter delayed paused meta pc {state} {id} "
    "metrics:{state} marker",
    "moveToWaitingChildren": "active waiting-children {id} {id}:dependencies {id}:unsuccessful stalled events",
    "obliterate": "meta .",
    "pause": "{state} {other} meta prioritized events delayed marker",
    "promote": "delayed wait paused meta prioritized active pc events marker",
    "removeChildDependency": ".",
    "removeDeduplicationKey": "de:{id}",
    "removeJob": "{id} repeat",
    "removeJobScheduler": "repeat delayed events",
    "removeUnprocessedChildren": "{id} meta",
    "reprocessJob": "{id} events {state} wait meta active marker prioritized pc",
    "retryJob": "active wait paused {id} meta events delayed prioritized pc marker stalled",
    "updateData": "{id}",
    "updateJobScheduler": "repeat delayed wait paused meta prioritized marker id events pc {producer} active",
    "updateProgress": "{id} events meta",
    "append": "wait meta id active events marker",
    "exchange": "wait redyard-gone",
    "cancel": "{id} delayed wait marker redyard-cancelled active events",
    "find": "active redyard-gone",
    "regain": "active stalled {id}:lock",
}
"""The scripts and, in their order, the ends of the keys that each takes; '.' is the queue's prefix itself."""

OWN = {"append", "cancel", "exchange", "find", "regain"}
"""Scripts that BullMQ has not."""

pack = msgspec.msgpack.Encoder().encode
"""Write msgpack for a script. TRAP: Redis refuses bytes in it, so ids and tokens must be text."""

Word = str | bytes | int | float


@cache
def script(name: str) -> Script:
    """Return a script by its name."""
    return Script("redyard.queue", name, directory="lua" if name in OWN else "bullmq")


class Wire:
    """One queue's keys, and the way to its scripts."""

    def __init__(self, redis: Redis, queue: str) -> None:
        self.redis = redis
        self.base = keys.WAIT.make(queue=queue).removesuffix("wait")
        """The prefix of the queue's keys, `bull:NAME:`."""

    def key(self, end: str) -> str:
        """Return one of the queue's keys by its end."""
        return self.base + end

    def head(self, name: str, **parts: str) -> Words:
        """Return a call of a script up to its keys."""
        ends = [_fill(end, parts) for end in KEYS[name].split()]
        return (b"EVALSHA", script(name).digest, len(ends), *(self.base + end for end in ends))

    async def run(self, name: str, *args: Word, **parts: str) -> Any:
        """Run a script by its name and return its reply, in bytes; `parts` are its `{id}`, `{state}` and so on."""
        return await self.send(name, (*self.head(name, **parts), *args))

    async def send(self, name: str, words: Words, redis: Redis | None = None, packed: bytes = b"") -> Any:
        """Send a script's call and return its reply; send its text where the server does not know it."""
        redis = redis or self.redis
        try:
            return await redis.send_raw(words, packed)
        except NoScriptError:
            return await redis.send_raw((b"EVAL", script(name).text, *words[2:]))

    async def teach(self, names: Collection[str]) -> None:
        """Have the server know scripts: in a transaction it is too late to send their texts."""
        known = await raw(self.redis, "SCRIPT EXISTS", *(script(name).digest for name in names))
        for name, there in zip(names, known, strict=True):
            if not there:
                await raw(self.redis, "SCRIPT LOAD", script(name).text)


def form(words: Words, more: int) -> bytes:
    """Return a call's bytes, but those of `more` further words: their lengths and bytes are to be filled in by `%`."""
    known: bytes = hiredis.pack_command(words).partition(b"\r\n")[2]  # without how many they are
    return b"*%d\r\n" % (len(words) + more) + known.replace(b"%", b"%%") + b"$%d\r\n%b\r\n" * more


def _fill(end: str, parts: dict[str, str]) -> str:
    if end == ".":
        return ""
    for name, part in parts.items():
        end = end.replace(f"{{{name}}}", part)
    return end
