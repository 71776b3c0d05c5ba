"""GCRA in whole microseconds: what follows from how far a client's hits are paid ahead, and a limiter in memory.

The limiter is the last resort, for while Redis is away.
"""

from collections import OrderedDict
from typing import NamedTuple

CLIENTS = 10_000
"""How many clients are remembered; the one seen longest ago is forgotten first, so that memory is bounded."""


class Look(NamedTuple):
    """How many hits remain, microseconds until the hit in question is allowed, and until more remain."""

    remaining: int
    wait: int
    reset: int


def look(ahead: int, cost: int, *, step: int, most: int) -> Look:
    """Return what a hit meets when all earlier ones are paid for `ahead` microseconds from now."""
    left = max(0, most + -ahead // step)
    reset = ahead - (most - left - 1) * step if ahead else 0
    return Look(left, max(0, ahead + (cost - most) * step), reset)


class Insurance:
    """Knows when each client's hits are paid for; the time comes in as a parameter. The verbs are those of ask.lua."""

    def __init__(self, step: int, most: int) -> None:
        self.step = step
        self.most = most
        self._paid: OrderedDict[str, int] = OrderedDict()

    def do(self, verb: str, client: str, number: int, *, now: int) -> Look:
        """Do what ask.lua would and return what it would answer."""
        ahead = max(0, self._paid.get(client, 0) - now)
        if verb == "charge":
            ahead = max(0, ahead + number * self.step)
        elif verb == "block":
            ahead = max(ahead, number + (self.most - 1) * self.step)
        cost = number if verb in {"hit", "peek"} else 1
        found = look(ahead, cost, step=self.step, most=self.most)
        if verb == "hit" and not found.wait:
            ahead += cost * self.step
            found = look(ahead, 0, step=self.step, most=self.most)
        if verb != "peek":
            self._keep(client, now + ahead)
        return found

    def forget(self, client: str) -> None:
        """Give a client its whole budget back."""
        self._paid.pop(client, None)

    def _keep(self, client: str, paid: int) -> None:
        self._paid[client] = paid
        self._paid.move_to_end(client)
        if len(self._paid) > CLIENTS:
            self._paid.popitem(last=False)
