"""Clients known to be refused: a flood of theirs is answered from memory and costs Redis nothing."""

from typing import NamedTuple

from redyard import keys

CLIENTS = 10_000
"""How many clients are remembered; the one refused longest ago is forgotten first, so that memory is bounded."""

ASK_AGAIN = 10.0
"""Seconds after which Redis is asked again whether a client is still refused: another process may have forgiven it."""


class Hold(NamedTuple):
    """Until when a client is refused, until when that is believed, and from which cost on; times of the clock."""

    until: float
    believed: float
    cost: int


class Held(dict[str, Hold]):
    """The holds by client."""

    def add(self, client: str, cost: int, seconds: float, *, now: float) -> None:
        """Remember a refusal; not that of an overlong name, which would cost more memory than it saves."""
        self.pop(client, None)
        if len(client) > keys.LONGEST:
            return
        if len(self) >= CLIENTS:
            del self[next(iter(self))]
        self[client] = Hold(now + seconds, now + min(seconds, ASK_AGAIN), cost)
