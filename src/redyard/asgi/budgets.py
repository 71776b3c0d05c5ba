"""What an app's rate limits say over HTTP, for the middleware and for FastAPI's dependency.

The RateLimit and RateLimit-Policy fields and the problem types are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

import random
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import msgspec

from redyard.asgi.types import Scope
from redyard.errors import BadKey, InvalidValue
from redyard.ratelimit import Decision, RateLimit
from redyard.ratelimit.terms import whole

Headers = list[tuple[bytes, bytes]]
Said = Mapping[RateLimit, Decision]

TYPES = "https://iana.org/assignments/http-problem-types#"
EXCEEDED = "quota-exceeded", "Request cannot be satisfied as assigned quota has been exceeded"
REDUCED = "temporary-reduced-capacity", "Request cannot be satisfied due to temporary server capacity constraints"


class Budget:
    """A limit, and what it counts: whose requests, below which paths, by which methods, and for how many hits each.

    `client` names who asks, or None for a request that this budget does not count; by default it is the address.
    """

    def __init__(
        self,
        limit: RateLimit,
        *,
        client: Callable[[Scope], str | None] | None = None,
        paths: Collection[str] = ("/",),
        methods: Collection[str] = (),
        cost: int = 1,
    ) -> None:
        policy_line(limit)  # a name that no header can carry is refused now
        self.limit = limit
        self.client = client
        self.paths = _checked(paths)
        self.methods = frozenset(methods)
        self.cost = whole(cost, "cost", example=1)
        self._below = tuple(path.rstrip("/") + "/" for path in self.paths)

    def counts(self, scope: Scope) -> bool:
        """Say whether a request is one of those; a WebSocket has the method GET."""
        path = scope["path"]
        below = path.startswith(self._below) or path in self.paths
        return below and (not self.methods or scope.get("method", "GET") in self.methods)


def policy_line(limit: RateLimit) -> bytes:
    """Return a limit's item of RateLimit-Policy; a burst apart from the quota is told by a parameter of our own."""
    return _policy(limit.name, limit.limit, limit.per, limit.burst)


def fields(said: Said) -> Headers:
    """Return the fields of an answer."""
    state = b", ".join(
        b"%s;r=%d;t=%d" % (_quoted(limit.name), decision.remaining, ceil(decision.reset_after))
        for limit, decision in said.items()
    )
    return [(b"ratelimit-policy", b", ".join(map(policy_line, said))), (b"ratelimit", state)]


class Refusal(NamedTuple):
    """The answer to a request that is refused."""

    status: int
    headers: Headers
    body: bytes


def refusal(said: Said) -> Refusal | None:
    """Return the answer if a limit refuses. It tells of those that do; none of them allows a hit before Retry-After."""
    refused = {limit: decision for limit, decision in said.items() if not decision.allowed}
    if not refused:
        return None
    away = all(decision.degraded and limit.on_error == "closed" for limit, decision in refused.items())
    body = _problem(503 if away else 429, tuple(limit.name for limit in refused))
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"%d" % _come_back(max(decision.retry_after for decision in refused.values()))),
        *fields(refused),
    ]
    return Refusal(503 if away else 429, headers, body)


def _come_back(seconds: float) -> int:
    """Return whole seconds, not fewer, and up to a tenth more: clients that wait together must not come together."""
    return ceil(seconds) + random.randint(0, max(1, ceil(seconds / 10)))  # noqa: S311 - no secret


@lru_cache(maxsize=1024)
def _problem(status: int, names: tuple[str, ...]) -> bytes:
    kind, title = REDUCED if status == 503 else EXCEEDED
    return msgspec.json.encode({"type": TYPES + kind, "title": title, "status": status, "violated-policies": names})


@lru_cache(maxsize=1024)
def _policy(name: str, limit: int, per: float, burst: int) -> bytes:
    apart = b";redyard-burst=%d" % burst if burst != limit else b""
    return b"%s;q=%d;w=%d%s" % (_quoted(name), limit, max(1, ceil(per)), apart)


@lru_cache(maxsize=1024)
def _quoted(name: str) -> bytes:
    """Return a name as the fields write it; they know only ASCII."""
    if not name.isascii():
        raise BadKey(part=name, name="name of a rate limit in a header", reason="it is not ASCII")
    return b'"%s"' % name.replace("\\", "\\\\").replace('"', '\\"').encode()


def _checked(paths: Collection[str]) -> frozenset[str]:
    for path in [paths] if isinstance(paths, str) else paths:
        if isinstance(paths, str) or not path.startswith("/"):
            raise InvalidValue(value=paths, kind="list of paths", example="['/api', '/sign-in']")
    return frozenset(paths)
