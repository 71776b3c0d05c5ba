"""What an app's rate limits say over HTTP, for the middleware and for FastAPI's dependency.

The RateLimit and RateLimit-Policy fields and the problem types are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

import random
from collections.abc import Callable, Collection
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import msgspec

from redyard.asgi.types import Scope
from redyard.errors import BadKey, InvalidValue
from redyard.ratelimit import Decision, RateLimit
from redyard.ratelimit.terms import whole

Headers = list[tuple[bytes, bytes]]

TYPES = "https://iana.org/assignments/http-problem-types#"
EXCEEDED = "quota-exceeded", "Request cannot be satisfied as assigned quota has been exceeded"
REDUCED = "temporary-reduced-capacity", "Request cannot be satisfied due to temporary server capacity constraints"
PROBLEM = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]


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
        self.limit = limit
        self.client = client
        self.paths = _checked(paths)
        self.methods = frozenset(methods)
        self.cost = whole(cost, "cost", example=1)
        self._below = tuple(path.rstrip("/") + "/" for path in self.paths)
        self.policy, self._state = _fields_of(limit)

    def counts(self, scope: Scope) -> bool:
        """Say whether a request is one of those; a WebSocket has the method GET."""
        path = scope["path"]
        below = path.startswith(self._below) or path in self.paths
        return below and (not self.methods or scope.get("method", "GET") in self.methods)

    def state(self, decision: Decision) -> bytes:
        """Return the limit's item of the RateLimit field."""
        return self._state % (decision.remaining, ceil(decision.reset_after))


Said = list[tuple[Budget, Decision]]


class Refusal(NamedTuple):
    """The answer to a request that is refused."""

    status: int
    headers: Headers
    body: bytes


def refusal(said: Said) -> Refusal | None:
    """Return the answer if a limit refuses. It tells of those that do; none of them allows a hit before Retry-After."""
    refused = [one for one in said if not one[1].allowed]
    if not refused:
        return None
    away = all(decision.degraded and budget.limit.on_error == "closed" for budget, decision in refused)
    status = 503 if away else 429
    body, length = _problem(status, tuple([budget.limit.name for budget, _ in refused]))
    wait = refused[0][1].retry_after if len(refused) == 1 else max(decision.retry_after for _, decision in refused)
    return Refusal(status, [*PROBLEM, length, (b"retry-after", b"%d" % _come_back(wait)), *fields(refused)], body)


def fields(said: Said) -> Headers:
    """Return the fields of an answer."""
    policies, states = [budget.policy for budget, _ in said], [budget.state(decision) for budget, decision in said]
    return [(b"ratelimit-policy", b", ".join(policies)), (b"ratelimit", b", ".join(states))]


def _come_back(seconds: float) -> int:
    """Return whole seconds, not fewer, and up to a tenth more: clients that wait together must not come together."""
    return ceil(seconds) + int(random.random() * (2 + seconds // 10))  # noqa: S311 - no secret


@lru_cache(maxsize=1024)
def _problem(status: int, names: tuple[str, ...]) -> tuple[bytes, tuple[bytes, bytes]]:
    kind, title = REDUCED if status == 503 else EXCEEDED
    body = msgspec.json.encode({"type": TYPES + kind, "title": title, "status": status, "violated-policies": names})
    return body, (b"content-length", b"%d" % len(body))


def _fields_of(limit: RateLimit) -> tuple[bytes, bytes]:
    """Return a limit's item of RateLimit-Policy, and the pattern of its item of RateLimit; both know only ASCII.

    A burst apart from the quota is told by a parameter of our own.
    """
    if not limit.name.isascii():
        raise BadKey(part=limit.name, name="name of a rate limit in a header", reason="it is not ASCII")
    name = b'"%s"' % limit.name.replace("\\", "\\\\").replace('"', '\\"').encode()
    apart = b";redyard-burst=%d" % limit.burst if limit.burst != limit.limit else b""
    policy = b"%s;q=%d;w=%d%s" % (name, limit.limit, max(1, ceil(limit.per)), apart)
    return policy, name.replace(b"%", b"%%") + b";r=%d;t=%d"


def _checked(paths: Collection[str]) -> frozenset[str]:
    for path in [paths] if isinstance(paths, str) else paths:
        if isinstance(paths, str) or not path.startswith("/"):
            raise InvalidValue(value=paths, kind="list of paths", example="['/api', '/sign-in']")
    return frozenset(paths)
