"""Where a cache reads: first in this process, if it has a local level, then on the server."""

from collections.abc import Sequence

from redis.exceptions import ResponseError

from redyard.cache.local import Local
from redyard.cache.record import Record, parse
from redyard.cache.stats import Stats
from redyard.client import Breaker, Redis
from redyard.client.reads import reads_of
from redyard.client.tracking import Tracker, speaks_resp3
from redyard.errors import InvalidURL, InvalidValue, RedisAway


class Levels:
    """The levels of one cache. `local` is None where there is one level only, or the server tracks nothing."""

    def __init__(self, redis: Redis, breaker: Breaker, stats: Stats, *, entries: int, size: int) -> None:
        if entries < 0 or size <= 0:
            raise InvalidValue(value=min(entries, size), kind="size of a local level", example="local=10_000")
        if entries and not speaks_resp3(redis):
            raise InvalidURL(url="?protocol=2", reason="a local level needs RESP3, the default: remove this option")
        self.local = Local(entries, size) if entries else None
        self.tracker = Tracker(redis, breaker, keep=self._keep, changed=self._changed)
        self._own = reads_of(redis, breaker)
        self.reads = self.tracker.reads if entries else self._own
        self._stats = stats

    def at_hand(self, key: str) -> bytes | None:
        """Return what this process has at a key."""
        if self.local is None or not self.tracker.here:
            return None
        text = self.local.get(key)
        if text is not None:
            self._stats.local_hits += 1
        return text

    async def text(self, key: str) -> bytes | None:
        """Return what is at a key as it is written, or None."""
        text = self.at_hand(key) if self.local is not None else None
        if text is not None:
            return text
        try:
            return await self.reads.get(key)
        except (RedisAway, ResponseError) as error:
            return await self.after(key, error)

    async def after(self, key: str, error: Exception) -> bytes | None:
        """Return what is at a key whose read failed: nothing, unless the server only refuses to track."""
        if self.fall_back():
            return await self.text(key)
        if isinstance(error, ResponseError):
            self._stats.not_read(key, error)
        return None

    def parse(self, key: str, text: bytes) -> Record | None:
        """Return the record that is written so; one that cannot be read is counted."""
        record = parse(text)
        if record is None:
            self._stats.not_read(key, "it is no record of ours")
        return record

    async def get_many(self, wanted: Sequence[str]) -> dict[str, bytes]:
        """Return what is at keys, without those that have nothing, or raise RedisAway."""
        found = {key: self.at_hand(key) for key in wanted}
        missing = [key for key, text in found.items() if text is None]
        if missing:
            texts = await self.reads.get_many(missing)
            if self.fall_back():
                texts = await self.reads.get_many(missing)
            found.update(zip(missing, texts, strict=True))
        return {key: text for key, text in found.items() if text is not None}

    def forget(self, key: str) -> None:
        """Keep and join nothing that was read of a key so far."""
        self._own.forget(key)
        self.tracker.reads.forget(key)
        if self.local is not None:
            self.local.drop(key)

    def fall_back(self) -> bool:
        """Do without a local level on a server that tracks nothing; say whether that is news."""
        if self.local is None or not self.tracker.refused:
            return False
        self.local, self.reads = None, self._own
        return True

    def _keep(self, key: str, text: bytes) -> None:
        if self.local is not None:
            self.local.put(key, text)
            self.tracker.keeps = True
            self.tracker.watch()

    def _changed(self, key: str | None) -> None:
        if self.local is not None:
            self.local.drop(key)
