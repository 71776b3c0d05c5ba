"""A live change of engine behind the same address: bigger, smaller, newer, fresh. Nothing acknowledged is lost.

The new engine follows the old one as its replica. Then, for some milliseconds, the old one takes no writes: it becomes
a replica itself (whatever still reaches it is refused with READONLY, and did not run), and the new one, which must have
every byte by then, is promoted; one rename makes it the true one, the port changes hands, and the old one's connections
are closed. Until the port has changed hands every step can be taken back: nobody knew where the new one was. After a
yard that was killed on the way, the next one calls `recover`: the engine that the rename made true stays alone.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from redis.exceptions import BusyLoadingError, RedisError

from redyard import events
from redyard.edge.relay import relay
from redyard.engine import access
from redyard.engine.files import last_lines
from redyard.engine.find import Engine
from redyard.engine.lock import leader
from redyard.engine.process import Process
from redyard.engine.seat import Seat
from redyard.errors import EngineDied, MoveFailed, PortInUse, RedyardError
from redyard.yard import doors
from redyard.yard.addresses import is_free, reachable
from redyard.yard.admin import Admin
from redyard.yard.registry import Registry
from redyard.yard.side import Side, copy_log, rewrite_plainly, same_keys
from redyard.yard.spec import Spec
from redyard.yard.supervisor import Instance

PAUSE = 3.0
"""Seconds after which the old engine takes writes again by itself, whatever became of the yard."""

CATCH_UP_WITHIN = 1.0
"""Seconds of pause within which the new engine must have all writes; it lags by a millisecond or two."""

CLOSE_BY = 16 * 1024
"""Bytes that the new engine may lag when the pause begins: it takes 20 MB/s at the least."""

CLOSE_BY_WITHIN = 20.0
"""Seconds that it has to come so close under writing; then the pause must do."""

START_WITHIN = 30.0
"""Seconds within which the new engine must answer."""

REFUSED_AFTER = 15.0
"""Seconds without the beginning of a copy after which it is taken for refused."""

WAITING = "waiting for the old engine's copy; its log says why it gives none"
NOTHING = {WAITING, "copying: 0 MB"}
"""What is told of a copy that has not begun."""

STALLED_AFTER = 60.0
"""Seconds without progress after which copying is given up."""

LOOK = 0.05
"""Seconds between looks at the copy's progress."""

SLOWEST_READ = 20 * 1024 * 1024
"""Bytes of a log of plain commands that an engine reads in a second at the least; 85 MB were measured."""

GRACE = 0.1
"""Seconds for which the old engine still answers afterwards, reads too: its clients see their refusals and leave."""

NOWHERE = ("127.0.0.1", 1)
"""An address at which no engine listens: an engine that becomes a replica of it refuses writes, and gets no others."""

LAST_WORDS = 0.2
"""Seconds that the old engine has at most to refuse the writes that waited, before its connections are closed."""


class Moved(NamedTuple):
    """What a move took: seconds without writes, seconds in all, bytes that the new engine holds."""

    pause: float
    seconds: float
    memory: int


HandOver = Callable[[Instance, Spec, Engine, Side, Callable[[str], None]], Awaitable[tuple[Side, float]]]
"""Makes the new engine and puts it into the old one's place; returns it, and the seconds without writes."""


async def move(
    instance: Instance, spec: Spec, engine: Engine, tell: Callable[[str], None], hand_over: HandOver | None = None
) -> Moved:
    """Put a new engine, as the spec wants it, in the place of the instance's; raise MoveFailed and change nothing.

    Args:
        instance: what is moved; its engine answers.
        spec: what shall be; its generation is the next one.
        engine: the program to run.
        tell: hears how far it is.
        hand_over: the way; by default the new engine follows the old one.
    """
    began = time.monotonic()
    old = old_side(instance)
    try:
        new, pause = await (hand_over or by_following)(instance, spec, engine, old, tell)
    except BaseException as error:
        seat = instance.registry.seat(spec.name, spec.generation)
        await asyncio.shield(asyncio.to_thread(_end, seat, leader(seat.lock) if seat.lock.exists() else None))
        instance.tell("")
        if isinstance(error, RedisError | OSError):
            raise MoveFailed(name=spec.name, reason=f"{type(error).__name__}: {error}") from error
        raise
    finally:
        await old.admin.close()
    memory = int((await new.facts("memory"))["used_memory"])
    instance.take_over(spec, new.process, engine)
    await new.admin.close()
    await asyncio.to_thread(_end, old.seat, old.process, keep_log=new.seat)
    instance.tell("")
    events.emit(events.MOVED, name=spec.name, pid=new.process.pid, pause_ms=round(pause * 1000, 1))
    return Moved(pause, time.monotonic() - began, memory)


