"""How far long work is and how fast it goes, in words: 43%, 120mb/s."""

import time
from collections.abc import Callable

from redyard.units import format_size


class Pace:
    """Says so of work that began when this was made."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()

    def bytes(self, done: int, whole: int) -> str:
        """Say how many bytes of how many are done."""
        share = f"{100 * done // whole}%" if whole else "100%"
        return f"{share} of {format_size(whole)}, {format_size(int(self.rate(done)))}/s"

    def keys(self, done: int) -> str:
        """Say how many keys are done; how many there are is not known."""
        return f"{done:,} keys, {self.rate(done):,.0f}/s"

    def rate(self, done: float) -> float:
        """Return how much a second."""
        return done / max(0.001, self._clock() - self._began)


def figures(size: int, keys: int, seconds: float) -> dict[str, float]:
    """Return what a finished restore tells of its speed."""
    seconds = max(0.001, seconds)
    return {
        "size": size,
        "seconds": seconds,
        "bytes_per_second": round(size / seconds),
        "keys_per_second": round(keys / seconds),
    }
