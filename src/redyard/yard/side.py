"""One of the two engines of a move, and the way of its data to an engine that cannot follow it: the plain log.

Redis reads no dump of Valkey 9. It does read a log of writes without a dump in front, written by either.
"""

import asyncio
import os
import shutil
from typing import Any, NamedTuple

from redyard.engine.process import Process
from redyard.engine.seat import Seat
from redyard.errors import MoveFailed
from redyard.yard.admin import Admin

LOOK = 0.05
"""Seconds between looks at a log that is being written."""

LOG = "appendonlydir"


class Side(NamedTuple):
    """One of the two engines: place, process, the yard's line to it, where it listens and by which settings."""

    seat: Seat
    process: Process
    admin: Admin
    address: tuple[str, int]
    ports: tuple[str, ...] = ("port",)

    async def run(self, *words: Any) -> Any:
        """Run a command as the yard's user."""
        client: Any = self.admin.redis
        return await client.execute_command(*words)

    async def facts(self, section: str) -> dict[str, Any]:
        """Return a section of INFO."""
        found: dict[str, Any] = await self.admin.redis.info(section)
        return found

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.seat.directory.parent.name


async def rewrite_plainly(side: Side) -> None:
    """Have an engine write its log of writes anew, without a dump in front."""
    await side.run("CONFIG", "SET", "aof-use-rdb-preamble", "no")
    try:
        await _rewritten(side)
        await side.run("BGREWRITEAOF")
        await _rewritten(side)
    finally:
        await side.run("CONFIG", "SET", "aof-use-rdb-preamble", "yes")
    if (await side.facts("persistence"))["aof_last_bgrewrite_status"] != "ok":
        raise MoveFailed(name=side.name, reason="its log could not be written anew")


def copy_log(old: Seat, new: Seat) -> None:
    """Put a copy of an engine's log of writes where another will read it; nobody writes to it meanwhile."""
    target = new.data / LOG
    target.mkdir(mode=0o700, parents=True)
    for path in (old.data / LOG).iterdir():
        shutil.copy2(path, target / path.name)
    os.sync()


async def same_keys(old: Side, new: Side) -> None:
    """Make sure that a copy has as many keys in every database as its source; those that may expire are not counted."""
    wanted, found = _lasting(await old.facts("keyspace")), _lasting(await new.facts("keyspace"))
    if wanted != found:
        raise MoveFailed(name=old.name, reason=f"the copy has the keys {found} where there were {wanted}")


def _lasting(facts: dict[str, Any]) -> dict[str, int]:
    counts = {name: int(row["keys"]) - int(row["expires"]) for name, row in facts.items()}
    return {name: count for name, count in counts.items() if count}


async def _rewritten(side: Side) -> None:
    while True:
        facts = await side.facts("persistence")
        if not facts["aof_rewrite_in_progress"] and not facts["aof_rewrite_scheduled"]:
            return
        await asyncio.sleep(LOOK)
