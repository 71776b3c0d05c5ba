"""The yard with its calls about TLS, and the timer that makes certificates anew before they end.

No connection ends for it: an engine reads the files again for the connections to come, an edge sees that they changed.
Nor for TLS that is switched on: who is connected goes on as it came, and is named until it has gone.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec
from redis.exceptions import RedisError, ResponseError

from redyard import events
from redyard.errors import DoorStuck, NotEncrypted, NotRunning, RedyardError
from redyard.metrics import kit
from redyard.metrics.sources import Sample
from redyard.units import format_instant
from redyard.yard import addresses, doors
from redyard.yard.authority import load
from redyard.yard.certificates import DAY
from redyard.yard.phases import Phase
from redyard.yard.rotation import Holder, silent
from redyard.yard.secured import SecuredYard, connected
from redyard.yard.spec import Spec
from redyard.yard.supervisor import Instance
from redyard.yard.view import encryption, view
from redyard.yard.yard import Result

LOOK_EVERY = 3600.0
"""Seconds between two looks at what is due."""


class EncryptedYard(SecuredYard):
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
        return await self._told(self._encrypted(name))

    async def enable_tls(self, name: str, clients: bool | None = None, now: bool = False) -> Result:
        """Have clients come in by TLS from now on, at the same port; on any trouble none of the instances has changed.

        Args:
            name: an add-on or an instance.
            clients: whether they must show a certificate, too; None leaves that as it is.
            now: close the connections that came in before, which are plain.
        """
        async with self._turn:
            chosen = self._ours(name, "encrypt")
            specs: dict[str, Spec] = {}
            for item in chosen:
                way = doors.way(await self._find_engine(item.spec.engine), item.spec)
                shown = item.spec.tls_clients if clients is None else clients
                specs[item.name] = msgspec.structs.replace(item.spec, tls=way, tls_clients=shown)
                await asyncio.to_thread(doors.equip, self.registry, specs[item.name])
            await self._change_doors(chosen, specs)
            closed = sum([await self._cut(item) for item in chosen]) if now else 0
        return {**await self._told(chosen), "closed": closed}

    async def disable_tls(self, name: str) -> Result:
        """Have clients come in plain from now on; a public address refuses that."""
        async with self._turn:
            chosen = self._encrypted(name)
            for item in chosen:
                addresses.check(item.spec.bind)
            specs = {item.name: msgspec.structs.replace(item.spec, tls="", tls_clients=False) for item in chosen}
            await self._change_doors(chosen, specs)
        return {"instances": await self._read(chosen, view)}

    async def renew(self, name: str, authority: bool = False) -> Result:
        """Make the certificates of instances anew, now; with `authority`, also the next authority."""
        async with self._turn:
            chosen = self._encrypted(name)
            if authority:
                doors.authority(self.registry).maintain(renew=True)
                await self._renew_due()  # all trust it from now on
            for item in chosen:
                await self._renew(item, now=True)
        return await self._told(chosen)

    # ---- steps

    async def _change_doors(self, chosen: Sequence[Instance], specs: Mapping[str, Spec]) -> None:
        """Change where clients come in; one that stopped does it at its start."""
        for item in chosen:
            if item.phase not in {Phase.RUNNING, Phase.STOPPED}:
                raise NotRunning(name=item.name, phase=item.phase.value)
        former: list[tuple[Instance, Spec]] = []
        try:
            for item in chosen:
                former.append((item, item.spec))
                await _change_door(item, specs[item.name])
        except BaseException:
            for item, spec in reversed(former):
                with suppress(RedyardError, OSError):
                    await _change_door(item, spec)
            raise
        for item, spec in former:
            await self.backups.renew(item)
            events.emit(events.DOOR, name=item.name, old=encryption(spec), new=encryption(item.spec))

    async def _cut(self, item: Instance) -> int:
        """Close the plain connections that are left; return how many there were."""
        return sum([await item.admin.end(int(row["id"])) for row in await _plain(item)])

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

    async def _told(self, chosen: Sequence[Instance]) -> Result:
        return {"instances": [await self._tell(item) for item in chosen], "authorities": self._authorities()}

    async def _tell(self, item: Instance) -> Result:
        paper = load(item.papers.server)
        plain = [Holder(row["user"], row["name"], row["addr"], int(row["age"])) for row in await _plain(item)]
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
            "plain": [one._asdict() for one in plain],
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


async def _change_door(item: Instance, spec: Spec) -> None:
    try:
        await item.change_door(spec)
    except (ResponseError, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise DoorStuck(name=item.name, reason=reason) from None
    except RedisError:
        raise silent(item) from None


async def _plain(item: Instance) -> list[dict[str, str]]:
    """Return the connections over TCP that are older than the TLS: an engine does not say which are plain."""
    until = item.status.plain_until
    found = await connected(item) if until and item.spec.tls else []
    return [row for row in found if int(row["id"]) <= until and "U" not in row["flags"]]