async def recover(registry: Registry, spec: Spec) -> None:
    """Tidy up after a move that was cut short: the seat that the spec names is true, the others go."""
    strays = registry.strays(spec)
    if not strays:
        return
    own = registry.seat(spec.name, spec.generation)
    process = leader(own.lock) if own.lock.exists() else None
    if process is not None:
        admin = Admin.local(own, registry.passwords(spec.name)["yard"])
        try:
            await _patiently(lambda: _be_primary(admin))
        finally:
            await admin.close()
            process.close()
    for seat in strays:
        found = leader(seat.lock) if seat.lock.exists() else None
        await asyncio.to_thread(_end, seat, found)
        events.emit(events.UNDONE, name=f"{spec.name} ({seat.directory.name})")


# ---- the ways


async def by_following(
    instance: Instance, spec: Spec, engine: Engine, old: Side, tell: Callable[[str], None]
) -> tuple[Side, float]:
    """Copy by replication while the old engine serves; pause for the last bytes only."""
    seat = instance.registry.seat(spec.name, spec.generation)
    new = await _start(seat, spec, engine, instance)
    try:

        async def finish() -> Side:
            await _equal(old, new)
            await _exchange_roles(old, new)
            return new

        async with _followable(instance, old) as source:
            await _copy(source, new, instance.passwords["replication"], log=spec.role == "store", tell=tell)
            await _close_by(old, new, tell)
            return await _swap(instance, spec, old, finish, pause=PAUSE)
    except BaseException:
        await new.admin.close()
        raise


async def by_reading_the_log(
    instance: Instance, spec: Spec, engine: Engine, old: Side, tell: Callable[[str], None]
) -> tuple[Side, float]:
    """Write the log in plain commands, which every engine reads; pause, and let the new engine read a copy of it."""
    tell("writing the log as plain commands")
    await rewrite_plainly(old)
    size = (await old.facts("persistence"))["aof_current_size"]

    async def finish() -> Side:
        tell("the new engine reads the log; writes are paused")
        before = (await old.facts("persistence"))["aof_current_size"]
        seat = instance.registry.seat(spec.name, spec.generation)
        await asyncio.to_thread(copy_log, old.seat, seat)
        new = await _start(seat, spec, engine, instance, loading=STALLED_AFTER + size / SLOWEST_READ)
        await same_keys(old, new)
        facts = await _refuse_writes(old, new, "persistence")
        if facts["aof_current_size"] != before:
            raise MoveFailed(name=spec.name, reason="the pause ended before the new engine had read all")
        return new

    return await _swap(instance, spec, old, finish, pause=STALLED_AFTER + 2 * size / SLOWEST_READ)


def by_other_data(fill: Callable[[Path], int], before_end: Callable[[], Awaitable[None]]) -> HandOver:
    """Return the way that puts an engine with other data into the place: what the old one holds is given up.

    Args:
        fill: writes an engine's files into a directory and returns their bytes; called in a thread.
        before_end: called while writes are paused, before the old engine refuses them: to keep the last of them.
    """

    async def hand_over(
        instance: Instance, spec: Spec, engine: Engine, old: Side, tell: Callable[[str], None]
    ) -> tuple[Side, float]:
        seat = instance.registry.seat(spec.name, spec.generation)
        tell("writing the files of the moment")
        size = await asyncio.to_thread(fill, seat.data)
        tell("the new engine reads them")
        new = await _start(seat, spec, engine, instance, loading=STALLED_AFTER + size / SLOWEST_READ)

        async def finish() -> Side:
            await before_end()
            await _refuse_writes(old, new, "server")
            return new

        return await _swap(instance, spec, old, finish, pause=STALLED_AFTER)

    return hand_over


# ---- the steps


def old_side(instance: Instance) -> Side:
    """Return an instance's running engine, with a line of one's own to it."""
    process = Process.find(instance.status.pid or 0, instance.status.mark)
    if process is None:
        raise MoveFailed(name=instance.name, reason="its engine does not run")
    return Side(
        instance.seat,
        process,
        Admin.local(instance.seat, instance.passwords["yard"]),
        _address(instance.spec, instance.spec.port),
        tuple(instance.spec.ports),
    )


@asynccontextmanager
async def _followable(instance: Instance, old: Side) -> AsyncIterator[Side]:
    """Give the new engine an address to follow: with TLS a port of loopback, for as long as it follows."""
    if not instance.spec.tls:
        yield old
        return
    async with relay(old.seat.socket) as address:
        yield old._replace(address=address)


