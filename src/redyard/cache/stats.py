"""What a cache counts; each count's events tell which key it was, to those who listen."""

from dataclasses import dataclass

from redyard import events


@dataclass
class Stats:
    """Counts since the start: of calls (hits, misses, stale) and of what they led to."""

    hits: int = 0
    local_hits: int = 0
    misses: int = 0
    stale: int = 0
    loads: int = 0
    errors: int = 0
    unreadable: int = 0

    def hit(self, key: str) -> None:
        """Count a call that found a fresh value."""
        self.hits += 1
        if events.listening():
            events.emit(events.CACHE_HIT, key=key)

    def missed(self, key: str) -> None:
        """Count a call that found no value."""
        self.misses += 1
        events.emit(events.CACHE_MISS, key=key)

    def gave_old(self, key: str) -> None:
        """Count a call that was answered with an old value."""
        self.stale += 1
        events.emit(events.CACHE_STALE, key=key)

    def loaded(self, key: str, seconds: float, *, kept: bool) -> None:
        """Tell of a load that succeeded; it was counted when it began."""
        events.emit(events.CACHE_LOAD, key=key, seconds=round(seconds, 6), kept=kept)

    def failed(self, key: str, error: BaseException) -> None:
        """Count a load that failed."""
        self.errors += 1
        events.emit(events.CACHE_ERROR, key=key, error=type(error).__name__)

    def not_read(self, key: str, error: BaseException | str) -> None:
        """Count a record that cannot be read; nothing of its content is told."""
        self.unreadable += 1
        reason = error if isinstance(error, str) else type(error).__name__
        events.emit(events.CACHE_UNREADABLE, key=key, reason=reason)
