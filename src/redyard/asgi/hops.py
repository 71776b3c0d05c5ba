"""Whom a request came from, behind proxies that are counted: what a visitor writes into a header changes nothing.

Each proxy appends what it saw. With n proxies of ours, the n-th word from the right is the one that our outermost proxy
wrote; all that stands before it is a stranger's.
"""

from redyard.asgi.types import Scope, header_values


def scheme_of(scope: Scope, hops: int) -> str:
    """Return "https" or "http", as the outermost of our proxies saw it; without proxies, as the server did."""
    return (_nth(scope, b"x-forwarded-proto", hops) or str(scope.get("scheme", "http"))).lower()


def address_of(scope: Scope, hops: int) -> str:
    """Return the address that the outermost of our proxies saw; without proxies, the one that the server did."""
    client = scope.get("client")
    return _nth(scope, b"x-forwarded-for", hops) or (str(client[0]) if client else "")


def _nth(scope: Scope, name: bytes, hops: int) -> str:
    if not hops:
        return ""
    words = [word.strip() for value in header_values(scope, name) for word in value.split(",")]
    return words[-min(hops, len(words))] if words else ""
