"""The limiter of last resort: the same rule in this process's memory, for while Redis is away."""

from collections import OrderedDict

CLIENTS = 10_000
"""How many clients are remembered; the one seen longest ago is forgotten first, so that memory is bounded."""


class Insurance:
    """Counts hits by GCRA in memory; the time comes in as a parameter."""

    def __init__(self, limit: int, per: float) -> None:
        self.limit = limit
        self.per = per
        self._paid: OrderedDict[str, float] = OrderedDict()

    def hit(self, client: str, cost: int, *, now: float) -> tuple[bool, int, float]:
        """Return whether the hit is allowed, how many remain, and the seconds until it would be."""
        interval = self.per / self.limit
        paid = max(self._paid.pop(client, 0.0), now)
        ahead = paid + interval * cost - now - self.per
        allowed = ahead <= 1e-6
        self._paid[client] = paid = paid + interval * cost if allowed else paid
        if len(self._paid) > CLIENTS:
            self._paid.popitem(last=False)
        remaining = max(0, int((now + self.per - paid) / interval + 0.001))
        return allowed, remaining, 0.0 if allowed else ahead
