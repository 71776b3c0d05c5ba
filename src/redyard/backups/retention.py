"""Which objects may go: a pure function of the timeline and the time. What a kept moment needs is never chosen.

All moments of the last days are kept; of the time before, one base a day and one a week, each without its stream.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from redyard.backups.timeline import Base, Segment, Timeline

DAY = 86400.0


class Policy(NamedTuple):
    """For how many days all moments are kept, for how many one base a day, for how many one a week."""

    moments: float = 7
    daily: float = 30
    weekly: float = 365


def superfluous(timeline: Timeline, policy: Policy, now: float) -> list[Base | Segment]:
    """Return the objects that no kept moment needs, the oldest first."""
    kept = _needed_for_moments(timeline, now - policy.moments * DAY)
    kept |= _one_each(timeline.bases, now - policy.daily * DAY, lambda base: base.at // DAY)
    kept |= _one_each(timeline.bases, now - policy.weekly * DAY, lambda base: base.at // (7 * DAY))
    if timeline.bases:
        kept.add(timeline.bases[-1])  # the newest base, however old, is all that there is
    everything: list[Base | Segment] = [*timeline.bases, *timeline.segments]
    return sorted((item for item in everything if item not in kept), key=lambda item: item.at)


def _needed_for_moments(timeline: Timeline, since: float) -> set[Base | Segment]:
    """Return what every moment since then needs: the bases since, the last one before, and all that follows them."""
    before = [base for base in timeline.bases if base.at <= since]
    needed: set[Base | Segment] = set()
    for base in [*before[-1:], *(base for base in timeline.bases if base.at > since)]:
        needed |= {base, *timeline.after(base)}
    return needed


def _one_each(bases: Iterable[Base], since: float, period: Callable[[Base], float]) -> set[Base | Segment]:
    """Return the first base of each period since then."""
    firsts: dict[float, Base] = {}
    for base in sorted(bases, key=lambda base: base.at):
        if base.at >= since:
            firsts.setdefault(period(base), base)
    return set(firsts.values())
