"""The doctor's rounds: every ten minutes it examines each instance that answers, and counts its findings as metrics."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress

from redyard import events
from redyard.checks import Facts, Severity
from redyard.doctor import examine
from redyard.metrics import Sample, kit
from redyard.yard.phases import Phase
from redyard.yard.watched import Watched

FIRST, EVERY = 60.0, 600.0
"""Seconds until the first round, and between two; a round takes some seconds and looks at 2,000 keys at most."""


ENDED = "end-of-life"
"""The check whose alarm is a figure of its own."""


class Rounds:
    """Goes on its rounds until `close`; closing twice, or before the start, is legal."""

    def __init__(self, instances: Mapping[str, Watched]) -> None:
        self._instances = instances
        self._found: dict[str, Counter[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End, in the midst of a round or between two."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def samples(self, name: str) -> Iterator[Sample]:
        """Yield what the last round found of an instance; nothing before its first."""
        if name in self._found:
            for severity in Severity:
                yield Sample(kit.FINDINGS, {"severity": severity.value}, self._found[name][severity.value])
            yield Sample(kit.END_OF_LIFE, {}, self._found[name][ENDED])

    async def look(self, instance: Watched) -> None:
        """Examine an instance; one that does not answer keeps what was found before: the rules tell of it."""
        if instance.phase is not Phase.RUNNING:
            return
        try:
            seen = await examine(instance.admin.redis, facts=Facts(role=instance.spec.role))
        except Exception:  # noqa: BLE001 - a fault of the doctor must not end its rounds
            events.LOGGER.exception("the doctor had a fault at %s", instance.name)
            return
        found = Counter(finding.severity.value for finding in seen.findings)
        found[ENDED] = sum(one.check == ENDED and one.severity is not Severity.INFO for one in seen.findings)
        self._found[instance.name] = found

    async def _run(self) -> None:
        rest = FIRST
        while True:
            await asyncio.sleep(rest)
            rest = EVERY
            for gone in set(self._found) - set(self._instances):
                del self._found[gone]
            for instance in list(self._instances.values()):
                await self.look(instance)
