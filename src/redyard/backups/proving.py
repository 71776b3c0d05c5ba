"""Proves backups: each object is what was put there, and what they restore is what the server had.

A state at an offset is restored into a scratch engine and compared with a sample that the server itself gave at that
offset; and a base is compared, key by key, with what the base before it and the stream between make of it.
"""

import time
from collections.abc import Callable

import msgspec

from redyard.backups import canonical
from redyard.backups.canonical import State
from redyard.backups.proof import NAME, Proof, write_proof
from redyard.backups.restore import facts_of, find, latest, unpack, windows
from redyard.backups.sample import Sample, compare, disagreement
from redyard.backups.scratch import serving
from redyard.backups.storage import Storage
from redyard.backups.timeline import LOGICAL, Base, Recipe, Segment, Timeline, parse
from redyard.engine.find import Engine
from redyard.errors import BackupDamaged, BadBackupKey, EngineDied, NotProved, StorageBroken

HORIZON = 3600.0
"""Seconds: keys that end sooner are not compared, since an engine may drop them while another is being read."""

Tell = Callable[[str], None]


class Fault(msgspec.Struct, frozen=True):
    """An object that is not what it should be, or a span that is missing."""

    name: str
    reason: str


class _Nowhere:
    """Takes bytes and forgets them."""

    def write(self, part: memoryview, /) -> int:
        return len(part)


def faults(storage: Storage, tell: Tell) -> list[Fault]:
    """Read every object, and name those that are damaged, missing, foreign or unfinished, and the gaps."""
    names = set(storage.names())
    timeline = Timeline(names)
    found = []
    everything: list[Base | Segment] = [*timeline.bases, *timeline.segments]
    for item in everything:
        tell(item.name)
        try:
            _check(storage, item)
        except (BackupDamaged, BadBackupKey, StorageBroken) as error:
            found.append(Fault(item.name, str(error.details["reason"])))
    for name in sorted(names):
        facts = parse(name.removesuffix(".json"))
        if facts is None and name != NAME:
            found.append(Fault(name, "it is none of ours"))
        elif facts is not None and f"{name.removesuffix('.json')}.json" not in names:
            found.append(Fault(name, "it is unfinished: its facts were not written"))
        elif facts is not None and name.removesuffix(".json") not in names:
            found.append(Fault(name.removesuffix(".json"), "it is missing"))
    return found + _holes(timeline)


def _check(storage: Storage, item: Base | Segment) -> None:
    written = unpack(storage, item.name, _Nowhere())
    facts = facts_of(storage, item.name)
    if not facts.history.startswith(item.history):
        raise BackupDamaged(name=item.name, reason="it is of another history than its name says")
    if isinstance(item, Segment) and written != item.end - item.start:
        raise BackupDamaged(
            name=item.name, reason=f"it has {written} bytes where its name says {item.end - item.start}"
        )


def _holes(timeline: Timeline) -> list[Fault]:
    """Name where the stream of a history misses bytes, and no base was taken because of that."""
    found = []
    for history in {item.history for item in timeline.segments}:
        ours = sorted((item for item in timeline.segments if item.history == history), key=lambda item: item.start)
        bases = [base.offset for base in timeline.bases if base.history == history]
        reached = ours[0].end
        for after in ours[1:]:
            if after.start > reached and after.start not in bases:  # else a new base was taken: a gap
                found.append(Fault(after.name, f"the stream from {reached} to {after.start} is missing before it"))
            reached = max(reached, after.end)
    return found


def restore_and_read(
    engine: Engine, storage: Storage, recipe: Recipe, sample: Sample | None = None, *, horizon: float
) -> State:
    """Restore into a scratch engine, compare with a sample, and return the state; raise NotProved."""
    try:
        with serving(engine, storage, recipe) as made:
            digests = _digests(storage, recipe)
            difference = compare(sample, made.client) if sample else disagreement(digests, made.client)
            if difference:
                raise NotProved(name=storage.address, reason=difference)
            return canonical.state(made.client, horizon=horizon)
    except EngineDied as error:
        raise NotProved(name=storage.address, reason=f"the engine does not read them: {error}") from None


def prove(engine: Engine, storage: Storage, sample: Sample | None, *, at: float, tell: Tell) -> Proof:
    """Prove the newest state, the newest base and a moment, and write it down; raise what is wrong.

    Args:
        engine: for the scratch engines.
        storage: the backups.
        sample: what the server had at an offset; None where it cannot be asked.
        at: a moment that is to be restored too, Unix time.
        tell: hears what is being done.
    """
    timeline = Timeline(storage.names())
    recipe = timeline.reaching(sample.history, sample.offset) if sample else latest(storage)
    compared = ["a sample of the server's keys"] if sample or _digests(storage, recipe) else []
    tell("restoring the newest state")
    horizon = time.time() + HORIZON
    state = restore_and_read(engine, storage, recipe, sample, horizon=horizon)
    if pair := _twice(timeline):
        tell("restoring the newest base in two ways")
        first, second = (restore_and_read(engine, storage, one, horizon=horizon) for one in pair)
        if first != second:
            raise NotProved(name=storage.address, reason=f"{pair[0].base.name} and the stream before it differ")
        compared.append("the newest base with the stream up to it")
    tell("restoring a moment of the past")
    restore_and_read(engine, storage, find(storage, at), horizon=horizon)
    proof = Proof(time.time(), recipe.at, state.keys, state.text, compared)
    write_proof(storage, proof)
    return proof


def any_moment(storage: Storage, share: float) -> float:
    """Return a moment that can be restored: `share` (0 to 1) of the way through all windows."""
    spans = windows(storage)
    left = share * sum(span.last - span.first for span in spans)
    if not left:  # snapshots are moments, not spans of them
        return spans[min(int(share * len(spans)), len(spans) - 1)].first
    for span in spans:
        if left <= span.last - span.first:
            return span.first + left
        left -= span.last - span.first
    return spans[-1].last


def _digests(storage: Storage, recipe: Recipe) -> dict[str, str]:
    """Return what a snapshot's own sample says of some keys; nothing for another kind."""
    return facts_of(storage, recipe.base.name).digests if recipe.base.kind == LOGICAL else {}


def _twice(timeline: Timeline) -> tuple[Recipe, Recipe] | None:
    """Return two ways to one state: the newest base, and the one before it with the stream up to there."""
    for base in reversed(timeline.bases[1:]):
        for earlier in reversed(timeline.bases):
            chain = timeline.after(earlier)
            if (
                earlier.offset < base.offset
                and earlier.history == base.history
                and chain
                and chain[-1].end >= base.offset
            ):
                until = tuple(item for item in chain if item.start < base.offset)
                return Recipe(base, (), base.offset, base.at), Recipe(earlier, until, base.offset, base.at)
    return None
