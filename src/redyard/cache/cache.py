"""`Cache`: values with a lifetime, loaded once for all who wait for them, in whatever process they wait.

A value comes back as it was written, and each caller has its own copy. While Redis is away or slow, everything is a
miss: a cache must never be the reason for an error.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar, Unpack

from redis.exceptions import RedisError, ResponseError

from redyard import keys
from redyard.cache.answers import NOTHING, Answers
from redyard.cache.cached import Cached
from redyard.cache.coding import PLAIN, Coder, Writing, coder_of
from redyard.cache.flights import Flights
from redyard.cache.levels import Levels
from redyard.cache.loads import Job, Loads
from redyard.cache.names import fit
from redyard.cache.record import EMPTY, Record, write
from redyard.cache.stats import Stats
from redyard.cache.tags import Tags
from redyard.cache.terms import Options, check_lifetime, make_terms
from redyard.client import Breaker, Redis, raw
from redyard.errors import RedisAway
from redyard.units import SIZES

P = ParamSpec("P")
T = TypeVar("T")

DEADLINE = 0.3
"""Seconds that a call may wait for Redis before it does without."""

BATCH = 500
"""Keys that are deleted by one command when a prefix is invalidated."""


class Cache:
    """A cache on a Redis, whose values live `ttl` seconds if they are told nothing else."""

    def __init__(  # noqa: PLR0913 - an app gives its cache's options by name
        self,
        redis: Redis,
        *,
        ttl: float = keys.Lifetime.CACHE.value,
        prefix: str = "",
        local: int = 0,
        local_bytes: int = 64 * SIZES["mb"],
        format: str = "json",  # noqa: A002 - the word for it
        compress_above: int | None = None,
    ) -> None:
        """Make a cache.

        Args:
            redis: a client, best of a server that may forget: `Redis.from_env(role="cache")`.
            ttl: seconds for which a value is fresh that is given no time of its own.
            prefix: in front of all names, so that several caches share a server.
            local: values that are also kept in this process, until the server says that they changed; 0 for none.
            local_bytes: bytes that these may take.
            format: how values are written, "json" or "msgpack".
            compress_above: bytes beyond which a value is compressed by zstd (the extra `redyard[zstd]`); None: never.
        """
        self.ttl = check_lifetime(ttl)
        self.prefix = prefix
        self.stats = Stats()
        self._lead = keys.CACHE.pattern.removesuffix("{key}")
        self._redis = redis
        self._writing = Writing(format, compress_above)
        self._flights = Flights()
        self._breaker = breaker = Breaker("the cache", DEADLINE)
        self.levels = levels = Levels(redis, breaker, self.stats, entries=local, size=local_bytes)
        self._tags = Tags(redis, breaker, levels, prefix=prefix)
        loads = Loads(redis, breaker, levels=levels, tags=self._tags, writing=self._writing, stats=self.stats)
        self._answers = Answers(self._flights, loads, self.stats)
        self.obtain = self._answers.obtain

    # ---- by hand

    async def get(self, key: str, default: Any = None, *, of: Any = Any) -> Any:
        """Return a fresh value, or the default where there is none; None can be a value. `of` says its type."""
        record = await self.look(self.key(key))
        return self._value(self.key(key), record, coder_of(of), default)

    async def get_many(self, names: Sequence[str], *, of: Any = Any) -> dict[str, Any]:
        """Return the fresh values that are there, by name, asked for in one round trip."""
        full = {name: self.key(name) for name in names}
        records = await self._look_many(list(full.values()))
        coder, nothing = coder_of(of), object()
        found = {name: self._value(key, records.get(key), coder, nothing) for name, key in full.items()}
        return {name: value for name, value in found.items() if value is not nothing}

    async def set(self, key: str, value: object, *, ttl: float | None = None, tags: Iterable[str] = ()) -> bool:
        """Write a value; say whether Redis took it."""
        return await self.set_many({key: value}, ttl=ttl, tags=tags)

    async def set_many(
        self, values: Mapping[str, object], *, ttl: float | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Write values, in one round trip; say whether Redis took them all."""
        seconds = check_lifetime(self.ttl if ttl is None else ttl)
        texts = {
            self.key(name): PLAIN.write(value, self._writing.flags, f"the cache's value {name!r}")
            for name, value in values.items()
        }
        try:
            versions = await self._tags.versions(self.tag_keys(tags))
        except (RedisAway, RedisError):
            return False
        ends = time.time() + seconds
        commands = []
        for key, text in texts.items():
            packed, flags = self._writing.pack(text)
            record = write(packed, flags, fresh=ends, ends=ends, tags=versions)
            commands.append(("SET", key, record, "PX", math.ceil(seconds * 1000)))
        return await self._change(list(texts), commands)

    async def delete(self, *names: str) -> bool:
        """Forget values; say whether Redis confirmed it (else they live on until their time is over)."""
        full = [self.key(name) for name in names]
        return await self._change(full, [("DEL", key) for key in full])

    async def invalidate_tag(self, *tags: str) -> bool:
        """Forget all values that have one of these tags, however many; say whether Redis confirmed it."""
        full = self.tag_keys(tags)
        self._flights.divert_where(lambda _, others: not set(full).isdisjoint(others))
        return await self._change(list(full), [("DEL", key) for key in full])

    async def invalidate_prefix(self, prefix: str) -> bool:
        """Forget all values whose name begins so; say whether Redis confirmed it. It looks through all keys."""
        lead = self._lead + self.prefix + prefix
        pattern = "".join(f"\\{sign}" if sign in "\\*?[]^-" else sign for sign in lead) + "*"
        self._flights.divert_where(lambda key, _: key.startswith(lead))
        batch: list[str] = []
        try:
            async for found in self._redis.scan_iter(match=pattern, count=1000):
                batch.append(found.decode("utf-8", "replace") if isinstance(found, bytes) else found)
                if len(batch) >= BATCH:
                    await self._unlink(batch)
            await self._unlink(batch)
        except (RedisError, OSError):
            return False
        return True

    async def get_or_set(
        self,
        key: str,
        load: Callable[[], Awaitable[object]],
        *,
        of: Any = Any,
        tags: Iterable[str] = (),
        **options: Unpack[Options],
    ) -> Any:
        """Return a value; where there is none, load it once for all who wait, and keep it."""
        full = self.key(key)
        terms = make_terms(options, self.ttl)
        job = Job(full, load, coder_of(of), terms, self.tag_keys(tags))
        return await self.obtain(job, await self.look(full, job.tags))

    def cached(
        self, template: str, *, tags: Sequence[str] = (), **options: Unpack[Options]
    ) -> Callable[[Callable[P, Awaitable[T]]], Cached[P, T]]:
        """Cache a function's results under a key such as "product:{product_id}" made of its arguments."""
        terms = make_terms(options, self.ttl)
        return lambda function: Cached(self, function, template=template, tags=tags, terms=terms)

    # ---- for a cached function

    def key(self, name: str) -> str:
        """Return the key in Redis of a name."""
        return self._lead + fit(self.prefix + name)

    def tag_keys(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the keys in Redis of tags."""
        return tuple([self._tags.key(name) for name in names])

    async def look(self, key: str, tags: tuple[str, ...] = ()) -> Record | None:
        """Return what is at a key, asked for together with the versions of its tags."""
        if not tags:
            return await self.examine(key, await self.levels.text(key))
        try:
            known = await self.levels.get_many((key, *tags))
        except RedisAway:
            return None
        return await self.examine(key, known.get(key), known)

    async def examine(self, key: str, text: bytes | None, known: Mapping[str, bytes] | None = None) -> Record | None:
        """Return the record that is written so, fresh or not; an empty one where it no longer counts."""
        if text is None:
            return None
        record = self.levels.parse(key, text)
        if record is not None and record.tags and not await self._tags.hold(record, known):
            return record._replace(flags=EMPTY)
        return record

    # ---- reading

    def _value(self, key: str, record: Record | None, coder: Coder, default: Any) -> Any:
        is_fresh = record is not None and time.time() < record.fresh
        value = self._answers.decode(key, record, coder) if is_fresh else NOTHING
        if value is NOTHING:
            self.stats.missed(key)
            return default
        self.stats.hit(key)
        return value

    async def _look_many(self, wanted: Sequence[str]) -> dict[str, Record]:
        try:
            texts = await self.levels.get_many(wanted)
        except RedisAway:
            return {}
        records = {key: self.levels.parse(key, text) for key, text in texts.items()}
        return {key: record for key, record in records.items() if record and await self._tags_hold(record)}

    async def _tags_hold(self, record: Record) -> bool:
        return not record.tags or await self._tags.hold(record)

    # ---- changing

    async def _change(self, full: list[str], commands: list[tuple[Any, ...]]) -> bool:
        """Send commands that change keys. Neither a read nor a load that began before they ended is joined after."""
        for key in full:
            self._flights.divert(key)
            self.levels.forget(key)
        deletes = all(command[0] == "DEL" for command in commands)
        try:
            answers = await self._breaker.run(partial(self._send_all, commands), always=deletes)
        except RedisAway:
            return False
        finally:
            for key in full:
                self.levels.forget(key)
        return not any(isinstance(answer, Exception) for answer in answers)

    async def _send_all(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        if len(commands) == 1:
            return [await self._try(*commands[0])]
        async with self._redis.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute(raise_on_error=False)

    async def _try(self, *words: Any) -> Any:
        """Run a command; a refusal is its answer, since a server that refuses is not away."""
        try:
            return await raw(self._redis, *words)
        except ResponseError as error:
            return error

    async def _unlink(self, batch: list[str]) -> None:
        if batch:
            await self._redis.unlink(*batch)
        for key in batch:
            self.levels.forget(key)
        batch.clear()
