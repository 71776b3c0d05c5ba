"""How one engine becomes the other's equal, and takes its part: it copies, catches up, and the roles are exchanged.

The steps of a move that goes by replication. Each either does what it says or raises, and then the old engine can still
be made what it was; who puts them in order, and takes back, is `move.py`.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from redyard.engine import access
from redyard.engine.files import last_lines
from redyard.errors import DiskFull, MoveFailed, RedyardError
from redyard.yard.side import Side

CATCH_UP_WITHIN = 1.0
"""Seconds of pause within which the new engine must have all writes; it lags by a millisecond or two."""

CLOSE_BY = 16 * 1024
"""Bytes that the new engine may lag when the pause begins: it takes 20 MB/s at the least."""

CLOSE_BY_WITHIN = 20.0
"""Seconds that it has to come so close under writing; then the pause must do."""

REFUSED_AFTER = 15.0
"""Seconds without the beginning of a copy after which it is taken for refused."""

STALLED_AFTER = 60.0
"""Seconds without progress after which copying is given up."""

TRIES = 4
"""So often a copy may break off: the old engine cuts a replica that is too slow for what is written meanwhile."""

NOWHERE = ("127.0.0.1", 1)
"""An address at which no engine listens: an engine that becomes a replica of it refuses writes, and gets no others."""

LOOK = 0.05
"""Seconds between looks at the copy's progress."""

WAITING = "waiting for the old engine's copy"
NOTHING = {"", WAITING, "copying: 0 MB"}
"""What is told of a copy that has not begun."""

LINES = 100
"""So many lines of an engine's log are looked through for a refusal: it tries again each second."""

PAGE = 4096
"""Bytes: a disk with less is full, whether or not the engine could still say so."""

NO_LOG = "the new engine cannot write its log"
FULL = ("No space left on device", "short write", "Disk quota exceeded", "File too large")
"""What an engine's log says of a disk, a quota or a limit that is used up."""

REFUSALS = (*FULL, "NOPERM", "WRONGPASS", "unknown command", "Can't handle RDB format", "Wrong signature")
"""What it says where it is no use to go on trying."""


