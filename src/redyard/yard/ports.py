"""Which port an instance gets, for life: from a fixed range, so that the system gives it to nobody else."""

import zlib
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from redyard.errors import InvalidSetting, NoPortFree
from redyard.yard.addresses import LOOPBACK, is_free


class Ports(NamedTuple):
    """A range of ports, both ends included."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> "Ports":
        """Read "17000-17999"."""
        first, last = (int(part) for part in text.split("-"))
        if not 1024 <= first <= last <= 65535:
            raise InvalidSetting(
                name="REDYARD_PORTS", value=text, reason="no such range", expected="FIRST-LAST within 1024-65535"
            )
        return cls(first, last)

    def choose(self, home: Path, taken: Collection[int], address: str = LOOPBACK) -> int:
        """Return a port that no instance has and nobody listens on.

        The search begins at a place that depends on the yard, so that the yards of a machine rarely meet.
        """
        size = self.last - self.first + 1
        start = zlib.crc32(bytes(home)) % size
        for step in range(size):
            port = self.first + (start + step) % size
            if port not in taken and is_free(port, address):
                return port
        raise NoPortFree(first=self.first, last=self.last)
