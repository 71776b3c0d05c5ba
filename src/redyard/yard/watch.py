"""The yard watches its instances: a look each second, a row of the history and a judgement of the rules every ten.

A look is one INFO on the yard's own connection. A fault here is logged and ends nothing.
"""

import asyncio
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from redis.exceptions import RedisError, ResponseError

from redyard import events, keys
from redyard.alerts.rules import PICKS, TABLE
from redyard.alerts.window import Window
from redyard.client import raw
from redyard.history import FINE, History, Moments
from redyard.metrics import Sample, kit, samples
from redyard.metrics.look import look, look_at_slow
from redyard.yard.machine import total_memory
from redyard.yard.notices import Notices
from redyard.yard.phases import Phase
from redyard.yard.watched import Watched as Supervised

T = TypeVar("T")

EVERY = 1.0
"""Seconds between looks."""

ANSWERING = {Phase.RUNNING, Phase.LOADING}

Facts = Callable[[str], Iterable[Sample]]
"""Further samples of an instance, by its name: what the backups and the doctor know."""


class Look(NamedTuple):
    """What an instance said at a moment; None when it said nothing."""

    at: float
    info: dict[str, str] | None


class Watched:
    """What is known of one instance."""

    def __init__(self) -> None:
        self.looks: deque[Look] = deque(maxlen=FINE + 1)
        self.moments = Moments()
        self.windows: dict[str, Window] = {}
        self.slow: dict[str, str] = {}
        self.samples: list[Sample] = []


class Watch:
    """Looks at the instances until `close`."""

    def __init__(self, instances: dict[str, Supervised], history: Path, notices: Notices) -> None:
        self.watched: dict[str, Watched] = {}
        self.notices = notices
        self.facts: list[Facts] = []
        self._instances = instances
        self._thread = ThreadPoolExecutor(1, "history")
        self._path = history
        self._history: History | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End; closing twice, or before the start, is legal."""
        self._ending.set()
        if self._task:
            await self._task
        await self.notices.close()
        if self._history:
            await self._in_thread(self._history.close)
            self._history = None
        self._thread.shutdown()

    def samples(self, name: str) -> list[Sample]:
        """Return all that is known of an instance, as it was at the last look."""
        watched = self.watched.get(name)
        if watched is None or name not in self._instances:
            return []
        last = watched.looks[-1] if watched.looks else Look(0, None)
        return [*samples(last.info and last.info | watched.slow), *watched.samples, *self.notices.samples(name)]

    def offset(self, name: str) -> int | None:
        """Return how far an instance was in its stream of writes at the last look."""
        looks = self.watched[name].looks if name in self.watched else ()
        info = looks[-1].info if looks else None
        return int(info["master_repl_offset"]) if info and "master_repl_offset" in info else None

    async def line(self, name: str, series: str, since: float, until: float) -> list[tuple[int, float | None]]:
        """Return a series of the history."""
        if self._history is None:
            return []
        return (await self._in_thread(self._history.line, name, series, since, until)).points

    async def _run(self) -> None:
        try:
            self._history = await self._in_thread(History, self._path)
        except Exception:  # noqa: BLE001 - without a history the watch goes on
            events.LOGGER.exception("there is no history")
        count = 0
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                await self._tick(time.time(), judging=count % FINE == 0)
            except Exception:  # noqa: BLE001 - a fault of ours must not end the watch
                events.LOGGER.exception("the watch had a fault")
            count += 1
            try:
                async with asyncio.timeout(max(0.0, EVERY - (time.monotonic() - began))):
                    await self._ending.wait()
            except TimeoutError:
                continue

    async def _tick(self, at: float, *, judging: bool) -> None:
        """Look at all instances at once, and judge them: new ones at once, all at every tenth look."""
        wanted = {name: item for name, item in self._instances.items() if item.spec.wanted == "running"}
        for name in set(self.watched) - set(wanted):
            await self._forget(name)
        await asyncio.gather(*(self._look(item, at) for item in wanted.values()))
        chosen = [item for name, item in wanted.items() if judging or not self.watched[name].samples]
        for item in chosen:
            await self._judge(item, at)
        if chosen:
            self.notices.send(at)

    async def _look(self, instance: Supervised, at: float) -> None:
        watched = self.watched.setdefault(instance.name, Watched())
        info = None
        if instance.phase in ANSWERING:
            try:
                info = await look(instance.admin.redis)
            except (RedisError, OSError):
                info = None
        watched.looks.append(Look(at, info))
        if info:
            watched.moments.add(at, info | watched.slow)

    async def _judge(self, instance: Supervised, at: float) -> None:
        watched = self.watched[instance.name]
        info = watched.looks[-1].info
        watched.samples = list(self._yard_samples(instance))
        if info is not None:
            try:
                watched.slow = await look_at_slow(instance.admin.redis)
                watched.samples += await _probe(instance)
            except (RedisError, OSError):
                watched.slow = {}
        for source in self.facts:
            watched.samples += source(instance.name)
        self._judge_rules(instance, [*samples(info and info | watched.slow), *watched.samples], at)
        figures = watched.moments.take()
        if figures is not None and self._history:
            await self._in_thread(self._history.add, instance.name, at, figures)

    def _judge_rules(self, instance: Supervised, found: list[Sample], at: float) -> None:
        """Judge an instance, and each queue on it by itself."""
        watched = self.watched[instance.name]
        queues = sorted({name for sample in found if (name := sample.labels.get("queue"))})
        for subject, chosen in [(instance.name, found), *((f"{instance.name}/{q}", _of(found, q)) for q in queues)]:
            by_name: dict[str, list[Sample]] = {}
            for sample in chosen:
                by_name.setdefault(sample.metric.name, []).append(sample)
            window = watched.windows.setdefault(subject, Window())
            window.add(at, by_name, PICKS)
            rules = [
                rule
                for rule in TABLE
                if ("queue" in rule.condition.by) == ("/" in subject)
                and (not rule.roles or instance.spec.role in rule.roles)
            ]
            self.notices.judge(subject, window, rules, at)

    def _yard_samples(self, instance: Supervised) -> Iterator[Sample]:
        spec, disk = instance.spec, shutil.disk_usage(self._path.parent)
        yield Sample(kit.INSTANCE, {"role": spec.role, "plan": spec.plan}, 1)
        yield Sample(kit.RUNNING, {}, instance.phase is Phase.RUNNING)
        yield Sample(kit.FAILED, {}, instance.phase is Phase.FAILED)
        yield Sample(kit.CRASHES, {}, instance.status.crashes)
        yield Sample(kit.PLAN, {}, spec.memory)
        yield Sample(kit.MACHINE, {}, total_memory())
        yield Sample(kit.DISK_FREE, {}, disk.free)
        yield Sample(kit.DISK, {}, disk.total)

    async def _forget(self, name: str) -> None:
        self.watched.pop(name)
        self.notices.forget(name)
        if name not in self._instances and self._history:
            await self._in_thread(self._history.forget, name)

    async def _in_thread(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)


async def _probe(instance: Supervised) -> list[Sample]:
    """Say whether the engine takes a write, by one that writes nothing: an empty range into a key that is not there."""
    began = time.perf_counter()
    taken = True
    try:
        await raw(instance.admin.redis, "SETRANGE", keys.TEMPORARY.make(name="probe"), 0, "")
    except ResponseError:
        taken = False
    labels = {"probe": "write"}
    return [Sample(kit.PROBE, labels, taken), Sample(kit.PROBE_TIME, labels, time.perf_counter() - began)]


def _of(found: list[Sample], queue: str) -> list[Sample]:
    return [sample for sample in found if sample.labels.get("queue") == queue]
