"""Retention never removes what a kept moment needs."""

from itertools import pairwise

from hypothesis import given, settings, strategies as st

from redyard.backups.retention import DAY, Policy, superfluous
from redyard.backups.timeline import Base, Segment, Timeline

NOW = 400 * DAY
HISTORY = "aaaaaaaaaaaaaaaa"

ages = st.lists(st.floats(0, 399), min_size=1, max_size=30, unique=True)


def stored(base_ages: list[float], step: float) -> Timeline:
    """Return a storage with bases of these ages, in days, and a stream without a gap between them, in steps of days."""
    bases = [Base(NOW - age * DAY, round((400 - age) * 1000), HISTORY) for age in base_ages]
    first = min(base.at for base in bases)
    count = int((NOW - first) / DAY / step) + 1
    begins = [first + number * step * DAY for number in range(count)]
    offsets = [round(at / DAY * 1000) for at in [*begins, NOW]]
    segments = [Segment(at, *pair, HISTORY) for at, pair in zip(begins, pairwise(offsets), strict=True)]
    return Timeline([name for item in (*bases, *segments) for name in (item.name, f"{item.name}.json")])


@settings(deadline=None, max_examples=50)
@given(ages, st.floats(3, 20), st.floats(0, 60), st.floats(0, 400))
def test_every_moment_of_the_last_days_can_be_restored_afterwards(base_ages, step, days, weekly):
    """Whatever goes: each moment within the policy's days that could be restored before can be, by the same chain."""
    whole = stored(base_ages, step)
    gone = set(superfluous(whole, Policy(days, days, weekly), NOW))
    rest = Timeline(
        [
            name
            for item in (*whole.bases, *whole.segments)
            if item not in gone
            for name in (item.name, f"{item.name}.json")
        ]
    )
    for number in range(20):
        at = NOW - days * DAY * number / 20
        if any(base.at <= at for base in whole.bases):
            assert whole.choose(at) == rest.choose(at)


@settings(deadline=None, max_examples=50)
@given(ages, st.floats(3, 20))
def test_the_newest_base_always_stays(base_ages, step):
    """However old the backups are, they do not all go."""
    whole = stored(base_ages, step)

    assert whole.bases[-1] not in superfluous(whole, Policy(0, 0, 0), NOW)


def test_what_is_old_is_thinned_out():
    """Of the time before the kept moments, one base a day stays, then one a week, and no stream."""
    whole = stored([number / 2 for number in range(1, 200)], 0.5)
    gone = superfluous(whole, Policy(), NOW)
    kept = [base for base in whole.bases if base not in gone]
    by_age = [(NOW - base.at) / DAY for base in kept]

    assert 30 - 8 == len([age for age in by_age if 8 <= age < 30])
    assert 10 <= len([age for age in by_age if age >= 30]) <= 12
    assert all((NOW - item.at) / DAY < 9 for item in whole.segments if item not in gone)
