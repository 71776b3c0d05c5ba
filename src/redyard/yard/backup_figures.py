"""What the backups tell as metrics: how far behind, how much waits, and when they were last proved."""

from collections.abc import Iterator

from redyard.backups.keep import Facts
from redyard.metrics import Metric, Sample, kit


def figures(facts: Facts, now: float) -> Iterator[Sample]:
    """Yield the figures of an instance's backups at a time, Unix seconds; what is not known has none."""
    found: dict[Metric, float | None] = {
        kit.BACKUP_AGE: max(0.0, now - (facts.stored_until or facts.since)),
        kit.BACKUP_GOAL: facts.goal,
        kit.PROOF_AGE: max(0.0, now - max(facts.proved_at or 0.0, facts.since)),
        kit.BACKUP_SIZE: facts.size,
        kit.BACKUP_FOLLOWING: float(facts.following or facts.snapshots_every is not None),
        kit.BACKUP_LAST: facts.last_moment or None,
        kit.BACKUP_LAG: facts.lag_seconds,
        kit.BACKUP_BEHIND: facts.lag_bytes,
        kit.BACKUP_WAITING: facts.waiting,
        kit.BACKUP_GAPS: facts.gaps,
        kit.BACKUP_OFF: float(facts.off_machine),
    }
    yield from (Sample(metric, {}, value) for metric, value in found.items() if value is not None)