async def copy(old: Side, new: Side, password: str, *, log: bool, tell: Callable[[str], None]) -> None:
    """Let the new engine follow the old one until it has everything, on its disk too."""
    for side in (old, new):
        await side.run("CONFIG", "SET", "masteruser", access.REPLICATION.name, "masterauth", password)
    await old.run("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    await new.run("REPLICAOF", *old.address)
    seen, since, broken = "", time.monotonic(), 0
    while (now := await progress_of(new, log=log)) is not None:
        check_alive(old, new)
        if now != seen:
            tell(now)
            broken += now in NOTHING and seen not in NOTHING
            seen, since = now, since if now in NOTHING else time.monotonic()
        late = time.monotonic() - since > (REFUSED_AFTER if now in NOTHING else STALLED_AFTER)
        if late or broken == TRIES or now == NO_LOG or refusal(new):
            raise failed(new, now)
        await asyncio.sleep(LOOK)


async def progress_of(new: Side, *, log: bool) -> str | None:
    """Return how far a copy is, None when it is whole. An engine that reads a large dump may not answer for a while."""
    try:
        facts = await new.facts("replication") | await new.facts("persistence")
    except (RedisError, OSError):
        return "the new engine is busy with what it reads"
    return None if _follows(facts) and (not log or _logged(facts)) else _progress(facts)


def refusal(side: Side) -> str:
    """Return the line of an engine's log that says why it is no use to go on trying, nothing while there is hope."""
    lines = last_lines(side.seat.log, LINES).splitlines()
    return next((line for line in reversed(lines) if any(word in line for word in REFUSALS)), "")


async def close_by(old: Side, new: Side, tell: Callable[[str], None]) -> None:
    """Wait until the new engine has taken what was written while it read the copy: that is no matter of a pause."""
    deadline = time.monotonic() + CLOSE_BY_WITHIN
    while (lag := await _written(old) - await _taken(new)) > CLOSE_BY and time.monotonic() < deadline:
        check_alive(old, new)
        tell(f"the new engine catches up: {lag >> 10} KB")
        await asyncio.sleep(LOOK / 10)


async def equal(old: Side, new: Side) -> None:
    """Wait until the new engine has all that the old one, which takes no writes now, has written."""
    await _reach(new, await _written(old))


async def exchange_roles(old: Side, new: Side) -> None:
    """Make the old engine refuse writes for good and promote the new one, which must have the last of them.

    The offset that the old one had when it became read-only, told in the same transaction, decides. It may be a little
    further than it was in the pause: an engine sends its replicas a PING now and then, or this process has slept for
    longer than the pause. What is on its way yet is waited for.
    """
    wanted = (await refuse_writes(old, "replication"))["master_repl_offset"]
    await _reach(new, wanted)
    had = await _in_one(new, ("INFO", "replication"), ("REPLICAOF", "NO", "ONE"))
    if had.get("slave_repl_offset") != wanted:
        raise MoveFailed(name=old.name, reason="the pause ended before the new engine had all")


async def refuse_writes(old: Side, section: str) -> dict[str, Any]:
    """Make the old engine read-only for good; return what it said of itself in the same transaction.

    First it gives up its port: a client that is refused and connects again at once must not come back to it. It becomes
    nobody's replica: one of the new engine would throw away what that has not, before anything could be taken back.
    """
    await old.run("CONFIG", "SET", *(word for name in old.ports for word in (name, "0")))
    return await _in_one(old, ("INFO", section), ("REPLICAOF", *NOWHERE))


def check_alive(old: Side, new: Side) -> None:
    """Raise MoveFailed when one of the engines has ended."""
    if not old.process.alive():
        raise MoveFailed(name=old.name, reason="the old engine ended meanwhile")
    if not new.process.alive():
        raise failed(new, "the new engine ended")


async def _reach(new: Side, wanted: int) -> None:
    deadline = time.monotonic() + CATCH_UP_WITHIN  # before the pause ends by itself
    while await _taken(new) < wanted:
        if time.monotonic() > deadline:
            raise MoveFailed(name=new.name, reason="the new engine lags behind")


async def _written(old: Side) -> int:
    """Return how far the old engine's stream of writes is, in bytes."""
    return int((await old.facts("replication"))["master_repl_offset"])


async def _taken(new: Side) -> int:
    """Return how far the new engine has come in the old one's stream."""
    return int((await new.facts("replication")).get("slave_repl_offset", 0))


async def _in_one(side: Side, *commands: tuple[Any, ...]) -> dict[str, Any]:
    """Run commands in one transaction; return the first one's answer."""
    async with side.admin.redis.pipeline(transaction=True) as made:
        transaction: Any = made
        for words in commands:
            transaction.execute_command(*words)
        found: dict[str, Any] = (await transaction.execute())[0]
    return found


def failed(new: Side, what: str) -> RedyardError:
    """Return the error of a copy that will not become whole, with the engine's own words: its log goes with it."""
    said = refusal(new) or last_lines(new.seat.log, 4)
    if any(word in said for word in FULL) or shutil.disk_usage(new.seat.directory).free < PAGE:
        return DiskFull(path=str(new.seat.directory))
    return MoveFailed(name=new.name, reason=f"{what}; the new engine says:\n{said}")


# ---- what the engine says


def _follows(facts: dict[str, Any]) -> bool:
    return facts.get("master_link_status") == "up" and not facts.get("master_sync_in_progress") and not facts["loading"]


def _logged(facts: dict[str, Any]) -> bool:
    """Say whether a store's log of writes has begun with what was copied: only then may it be the only one."""
    busy = facts["aof_rewrite_in_progress"] or facts["aof_rewrite_scheduled"]
    return bool(facts["aof_enabled"]) and not busy and facts["aof_last_bgrewrite_status"] == "ok"


def _progress(facts: dict[str, Any]) -> str:
    if facts["loading"]:
        return f"the new engine reads its data ({facts.get('loading_loaded_perc', 0)} %)"
    if facts.get("master_sync_in_progress"):
        done, total = facts.get("master_sync_read_bytes", 0), facts.get("master_sync_total_bytes", 0)
        return f"copying: {done >> 20} of {total >> 20} MB" if total > 0 else f"copying: {done >> 20} MB"
    if facts.get("master_link_status") != "up":
        return WAITING
    if facts["aof_last_bgrewrite_status"] != "ok":
        return NO_LOG
    return f"writing the log: {facts.get('aof_current_rewrite_time_sec', 0)} s"
