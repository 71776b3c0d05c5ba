"""Merging small parts of the stream: whatever is there, no byte and no moment is lost, at whatever instant it ends."""

import random
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings, strategies as st

from redyard.backups.compaction import LARGEST, SETTLED, SPAN, drop, merge, plan
from redyard.backups.keep import Keeper
from redyard.backups.place import open_storage
from redyard.backups.psync import Position, Source
from redyard.backups.restore import facts_of, stream
from redyard.backups.spool import Spool
from redyard.backups.storage import Directory, Storage
from redyard.backups.timeline import Base, Recipe, Segment, Timeline
from redyard.errors import BackupDamaged
from redyard.events import Event
from redyard.settings import Settings

HISTORY = "a" * 16


class Killed(BaseException):
    """The process ended here."""


class Mortal(Directory):
    """A directory whose process ends before its nth change."""

    left = 10**9

    def _change(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def put(self, name: str, source: Path) -> None:
        """End, or keep it."""
        self._change()
        super().put(name, source)

    def write(self, name: str, data: bytes) -> None:
        """End, or keep it."""
        self._change()
        super().write(name, data)

    def delete(self, name: str) -> None:
        """End, or remove it."""
        self._change()
        super().delete(name)


@st.composite
def streams(draw: st.DrawFn) -> list[Segment]:
    """Draw segments as followers leave them: mostly one after another, with holes, overlaps and clocks set back."""
    found, offset, at = [], draw(st.integers(0, 1000)), 1000 * SPAN
    for _ in range(draw(st.integers(0, 30))):
        offset += draw(st.sampled_from([0, 0, 0, 0, 0, 7]))
        size = draw(st.integers(1, LARGEST // 3))
        found.append(Segment(at, offset, offset + size, draw(st.sampled_from([HISTORY] * 9 + ["b" * 16]))))
        offset += size - draw(st.sampled_from([0, 0, 0, 0, size // 2]))
        at += draw(st.sampled_from([10.0, 10.0, 600.0, 2 * SPAN, -300.0]))
    return found


def timeline(segments: list[Segment]) -> Timeline:
    names = [item.name for item in segments]
    return Timeline([*names, *(f"{name}.json" for name in names)])


def bytes_of(segments: list[Segment]) -> set[tuple[str, int, int]]:
    """Return the spans of bytes that segments have, those that touch as one."""
    found: list[list[object]] = []
    for item in sorted(segments, key=lambda item: (item.history, item.start)):
        if found and found[-1][0] == item.history and item.start <= found[-1][2]:
            found[-1][2] = max(found[-1][2], item.end)
        else:
            found.append([item.history, item.start, item.end])
    return {tuple(span) for span in found}


@settings(max_examples=50, deadline=None)
@given(streams())
def test_a_plan_keeps_every_byte_and_ends(segments):
    """What is merged covers what was there, nothing is dropped that no other has, and a second plan merges nothing."""
    now = 10_000 * SPAN
    first = plan(timeline(segments), now)
    merged = [group[0]._replace(end=group[-1].end) for group in first.merge]
    kept = {*segments, *merged} - {segment for segment, _ in first.drop}

    assert bytes_of(segments) == bytes_of(list(kept)) == bytes_of(list({*segments, *merged}))
    assert all(cover.start <= segment.start and segment.end <= cover.end for segment, cover in first.drop)
    assert all(item.end - item.start <= LARGEST for item in merged)
    second = plan(timeline(list({*segments, *merged})), now)
    assert [] == second.merge
    assert set().union(*first.merge) <= {segment for segment, _ in second.drop} | set(merged)


def test_only_what_is_over_is_merged():
    """Parts of the hour that goes on, and of the minutes after it, stay as they are; so do those of two hours."""
    at = 1000 * SPAN
    pair = [Segment(at + 10, 0, 5, HISTORY), Segment(at + 20, 5, 9, HISTORY)]
    later = Segment(at + SPAN, 9, 12, HISTORY)

    assert [] == plan(timeline([*pair, later]), at + SPAN + SETTLED - 1).merge
    assert [tuple(pair)] == plan(timeline([*pair, later]), at + SPAN + SETTLED).merge


@pytest.fixture
def kept(tmp_path: Path) -> Mortal:
    """A storage with a base and eight parts of a stream of one hour."""
    times = iter(range(10**6))
    storage = Mortal(tmp_path / "storage")
    spool = Spool(tmp_path / "spool", now=lambda: 1000 * SPAN + next(times) / 10)
    spool.begin(Position(HISTORY, 0), engine="valkey", version="9")
    for _ in range(8):
        spool.write(random.randbytes(5000))
        spool.seal()
    for part in spool.waiting():
        part.ship(storage)
    spool.close()
    base = Base(1000 * SPAN, 0, HISTORY)
    (tmp_path / "base").write_bytes(b"")
    storage.put(base.name, tmp_path / "base")
    storage.write(f"{base.name}.json", b"{}")
    return storage


def all_bytes(storage: Storage) -> tuple[bytes, list[tuple[int, float]]]:
    """Return what a restore of everything would write, and all marks."""
    found = Timeline(storage.names())
    chain = found.after(found.bases[0])
    recipe = Recipe(found.bases[0], chain, chain[-1].end, 0.0)
    parts = []
    for segment, skip, take in recipe.spans():
        parts.append(b"".join(map(bytes, stream(storage, segment.name)))[skip : skip + take])
    marks = {mark for segment in chain for mark in facts_of(storage, segment.name).marks}
    return b"".join(parts), sorted(marks)


def compact(storage: Storage, directory: Path) -> None:
    """Do what there is to do."""
    todo = plan(Timeline(storage.names()), 10_000 * SPAN)
    for segment, cover in todo.drop:
        drop(storage, segment, cover)
    for parts in todo.merge:
        merge(storage, parts, directory)


@pytest.mark.parametrize("changes", range(20))
def test_killed_at_any_instant_it_loses_nothing(kept: Mortal, tmp_path: Path, changes: int) -> None:
    """Before each of its 18 changes it may end: all is there at once, and the next runs bring it to its end."""
    whole, kept.left = all_bytes(kept), changes
    try:
        for _ in range(2):
            compact(kept, tmp_path)
    except Killed:
        assert changes < 18
        assert whole == all_bytes(kept)
    kept.left = 10**9
    for _ in range(3):
        compact(kept, tmp_path)

    assert whole == all_bytes(kept)
    assert 1 == len(Timeline(kept.names()).segments)


def test_a_damaged_part_is_not_merged_and_a_damaged_cover_drops_nothing(kept: Mortal, tmp_path: Path) -> None:
    """What cannot be read is named, and all that was there stays."""
    first, *_ = Timeline(kept.names()).segments
    path = kept.root / first.name
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    before = kept.names()
    with pytest.raises(BackupDamaged):
        compact(kept, tmp_path)
    assert before == kept.names()
    path.write_bytes(good)
    compact(kept, tmp_path)
    [cover] = [item for item in Timeline(kept.names()).segments if item.end - item.start == 40_000]
    made = kept.root / cover.name
    made.write_bytes(made.read_bytes()[:-1] + b"?")
    before = kept.names()

    with pytest.raises(BackupDamaged, match=r"000040000"):
        compact(kept, tmp_path)
    assert before == kept.names()


def test_a_restore_reads_no_byte_twice(kept: Mortal, tmp_path: Path) -> None:
    """With the merged part and those that it was made of side by side, the files are those of either."""
    whole, _ = all_bytes(kept)
    [base] = Timeline(kept.names()).bases
    compact(kept, tmp_path)
    recipe = Recipe(base, tuple(sorted(Timeline(kept.names()).segments, key=lambda item: item.start)), 33_333, 0.0)

    assert 9 == len(recipe.segments)
    assert 33_333 == sum(take for _, _, take in recipe.spans())
    assert whole[:33_333] == b"".join(
        b"".join(map(bytes, stream(kept, segment.name)))[skip : skip + take] for segment, skip, take in recipe.spans()
    )


async def test_a_keeper_merges_what_it_can_read(kept: Mortal, tmp_path: Path, heard: list[Event]) -> None:
    """It tells of it; who has only the public key of encrypted backups leaves them as they are, without an error."""
    whole = all_bytes(kept)
    keeper = Keeper(Source("127.0.0.1", 1), kept, tmp_path / "keeper", name="test")
    await keeper.compact(Timeline(kept.names()))
    assert [(8, 1)] == [(event.fields["parts"], event.fields["made"]) for event in heard]
    keeper.follower.spool.close()
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    sealed = open_storage(str(tmp_path / "sealed"), Settings(backups_recipient=recipient))
    for item in Timeline(kept.names()).segments:
        sealed.put(item.name, kept.root / item.name)
        sealed.write(f"{item.name}.json", kept.read(f"{item.name}.json"))
    blind = Keeper(Source("127.0.0.1", 1), sealed, tmp_path / "blind", name="test")
    before = sealed.names()
    await blind.compact(Timeline(before))
    blind.follower.spool.close()

    assert before == sealed.names()
    assert whole == all_bytes(kept)
