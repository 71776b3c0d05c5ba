"""What a change of an instance would mean, before it is made: pure functions of figures that come in.

`scale`, `upgrade` and `restart` decide by this, refuse by it, and show it with `--dry-run`.
"""

from typing import NamedTuple

from redyard.engine.directives import Limits
from redyard.engine.find import Engine
from redyard.errors import DoesNotFit, NoMemory, PauseNeeded, RedyardError, WouldEvict
from redyard.reading import Reading
from redyard.units import format_size
from redyard.yard.plans import PROCESS_MEMORY, machine_memory
from redyard.yard.spec import Spec

IN_PLACE, MOVE, LOG, STOP = "in place", "move", "move by the log", "stop and start"

PAUSE = {IN_PLACE: 0.0, MOVE: 0.02}
"""Seconds without writes that are to be expected: a move took 4-20 ms on loopback."""

STOP_SECONDS = 0.3
"""Seconds that an empty engine needs to stop and start."""

LOADED_PER_SECOND = 85 * 1024 * 1024
"""Bytes of a log of writes that an engine reads in a second (83-85 MB/s measured)."""

DISK_SHARE = 2.0
"""Bytes of disk for each byte of data while two engines hold them: the copy, and the new engine's log."""

DUMP_FORMATS = {"redis": ((7, 0, 10), (7, 2, 11), (7, 4, 12), (8, 0, 12)), "valkey": ((7, 2, 11), (9, 0, 80))}
"""Since which version an engine writes which format of dumps. Valkey reads those up to 11 too, Redis only its own."""


class Machine(NamedTuple):
    """What the machine has free, in bytes."""

    memory: int
    disk: int


class Change(NamedTuple):
    """What would change and what it takes; sizes in bytes, the pause in seconds."""

    name: str
    way: str
    plan: tuple[str, str]
    memory: tuple[int, int]
    engine: tuple[str, str]
    used: int
    rss: int
    evicted_keys: int
    pause: float
    memory_needed: int
    memory_free: int
    disk_needed: int
    disk_free: int

    def to_json(self, refused: str | None = None) -> dict[str, object]:
        """Return what `--dry-run` prints, with the reason why it would be refused."""
        return {**self._asdict(), "pause_ms": round(self.pause * 1000), "refused": refused}

    @property
    def has_room(self) -> bool:
        """Say whether the machine can hold both engines for the time of a move."""
        return self.memory_needed <= self.memory_free and self.disk_needed <= self.disk_free


def scale(spec: Spec, wanted: tuple[str, Limits], reading: Reading, machine: Machine, *, moves: bool = False) -> Change:
    """Return what it takes to give an instance another plan; a move where memory is to be given back."""
    plan, limits = wanted
    gives_back = limits.memory < spec.memory and reading.rss > limits.memory + PROCESS_MEMORY
    way = MOVE if moves or gives_back else IN_PLACE
    engine = f"{reading.engine} {reading.version}"
    return _change(spec, way, reading, machine)._replace(
        plan=(spec.plan, plan),
        memory=(spec.memory, limits.memory),
        engine=(engine, engine),
        evicted_keys=_evicted(reading, limits.memory) if spec.role == "cache" else 0,
    )


def replace(spec: Spec, engine: Engine, reading: Reading, machine: Machine) -> Change:
    """Return what it takes to put another engine, or a fresh one, into the place of an instance's."""
    change = _change(spec, MOVE, reading, machine)._replace(
        engine=(f"{reading.engine} {reading.version}", f"{engine.name} {engine.version}")
    )
    follows = can_follow(engine, reading)
    if change.has_room and follows:
        return change
    way = LOG if change.has_room and spec.role == "store" else STOP
    return change._replace(way=way, pause=STOP_SECONDS + reading.used_memory / LOADED_PER_SECOND)


def can_follow(engine: Engine, reading: Reading) -> bool:
    """Say whether an engine can read what the running one sends to its replicas."""
    theirs, ours = dump_format(reading.engine, reading.version), dump_format(engine.name, engine.version)
    if engine.name == reading.engine:
        return theirs <= ours
    return engine.name == "valkey" and theirs <= 11


def dump_format(name: str, version: str) -> int:
    """Return the format of dumps that an engine writes."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    known = [number for *since, number in DUMP_FORMATS.get(name, ()) if tuple(since) <= numbers]
    return known[-1] if known else 0


def check(change: Change, role: str, *, evict: bool = False, pause: bool = True) -> None:
    """Refuse a change that would lose data, or that the machine has no room for."""
    used, limit = format_size(change.used), format_size(change.memory[1])
    name, plan = change.name, change.plan[1]
    if role == "store" and change.used > change.memory[1]:
        raise DoesNotFit(name=name, used=used, limit=limit, plan=plan)
    if change.evicted_keys and not evict:
        raise WouldEvict(name=name, used=used, limit=limit, plan=plan, keys=f"{change.evicted_keys:,}")
    if change.way == LOG and not pause:
        raise PauseNeeded(name=name, old=change.engine[0], new=change.engine[1], seconds=change.pause)
    if change.way in {MOVE, STOP} and not change.has_room and (role == "store" or change.way == MOVE):
        short = change.memory_needed > change.memory_free
        needed = change.memory_needed if short else change.disk_needed
        free = change.memory_free if short else change.disk_free
        what = "memory" if short else "disk"
        raise NoMemory(name=name, needed=format_size(needed), what=what, free=format_size(free))


def refusal(change: Change, role: str) -> str | None:
    """Return why a change would be refused, None where it would not be."""
    try:
        check(change, role, pause=False)
    except RedyardError as error:
        return str(error)
    return None


def _change(spec: Spec, way: str, reading: Reading, machine: Machine) -> Change:
    used, moves = reading.used_memory, way == MOVE
    engine = f"{reading.engine} {reading.version}"
    return Change(
        name=spec.name,
        way=way,
        plan=(spec.plan, spec.plan),
        memory=(spec.memory, spec.memory),
        engine=(engine, engine),
        used=used,
        rss=reading.rss,
        evicted_keys=0,
        pause=PAUSE[way],
        memory_needed=machine_memory(used) if moves else 0,
        memory_free=machine.memory,
        disk_needed=int(used * DISK_SHARE) if moves and spec.role == "store" else 0,
        disk_free=machine.disk,
    )


def _evicted(reading: Reading, limit: int) -> int:
    """Return about how many keys of a cache go when its memory shrinks: as many as its average key's share says."""
    excess = max(0, reading.used_memory - limit)
    return min(reading.total_keys, round(reading.total_keys * excess / max(1, reading.used_memory)))
