"""Whose request it is, behind proxies: an address that nobody can forge by a header.

Each proxy appends to X-Forwarded-For the address that it saw, so that the trusted part of the list is its right end;
what stands left of it is whatever the client wrote.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from redyard.asgi.types import Scope, header_values
from redyard.errors import InvalidValue

UNKNOWN = "unknown"


class Proxies:
    """The proxies in front of an app: how many each request passes, or the networks in which they are."""

    def __init__(self, trusted: int | Sequence[str] = 0) -> None:
        self.hops = _count(trusted) if isinstance(trusted, int) else 0
        self.networks = () if isinstance(trusted, int) else tuple(map(_network, trusted))

    def address(self, scope: Scope) -> str:
        """Return the client's address: the last that a trusted proxy wrote down, or the server saw.

        With a count, a request that passed fewer proxies has the address that the server saw.
        """
        client = scope.get("client")
        peer = str(client[0]) if client else UNKNOWN
        if self.hops:
            written = ",".join(header_values(scope, b"x-forwarded-for")).rsplit(",", self.hops)[-self.hops :]
            whole = len(written) == self.hops
            return next((found for text in written if (found := parse(text))), peer) if whole else peer
        return self._beyond(peer, scope) if self.networks else peer

    def client(self, scope: Scope) -> str:
        """Return whom a limit counts: the client's address, or its network (see `customer`)."""
        return customer(self.address(scope))

    def _beyond(self, peer: str, scope: Scope) -> str:
        """Return the first address from the right that is no proxy's."""
        address = peer
        for text in _from_the_right(scope):
            if not self._trusts(address) or not (found := parse(text)):
                break
            address = found
        return address

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


@lru_cache(maxsize=16_384)
def customer(address: str) -> str:
    """Return an IPv4 address, or the /64 network that an IPv6 customer has; what is no address stays as it is."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or IPv6Network((parsed, 64), strict=False).network_address)


def parse(text: str) -> str:
    """Return the address of an element of X-Forwarded-For, without a port; "" where there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _from_the_right(scope: Scope) -> Iterator[str]:
    rest = ",".join(header_values(scope, b"x-forwarded-for"))
    while rest:
        rest, _, text = rest.rpartition(",")
        yield text


def _count(hops: int) -> int:
    if hops < 0:
        raise InvalidValue(value=hops, kind="number of proxies", example="1, or networks such as ['10.0.0.0/8']")
    return int(hops)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise InvalidValue(value=text, kind="network of proxies", example="10.0.0.0/8") from None
