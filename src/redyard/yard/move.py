"""A live change of engine behind the same address: bigger, smaller, newer, fresh. Nothing acknowledged is lost.

The new engine follows the old one as its replica. Then, for some milliseconds, the old one takes no writes: it becomes
a replica itself (whatever still reaches it is refused with READONLY, and did not run), and the new one, which must have
every byte by then, is promoted; one rename makes it the true one, the port changes hands, and the old one's connections
are closed. Until the port has changed hands every step can be taken back: nobody knew where the new one was. After a
yard that was killed on the way, the next one calls `recover`: the engine that the rename made true stays alone.
"""

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from redis.exceptions import BusyLoadingError, RedisError, ResponseError

from redyard import events
from redyard.edge.relay import relay
from redyard.engine.files import NO_ROOM
from redyard.engine.find import Engine
from redyard.engine.lock import leader
from redyard.engine.process import Process
from redyard.engine.seat import Seat
from redyard.errors import DiskFull, MoveFailed, PortInUse, RedyardError
from redyard.yard import doors
from redyard.yard.addresses import is_free, reachable
from redyard.yard.admin import Admin
from redyard.yard.following import (
    LOOK,
    NOWHERE,
    STALLED_AFTER,
    close_by,
    copy,
    equal,
    exchange_roles,
    failed,
    refuse_writes,
)
from redyard.yard.registry import Registry, Staged
from redyard.yard.side import Side, copy_log, rewrite_plainly, same_keys
from redyard.yard.spec import Spec
from redyard.yard.supervisor import Instance

PAUSE = 3.0
"""Seconds after which the old engine takes writes again by itself, whatever became of the yard."""

START_WITHIN = 30.0
"""Seconds within which the new engine must answer."""

SLOWEST_READ = 20 * 1024 * 1024
"""Bytes of a log of plain commands that an engine reads in a second at the least; 85 MB were measured."""

GRACE = 0.1
"""Seconds for which the old engine still answers afterwards, reads too: its clients see their refusals and leave."""

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
        if instance.registry.spec(spec.name).generation != spec.generation:  # else the yard ends: the next one goes on
            await asyncio.shield(asyncio.to_thread(_end, seat, leader(seat.lock) if seat.lock.exists() else None))
        await old.admin.close()
        old.process.close()
        instance.tell("")
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise DiskFull(path=str(seat.directory)) from error
        if isinstance(error, RedisError | OSError):
            raise MoveFailed(name=spec.name, reason=f"{type(error).__name__}: {error}") from error
        raise
    instance.take_over(spec, new.process, engine)  # before anything is waited for: the new one is the true one now
    memory = await asyncio.shield(_part(instance, old, new))
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
            await _patiently(lambda: _be_primary(admin), process)
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
    async with _started(seat, spec, engine, instance) as new, _followable(instance, old) as source:

        async def finish() -> Side:
            await equal(old, new)
            await exchange_roles(old, new)
            return new

        await copy(source, new, instance.passwords["replication"], log=spec.role == "store", tell=tell)
        await close_by(old, new, tell)
        return await _swap(instance, spec, old, finish, pause=PAUSE)


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
        async with _started(seat, spec, engine, instance, size) as new:
            await same_keys(old, new)
            facts = await refuse_writes(old, "persistence")
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
        async with _started(seat, spec, engine, instance, size) as new:

            async def finish() -> Side:
                await before_end()
                await refuse_writes(old, "server")
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


@asynccontextmanager
async def _started(seat: Seat, spec: Spec, engine: Engine, instance: Instance, size: int = 0) -> AsyncIterator[Side]:
    """Start the new engine on a port that only the old one will hear of, and wait until it has read its data.

    Where the move fails it is let go of; `move` ends it.
    """
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
    try:
        await _answers(side, START_WITHIN + size / SLOWEST_READ)
        yield side
    except BaseException:
        await side.admin.close()
        side.process.alive()  # collects it, if it has ended
        side.process.close()
        raise


