"""What a new add-on must fit beside: names and ports that are taken. It works out the specs, or refuses them."""

import re
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from redyard.engine import directives
from redyard.errors import BadName, InvalidValue, NameTaken, PortInUse, UnknownRole
from redyard.reading import Reading
from redyard.yard import plans
from redyard.yard.addresses import is_free
from redyard.yard.attached import port_of
from redyard.yard.ports import Ports
from redyard.yard.spec import Spec

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")


class Ground(NamedTuple):
    """The specs that are there, the range of ports, the yard's directory."""

    specs: Sequence[Spec]
    ports: Ports
    home: Path

    def addon(self, name: str, plan: str, role: str | None, *, port: int | None, bind: str) -> list[Spec]:
        """Work out what an add-on consists of, or refuse it."""
        limits = plans.lookup(plan).instances(role)
        names = self._claim(name, limits)
        ports = self._assign(names, port, bind)
        return [
            Spec(
                name=names[role],
                addon=name,
                role=role,
                plan=plan,
                memory=limit.memory,
                connections=limit.connections,
                databases=limit.databases,
                port=ports[role],
                bind=bind,
                created_at=time.time(),
            )
            for role, limit in limits.items()
        ]

    def attachment(self, url: str, seen: Reading, name: str, role: str | None) -> Spec:
        """Work out what an attached Redis is to us: what may evict is a cache, unless its owner says otherwise."""
        role = role or ("cache" if seen.evicts else "store")
        if role not in directives.ROLES:
            raise UnknownRole(role=role, roles=", ".join(directives.ROLES))
        return Spec(
            name=self._claim(name, [role], attached=True)[role],
            addon=name,
            role=role,
            plan="",
            memory=seen.maxmemory,
            connections=seen.maxclients or 0,
            databases=0,
            port=port_of(url),
            bind=urlsplit(url).hostname or "",
            created_at=time.time(),
            attached=True,
        )

    def _claim(self, name: str, roles: Collection[str], *, attached: bool = False) -> dict[str, str]:
        """Return the instance's name for each role, or refuse the add-on's; attached ones may share theirs."""
        if not NAME.fullmatch(name):
            raise BadName(name=name)
        names = {role: f"{name}-{role}" for role in roles}
        for spec in self.specs:
            joins = attached and spec.attached and spec.name not in names.values()
            if {name, *names.values()} & {spec.name, *([] if joins else [spec.addon])}:
                raise NameTaken(name=name, owner=spec.addon)
        return names

    def _assign(self, names: dict[str, str], port: int | None, bind: str) -> dict[str, int]:
        """Give each role its port: from the range, or from the asked one upwards."""
        taken = {spec.port for spec in self.specs if not spec.attached}
        ports: dict[str, int] = {}
        for step, (role, name) in enumerate(names.items()):
            wanted = port + step if port is not None else self.ports.choose(self.home, taken, bind)
            if not 1024 <= wanted <= 65535:
                raise InvalidValue(value=wanted, kind="port", example="17100 (1024 to 65535)")
            if wanted in taken or not is_free(wanted, bind):
                raise PortInUse(port=wanted, name=name)
            taken.add(wanted)
            ports[role] = wanted
        return ports
