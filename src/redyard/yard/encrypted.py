"""The yard with its calls about TLS, and the timer that makes certificates anew before they end.

No connection ends for it: an engine reads the files again for the connections to come, an edge sees that they changed.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

from redis.exceptions import RedisError

from redyard import events
from redyard.errors import NotEncrypted, RedyardError
from redyard.metrics import kit
from redyard.metrics.sources import Sample
from redyard.units import format_instant
from redyard.yard import doors
from redyard.yard.authority import load
from redyard.yard.certificates import DAY
from redyard.yard.keeping import KeepingYard
from redyard.yard.phases import Phase
from redyard.yard.supervisor import Instance
from redyard.yard.view import encryption
from redyard.yard.yard import Result

LOOK_EVERY = 3600.0
"""Seconds between two looks at what is due."""


class EncryptedYard(KeepingYard):
    """A yard that also keeps certificates; each public coroutine is a call of the API."""

    _renewing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take over what is here, and look after its certificates."""
        await super().open()
        self.watch.facts.append(self._days_left)
        self._renewing = asyncio.create_task(self._renew_for_ever())

    async def close(self) -> None:
        """Let go of the instances."""
        if self._renewing:
            self._renewing.cancel()
        await super().close()

    async def certificates(self, name: str | None = None) -> Result:
        """Return the certificates of instances, and the authorities that apps trust."""
        return {"instances": [self._tell(item) for item in self._encrypted(name)], "authorities": self._authorities()}

    async def renew(self, name: str, authority: bool = False) -> Result:
        """Make the certificates of instances anew, now; with `authority`, also the next authority."""
        async with self._turn:
            chosen = self._encrypted(name)
            if authority:
                doors.authority(self.registry).maintain(renew=True)
                await self._renew_due()  # all trust it from now on
            for item in chosen:
                await self._renew(item, now=True)
        return {"instances": [self._tell(item) for item in chosen], "authorities": self._authorities()}

    # ---- steps

    async def _renew_for_ever(self) -> None:
        while True:
            async with self._turn:
                await self._renew_due()
            await asyncio.sleep(LOOK_EVERY)

    async def _renew_due(self) -> None:
        for item in list(self.instances.values()):
            if isinstance(item, Instance) and item.spec.tls:
                try:
                    await self._renew(item)
                except (RedyardError, RedisError, OSError) as error:  # there are weeks to try again
                    events.LOGGER.warning("the certificates of %s could not be looked after: %s", item.name, error)

    async def _renew(self, item: Instance, *, now: bool = False) -> None:
        """Make what is due, or all. An engine is told to read the files, changed or not; an edge sees a change."""
        if await asyncio.to_thread(doors.equip, self.registry, item.spec, renew=now):
            events.emit(events.CERTIFIED, name=item.name, ends=format_instant(load(item.papers.server).ends))
        if item.spec.tls == "engine" and item.phase is Phase.RUNNING:
            settings = doors.certificates(item.papers, item.spec)
            await item.admin.redis.config_set(*(word for pair in settings.items() for word in pair))

    # ---- what there is

    def _encrypted(self, name: str | None) -> list[Instance]:
        """Return the instances with TLS that a name means, or all; or raise NotEncrypted."""
        chosen = [item for item in (self._ours(name, "secure") if name else self.instances.values()) if item.spec.tls]
        if name and not chosen:
            raise NotEncrypted(name=name)
        return [item for item in chosen if isinstance(item, Instance)]

    def _tell(self, item: Instance) -> Result:
        paper = load(item.papers.server)
        return {
            "name": item.name,
            "encryption": encryption(item.spec),
            "edge_pid": item.edge.pid,
            "names": list(paper.names),
            "issuer": paper.issuer,
            "serial": paper.serial,
            "begins": format_instant(paper.begins),
            "ends": format_instant(paper.ends),
            "days_left": round((paper.ends - time.time()) / DAY, 1),
            "certificate": str(item.papers.server),
            "client_certificate": str(item.papers.client) if item.spec.tls_clients else None,
        }

    def _authorities(self) -> list[Result]:
        authority = doors.authority(self.registry)
        known = authority.all()
        return [
            {
                "name": item.issuer,
                "ends": format_instant(item.ends),
                "signs": item.serial == authority.signer.serial,
                "file": str(authority.bundle),
            }
            for item in known
            if item.ends > authority.clock()
        ]

    def _days_left(self, name: str) -> Iterator[Sample]:
        """Yield a metric: the seconds until an instance's certificate ends."""
        item = self.instances.get(name)
        if isinstance(item, Instance) and item.spec.tls:
            with suppress(RedyardError):
                yield Sample(kit.CERTIFICATE, {}, load(item.papers.server).ends - time.time())