async def _answers(side: Side, within: float) -> None:
    deadline = time.monotonic() + within
    while (reading := await side.admin.reading()) is None or reading.loading:
        if not side.process.alive() or time.monotonic() > deadline:
            raise failed(side, "the new engine does not start")
        await asyncio.sleep(0.003)


async def _swap(
    instance: Instance, spec: Spec, old: Side, finish: Callable[[], Awaitable[Side]], *, pause: float
) -> tuple[Side, float]:
    """Pause writes, let the new engine have the last, commit, exchange the port; return it and the seconds of pause."""
    staged = instance.registry.stage_spec(spec)
    began = time.monotonic()
    try:
        await old.run("CLIENT", "PAUSE", round(pause * 1000), "WRITE")
        new = await finish()
        staged.commit()
    except BaseException:
        await asyncio.shield(_take_back(instance, old, staged))
        raise
    try:
        await _listen(new, spec)
    except (ResponseError, PortInUse):
        await asyncio.shield(_take_back(instance, old, staged))
        raise
    return new, time.monotonic() - began


async def _part(instance: Instance, old: Side, new: Side) -> int:
    """Let the old engine, which is nobody's any more, refuse what waited, and end it; return the new one's bytes."""
    memory = 0
    with suppress(RedisError, OSError):
        await old.run("CLIENT", "UNPAUSE")
        await _last_words(old)
        for kind in ("normal", "pubsub"):
            await old.run("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    with suppress(RedisError, OSError):  # should it die now, its supervision starts it again
        memory = int((await new.facts("memory"))["used_memory"])
    for side in (old, new):
        await side.admin.close()
    await asyncio.to_thread(instance.registry.keep_spec, instance.name)
    await asyncio.to_thread(_end, old.seat, old.process, keep_log=new.seat)
    instance.tell("")
    return memory


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
    """Give the new engine the port. Only its refusal is one: without an answer it may have been written to already."""
    try:
        await new.run("CONFIG", "SET", *(word for setting in spec.ports.items() for word in setting))
    except ResponseError as error:
        if spec.tls == "edge" or is_free(spec.port, spec.bind):
            raise
        raise PortInUse(port=spec.port, name=spec.name) from error
    except (RedisError, OSError) as error:
        events.LOGGER.warning("%s did not say whether it listens; its supervision sees to it: %s", spec.name, error)


async def _take_back(instance: Instance, old: Side, staged: Staged) -> None:
    """Make the old engine what it was. Nobody has written to the new one: nobody knew its port."""
    staged.take_back()
    with suppress(RedisError, OSError, RedyardError):  # a dead one is started again by its supervision
        await _patiently(lambda: _be_primary(old.admin), old.process)
        await old.run("CLIENT", "UNPAUSE")
        await old.admin.settle(instance.spec)
    instance.doubt()


async def _be_primary(admin: Admin) -> None:
    client: Any = admin.redis
    if (await client.info("replication"))["role"] != "master":
        await client.execute_command("REPLICAOF", "NO", "ONE")
        await client.execute_command("CLIENT", "UNPAUSE")


async def _patiently(step: Callable[[], Awaitable[None]], process: Process) -> None:
    """Do a step as soon as the engine can: it may have data to read, or be held up. One that ended needs it no more."""
    deadline = time.monotonic() + START_WITHIN
    while process.alive():
        try:
            return await step()
        except (RedisError, OSError) as error:
            if not isinstance(error, BusyLoadingError) and time.monotonic() > deadline:
                return events.LOGGER.warning("an engine could not be asked after a move: %s", error)
        await asyncio.sleep(LOOK)
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


def _address(spec: Spec, port: int) -> tuple[str, int]:
    """Return where one engine finds the other; with TLS neither has a plain port, and none listens on this one."""
    return NOWHERE if spec.tls else (reachable(spec.bind), port)


def _spare_port(spec: Spec) -> int:
    """Return a free port near the instance's own, for the moment between the engines."""
    for candidate in chain(range(spec.port + 1000, spec.port + 1200), range(spec.port - 1200, spec.port - 1000)):
        if 1024 <= candidate <= 65535 and is_free(candidate, spec.bind):
            return candidate
    raise MoveFailed(name=spec.name, reason="no port is free for the new engine")
