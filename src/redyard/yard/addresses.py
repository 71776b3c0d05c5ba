"""Which addresses an engine may listen on: loopback and private networks; with TLS, public ones too."""

import errno
import ipaddress
import os
import socket

import psutil

from redyard.errors import AddressUnusable

LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - it is compared


def check(text: str, *, tls: bool = False) -> str:
    """Return the address in its usual form, or raise AddressUnusable: none, another's, public without TLS."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise AddressUnusable(address=text, reason="it is no IP address, such as 10.0.0.5 or fd12::5") from None
    if not tls and (public := [item for item in _covered(address) if not _is_private(item)]):
        raise AddressUnusable(
            address=text, reason=f"{public[0]} is a public address, and without --tls everybody could read all"
        )
    if problem := _refused(str(address), 0):
        raise AddressUnusable(address=text, reason=problem)
    return str(address)


def is_free(port: int, address: str = LOOPBACK) -> bool:
    """Say whether an engine could listen on the port now."""
    return not _refused(address, port)


def reachable(address: str) -> str:
    """Return the address by which others find an engine that listens there: a private one for "all addresses"."""
    if not ipaddress.ip_address(address).is_unspecified:
        return address
    own = [item for item in _own() if _is_private(item) and not item.is_loopback]
    same = [item for item in own if item.version == ipaddress.ip_address(address).version]
    return str((same or own or [ipaddress.ip_address(LOOPBACK)])[0])


def exposure(address: str, *, tls: bool = False) -> str:
    """Return in words who can reach an engine there."""
    if ipaddress.ip_address(address).is_loopback:
        return "this machine alone"
    return f"all machines that reach {reachable(address)}; passwords and data travel {'' if tls else 'un'}encrypted"


def names(address: str) -> set[str]:
    """Return every name and address by which an engine that listens there may be reached: a certificate is for them."""
    given = ipaddress.ip_address(address)
    own = {str(item) for item in _own()} if given.is_unspecified else {str(given)}
    return {"localhost", LOOPBACK, "::1", socket.gethostname(), *own} - {""}


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _covered(address: Address) -> list[Address]:
    return _own() if address.is_unspecified else [address]


def _is_private(address: Address) -> bool:
    """Say whether the Internet does not route it: loopback, RFC 1918, overlay networks (100.64), IPv6 ULA (fc00::)."""
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global and not address.is_multicast


def _own() -> list[Address]:
    """Return the addresses of this machine that others may reach, and loopback; none of one link only."""
    texts = [item.address for items in psutil.net_if_addrs().values() for item in items if item.family in _FAMILIES]
    found = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
    return [address for address in found if not address.is_link_local]


_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def _refused(address: str, port: int) -> str:
    """Return why the system does not let us listen there, or nothing."""
    with socket.socket(_FAMILIES[":" in address]) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            gone = error.errno == errno.EADDRNOTAVAIL
            return "no interface of this machine has it" if gone else os.strerror(error.errno or 0)
    return ""
