"""The timeline: names of objects in, moments that can be restored out."""

import pytest
from hypothesis import given, strategies as st

from redyard.backups.timeline import LOGICAL, Base, Segment, Timeline, cut, parse
from redyard.errors import MomentUnknown

OLD, NEW = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"


def timeline(*items: Base | Segment) -> Timeline:
    """Return the timeline of objects that all have their facts."""
    return Timeline([name for item in items for name in (item.name, f"{item.name}.json")])


@given(st.integers(0, 4_000_000_000_000), st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_a_name_says_what_the_object_is(milliseconds, start, end):
    """Every name is read back as what it was made from."""
    at = milliseconds / 1000
    base, segment, read = Base(at, start, OLD), Segment(at, start, end, NEW), Base(at, 0, NEW, LOGICAL)

    assert (base.offset, base.history, base.kind) == parse(base.name)[1:]
    assert read[1:] == parse(read.name)[1:]
    assert (segment.start, segment.end, segment.history) == parse(segment.name)[1:]
    assert abs(at - parse(base.name).at) < 0.0011


@pytest.mark.parametrize(
    "name", ["", "base/x.rdb.zst", "stream/../base.rdb.zst", "note.txt", "base/1-1-aa.rdb.zst.json"]
)
def test_foreign_objects_are_passed_over(name):
    """What is no object of ours is no part of the timeline."""
    assert parse(name) is None


def test_an_object_without_its_facts_is_not_there():
    """A base whose facts were not written is unfinished."""
    base = Base(10.0, 100, OLD)

    assert [] == Timeline([base.name]).bases
    assert [base] == timeline(base).bases


def test_segments_follow_a_base_up_to_a_gap():
    """The chain of a base ends where bytes are missing, and never goes on in another history."""
    base = Base(10.0, 100, OLD)
    first, second, beyond = (
        Segment(10.0 + at, start, end, OLD) for at, start, end in ((0, 50, 200), (1, 200, 300), (3, 350, 400))
    )
    other = Segment(12.0, 300, 350, NEW)

    assert (first, second) == timeline(base, first, second, beyond, other).after(base)


def test_the_newest_base_before_a_moment_is_chosen():
    """A moment begins at the last base that is not later; all that follows it may be needed."""
    early, late = Base(10.0, 100, OLD), Base(20.0, 300, OLD)
    segments = [Segment(10.0, 100, 300, OLD), Segment(20.0, 300, 500, OLD), Segment(30.0, 500, 600, OLD)]
    found = timeline(early, late, *segments)

    assert (early, tuple(segments)) == found.choose(15.0)
    assert (late, tuple(segments[1:])) == found.choose(25.0)


def test_a_moment_before_the_first_base_is_refused():
    """What nobody kept cannot be restored; the error says from when on it can."""
    with pytest.raises(MomentUnknown, match=r"1970-01-01T00:00:10\.000Z"):
        timeline(Base(10.0, 100, OLD)).choose(9.0)
    with pytest.raises(MomentUnknown, match="nothing yet"):
        timeline().choose(9.0)


def test_a_recipe_ends_at_the_last_mark_before_the_moment():
    """The offset of the last mark that is not later is where the stream is cut."""
    base = Base(10.0, 100, OLD)
    segments = (Segment(10.0, 100, 200, OLD), Segment(11.0, 200, 400, OLD))
    marks = [(150, 10.4), (200, 10.9), (300, 11.2), (400, 11.9)]

    assert (300, 11.2) == cut(base, segments, marks, 11.5)[2:]
    assert (segments[:1], 200) == cut(base, segments, marks, 11.0)[1:3]
    assert ((), 100, 10.0) == cut(base, segments, marks, 10.1)[1:]
