"""The plans: memory, connections and databases of an add-on, and how a store and a cache share them."""

from typing import NamedTuple

from redyard.engine.directives import ROLES, Limits
from redyard.errors import UnknownPlan, UnknownRole
from redyard.units import parse_size

STORE_SHARE = 3 / 4
"""A store and its cache share a plan 3:1: what must not be lost needs the room."""

HEADROOM = 2.1
"""Memory a machine should have for each byte of data: a save copies what is written meanwhile (88-96 % measured)."""

PROCESS_MEMORY = parse_size("20mb")
"""Memory of an empty engine and its buffers."""


def machine_memory(data: int) -> int:
    """Return the bytes that a machine should have free for so many bytes of data."""
    return int(data * HEADROOM) + PROCESS_MEMORY


class Plan(NamedTuple):
    """A row: the plan's name, its memory in bytes, connections of applications and databases of each instance."""

    name: str
    memory: int
    connections: int
    databases: int

    def instances(self, role: str | None = None) -> dict[str, Limits]:
        """Return the limits of each instance, by role: one instance, or a store and a cache that share the plan."""
        if role is None:
            store = int(self.memory * STORE_SHARE)
            return {"store": self._limits(store), "cache": self._limits(self.memory - store)}
        if role not in ROLES:
            raise UnknownRole(role=role, roles=", ".join(ROLES))
        return {role: self._limits(self.memory)}

    @property
    def machine_memory(self) -> int:
        """Return the bytes that a machine should have free for it."""
        return machine_memory(self.memory)

    def _limits(self, memory: int) -> Limits:
        return Limits(memory, self.connections, self.databases)


PLANS = {
    plan.name: plan
    for plan in (
        Plan("256mb", parse_size("256mb"), 100, 16),
        Plan("512mb", parse_size("512mb"), 200, 16),
        Plan("1gb", parse_size("1gb"), 300, 16),
        Plan("2gb", parse_size("2gb"), 500, 16),
        Plan("4gb", parse_size("4gb"), 500, 16),
        Plan("8gb", parse_size("8gb"), 500, 16),
    )
}


def lookup(name: str) -> Plan:
    """Return the plan of that name."""
    if name not in PLANS:
        raise UnknownPlan(plan=name, plans=", ".join(PLANS))
    return PLANS[name]