async def _start(seat: Seat, spec: Spec, engine: Engine, instance: Instance, *, loading: float = START_WITHIN) -> Side:
    """Start the new engine on a port that only the old one will hear of, and wait until it has read its data."""
    port = 0 if spec.tls else _spare_port(spec)
    seat.prepare(
        role=spec.role,
        limits=spec.limits,
        port=port,
        users=instance.users(spec),
        bind=spec.bind,
        settings=spec.settings,
        secured=doors.directives(doors.papers(seat.directory.parent), spec, listens=False),
    )
    side = Side(seat, seat.spawn(engine), Admin.local(seat, instance.passwords["yard"]), _address(spec, port))
    deadline = time.monotonic() + loading
    while (reading := await side.admin.reading()) is None or reading.loading:
        if not side.process.alive() or time.monotonic() > deadline:
            raise EngineDied(name=f"{spec.name} (new)", log=last_lines(seat.log), path=str(seat.log))
        await asyncio.sleep(0.003)
    return side


async def _copy(old: Side, new: Side, password: str, *, log: bool, tell: Callable[[str], None]) -> None:
    """Let the new engine follow the old one until it has everything, on its disk too."""
    for side in (old, new):
        await side.run("CONFIG", "SET", "masteruser", access.REPLICATION.name, "masterauth", password)
    await old.run("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    await new.run("REPLICAOF", *old.address)
    seen, since = "", time.monotonic()
    while True:
        _check_alive(old, new)
        now = await progress_of(new, log=log)
        if now is None:
            return
        if now != seen:
            seen = now
            tell(now)
            since = since if now in NOTHING else time.monotonic()
        if time.monotonic() - since > (REFUSED_AFTER if now in NOTHING else STALLED_AFTER):
            raise MoveFailed(name=old.name, reason=f"the copy stands still: {now}")
        await asyncio.sleep(LOOK)


async def progress_of(new: Side, *, log: bool) -> str | None:
    """Return how far a copy is, None when it is whole. An engine that reads a large dump may not answer for a while."""
    try:
        facts = await new.facts("replication") | await new.facts("persistence")
    except (RedisError, OSError):
        return "the new engine is busy with what it reads"
    return None if _follows(facts) and (not log or _logged(facts)) else _progress(facts)


async def _swap(
    instance: Instance, spec: Spec, old: Side, finish: Callable[[], Awaitable[Side]], *, pause: float
) -> tuple[Side, float]:
    """Pause writes, let the new engine have the last, commit, exchange the port; return it and the seconds of pause."""
    staged = instance.registry.stage_spec(spec)
    began = time.monotonic()
    try:
        await old.run("CLIENT", "PAUSE", round(pause * 1000), "WRITE")
        new = await finish()
        staged.replace(staged.with_suffix(""))
        await _listen(new, spec)
    except BaseException:
        await asyncio.shield(_take_back(instance, old, staged))
        raise
    paused = time.monotonic() - began
    with suppress(RedisError, OSError):  # the old one is nobody's any more
        await old.run("CLIENT", "UNPAUSE")
        await _last_words(old)
        for kind in ("normal", "pubsub"):
            await old.run("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    await asyncio.to_thread(_sync, staged.parent)
    return new, paused


async def _close_by(old: Side, new: Side, tell: Callable[[str], None]) -> None:
    """Wait until the new engine has taken what was written while it read the copy: that is no matter of a pause."""
    deadline = time.monotonic() + CLOSE_BY_WITHIN
    while (lag := await _lag(old, new)) > CLOSE_BY and time.monotonic() < deadline:
        _check_alive(old, new)
        tell(f"the new engine catches up: {lag >> 10} KB")
        await asyncio.sleep(LOOK / 10)


async def _equal(old: Side, new: Side) -> None:
    deadline = time.monotonic() + CATCH_UP_WITHIN  # before the pause ends by itself
    while await _lag(old, new):
        if time.monotonic() > deadline:
            raise MoveFailed(name=old.name, reason="the new engine lags behind")


async def _lag(old: Side, new: Side) -> int:
    """Return the bytes that the new engine has not yet, 0 where it had more when it was asked, after the old one."""
    wanted = (await old.facts("replication"))["master_repl_offset"]
    return max(0, int(wanted) - int((await new.facts("replication")).get("slave_repl_offset", 0)))


async def _exchange_roles(old: Side, new: Side) -> None:
    """Make the old engine refuse writes for good and promote the new one, which must have the last of them.

    Should this process have slept for longer than the pause, the old engine has taken writes again: the offset that
    it had when it became read-only, told in the same transaction, decides.
    """
    facts = await _refuse_writes(old, new, "replication")
    had = await _in_one(new, ("INFO", "replication"), ("REPLICAOF", "NO", "ONE"))
    if had.get("slave_repl_offset") != facts["master_repl_offset"]:
        raise MoveFailed(name=old.name, reason="the pause ended before the new engine had all")


async def _refuse_writes(old: Side, new: Side, section: str) -> dict[str, Any]:
    """Make the old engine read-only for good; return what it said of itself in the same transaction.

    First it gives up its port: a client that is refused and connects again at once must not come back to it.
    """
    await old.run("CONFIG", "SET", *(word for name in old.ports for word in (name, "0")))
    return await _in_one(old, ("INFO", section), ("REPLICAOF", *new.address))


async def _in_one(side: Side, *commands: tuple[Any, ...]) -> dict[str, Any]:
    """Run commands in one transaction; return the first one's answer."""
    async with side.admin.redis.pipeline(transaction=True) as made:
        transaction: Any = made
        for words in commands:
            transaction.execute_command(*words)
        found: dict[str, Any] = (await transaction.execute())[0]
    return found


async def _last_words(old: Side) -> None:
    """Wait until the old engine has refused all writes that waited; who reads and blocks may keep it to the end.

    Then for a moment longer: a write that is still on its way there must be read and refused. Cut off unread, it would
    have to be taken for one that may have run.
    """
    deadline = time.monotonic() + LAST_WORDS
    while (await old.facts("clients"))["blocked_clients"] and time.monotonic() < deadline:  # noqa: ASYNC110 - it asks
        await asyncio.sleep(0.001)
    await asyncio.sleep(GRACE)


async def _listen(new: Side, spec: Spec) -> None:
    try:
        await new.run("CONFIG", "SET", *(word for setting in spec.ports.items() for word in setting))
    except RedisError as error:
        if spec.tls == "edge" or is_free(spec.port, spec.bind):
            raise
        raise PortInUse(port=spec.port, name=spec.name) from error


async def _take_back(instance: Instance, old: Side, staged: Path) -> None:
    """Make the old engine what it was. Nobody has written to the new one: nobody knew its port."""
    instance.registry.write_spec(instance.spec)
    staged.unlink(missing_ok=True)
    with suppress(RedisError, OSError, RedyardError):  # a dead one is started again by its supervision
        await _patiently(lambda: _be_primary(old.admin))
        await old.run("CLIENT", "UNPAUSE")
        await old.admin.settle(instance.spec)
    instance.doubt()


async def _be_primary(admin: Admin) -> None:
    client: Any = admin.redis
    if (await client.info("replication"))["role"] != "master":
        await client.execute_command("REPLICAOF", "NO", "ONE")
        await client.execute_command("CLIENT", "UNPAUSE")


async def _patiently(step: Callable[[], Awaitable[None]]) -> None:
    """Do a step as soon as the engine has read its data."""
    while True:
        try:
            return await step()
        except BusyLoadingError:
            await asyncio.sleep(LOOK)
        except (RedisError, OSError) as error:
            events.LOGGER.warning("an engine could not be asked after a move: %s", error)
            return None


def _end(seat: Seat, process: Process | None, keep_log: Seat | None = None) -> None:
    """End an engine whose data nobody needs, and remove its place; its log may be kept beside the next one's."""
    if process is not None:
        process.send(signal.SIGKILL)
        process.wait(START_WITHIN)
        process.close()
    if keep_log is not None:
        with suppress(OSError):
            seat.log.replace(keep_log.log.with_suffix(".log.1"))
    seat.socket.unlink(missing_ok=True)
    shutil.rmtree(seat.directory, ignore_errors=True)


# ---- what the engines say


def _check_alive(old: Side, new: Side) -> None:
    name = old.name
    if not old.process.alive():
        raise MoveFailed(name=name, reason="the old engine ended meanwhile")
    if not new.process.alive():
        raise MoveFailed(name=name, reason=f"the new engine ended: {last_lines(new.seat.log, 2)}")


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
    return f"writing the log: {facts.get('aof_current_rewrite_time_sec', 0)} s"


def _address(spec: Spec, port: int) -> tuple[str, int]:
    """Return where one engine finds the other; with TLS neither has a plain port, and none listens on this one."""
    return NOWHERE if spec.tls else (reachable(spec.bind), port)


def _spare_port(spec: Spec) -> int:
    """Return a free port near the instance's own, for the moment between the engines."""
    for candidate in chain(range(spec.port + 1000, spec.port + 1200), range(spec.port - 1200, spec.port - 1000)):
        if 1024 <= candidate <= 65535 and is_free(candidate, spec.bind):
            return candidate
    raise MoveFailed(name=spec.name, reason="no port is free for the new engine")


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
