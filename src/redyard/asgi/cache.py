"""`CacheMiddleware`: whole responses from a Cache, as HTTP's rules for shared caches have it (RFC 9111), with ETags.

What is kept must be the same for everybody: a response to a request with a cookie or an authorization is private, and
so is one that sets a cookie. Only the app can say otherwise, by `Cache-Control: public`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import msgspec

from redyard.asgi.freeze import freeze_at_start
from redyard.asgi.types import App, Message, Receive, Scope, Send, header_values
from redyard.cache import Cache

BODY_LIMIT = 1024 * 1024
"""Bytes of the largest body that is kept. A larger one, and one whose size is not known, passes as it comes."""

BY_DEFAULT = {200, 203}
"""Statuses that are kept for the middleware's `ttl`."""

IF_SAID = BY_DEFAULT | {300, 301, 308, 404, 410}
"""Statuses that are kept for as long as the response says."""

NOT_SHARED = {"private", "no-store", "no-cache"}
NOT_IN_304 = {"content-length", "content-type", "content-encoding", "content-language", "content-range"}
FOR_A_VISITOR = ("cookie", "authorization")

Headers = list[tuple[str, str]]


class Stored(msgspec.Struct):
    """What lies in the cache: a response, or the names of the request's headers that tell responses apart."""

    status: int = 0
    headers: Headers = []
    body: bytes = b""
    at: float = 0.0
    public: bool = False
    vary: list[str] = []


class CacheMiddleware:
    """Answers GET and HEAD from a cache, and asks the app for what is not there."""

    def __init__(
        self,
        app: App,
        *,
        cache: Cache,
        ttl: float = 0,
        tags: Callable[[Scope], Iterable[str]] = lambda _: (),
        body_limit: int = BODY_LIMIT,
        freeze: bool = True,
    ) -> None:
        """Wrap an app.

        Args:
            app: the app.
            cache: where responses are kept; give it a prefix of its own.
            ttl: seconds for responses that say nothing of caching; 0 keeps only those that do.
            tags: names the tags of a request's response, by which it can be invalidated.
            body_limit: bytes of the largest body that is kept or gets an ETag.
            freeze: at the app's start, take what it has made out of the garbage collector's sight.
        """
        self.app = app
        self.cache = cache
        self.ttl = ttl
        self.tags = tags
        self.body_limit = body_limit
        self.freeze = freeze

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, freeze_at_start(send) if self.freeze else send)
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or _has(scope, "range"):
            return await self.app(scope, receive, send)
        wishes = _directives(",".join(header_values(scope, b"cache-control")))
        if "no-store" not in wishes and "no-cache" not in wishes:
            stored = await self._find(scope)
            if stored is not None:
                return await _give(scope, stored, send)
        keeps = "no-store" not in wishes and scope["method"] == "GET"
        return await self.app(scope, receive, _Answer(self, scope, send, keeps=keeps))

    async def _find(self, scope: Scope) -> Stored | None:
        """Return what is kept for a request, and may be given to who sent it."""
        found: Stored | None = await self.cache.get(_name(scope), of=Stored)
        if found is not None and found.vary:
            found = await self.cache.get(_variant(scope, found.vary), of=Stored)
        return found if found is not None and (found.public or not _for_a_visitor(scope)) else None

    async def keep(self, scope: Scope, stored: Stored) -> None:
        """Keep a response, if it says or the middleware does for how long, and it is for everybody."""
        vary = sorted({name.lower() for name in _listed(stored.headers, "vary")})
        seconds = self._lifetime(scope, stored)
        if seconds <= 0 or "*" in vary:
            return
        tags = list(self.tags(scope))
        if vary:
            await self.cache.set(_name(scope), Stored(vary=vary), ttl=max(seconds, self.ttl), tags=tags)
        await self.cache.set(_variant(scope, vary) if vary else _name(scope), stored, ttl=seconds, tags=tags)

    def _lifetime(self, scope: Scope, stored: Stored) -> float:
        says = _directives(_value(stored.headers, "cache-control"))
        said = says.get("s-maxage", says.get("max-age", ""))
        stored.public = "public" in says
        if NOT_SHARED & says.keys() or _value(stored.headers, "set-cookie"):
            return 0
        if _for_a_visitor(scope) and not stored.public:
            return 0
        if said.isdigit() and stored.status in IF_SAID:
            return min(int(said), 31_536_000)
        return self.ttl if not said and stored.status in BY_DEFAULT else 0


class _Answer:
    """One response on its way out: held back until it is whole, to have its ETag; a large one passes as it comes."""

    def __init__(self, middleware: CacheMiddleware, scope: Scope, send: Send, *, keeps: bool) -> None:
        self.middleware = middleware
        self.scope = scope
        self.send = send
        self.keeps = keeps
        self.start: Message | None = None
        self.body = b""
        self.passes = scope["method"] == "HEAD"

    async def __call__(self, message: Message) -> None:
        if not self.passes and message["type"] == "http.response.start" and message["status"] in IF_SAID:
            self.start = message
            return
        if self.start is not None and message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            more = message.get("more_body", False)
            if not more and len(self.body) <= self.middleware.body_limit:
                await self._finish(self.start)
                return
            if more and self._is_small(self.start):
                return
            message = {**message, "body": self.body}
        await self._pass(message)

    async def _pass(self, message: Message) -> None:
        self.passes = True
        start, self.start = self.start, None
        if start is not None:
            await self.send(start)
        await self.send(message)

    def _is_small(self, start: Message) -> bool:
        """Say whether a response that comes in parts says itself that it is small; a stream of events does not."""
        size = _value(_read(start), "content-length")
        return size.isdigit() and int(size) <= self.middleware.body_limit

    async def _finish(self, start: Message) -> None:
        headers, status = _read(start), start["status"]
        if not _value(headers, "etag") and status == 200:
            headers.append(("etag", f'W/"{sha256(self.body).hexdigest()[:32]}"'))
        stored = Stored(status, headers, self.body, time.time())
        if self.keeps:
            await self.middleware.keep(self.scope, stored)
        if not _value(headers, "cache-control"):
            # Nobody else may guess for how long: browsers keep it, and ask by its ETag each time.
            headers.append(("cache-control", "private, no-cache" if _for_a_visitor(self.scope) else "no-cache"))
        self.start = None
        await _give(self.scope, stored, self.send, from_cache=False)


async def _give(scope: Scope, stored: Stored, send: Send, *, from_cache: bool = True) -> None:
    """Send a response, or 304 to who has it already."""
    headers = stored.headers
    if from_cache:
        headers = [*headers, ("age", str(max(0, int(time.time() - stored.at))))]
        if not _value(headers, "cache-control"):
            headers.append(("cache-control", "no-cache"))
    status, body = stored.status, stored.body
    if status == 200 and _matches(",".join(header_values(scope, b"if-none-match")), _value(headers, "etag")):
        status, body = 304, b""
        headers = [(name, value) for name, value in headers if name not in NOT_IN_304]
    if scope["method"] == "HEAD":
        body = b""
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _name(scope: Scope) -> str:
    host = next(header_values(scope, b"host"), "")
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host}{scope.get('root_path', '')}{scope['path']}?{query}"


def _variant(scope: Scope, vary: Sequence[str]) -> str:
    """Return the name of the response for a request's values of the headers that tell responses apart."""
    values = [[name, *header_values(scope, name.encode("latin-1"))] for name in vary]
    return f"{_name(scope)}#{sha256(msgspec.json.encode(values)).hexdigest()[:32]}"


def _for_a_visitor(scope: Scope) -> bool:
    return any(_has(scope, name) for name in FOR_A_VISITOR)


def _has(scope: Scope, name: str) -> bool:
    return any(True for _ in header_values(scope, name.encode()))


def _read(start: Message) -> Headers:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start.get("headers", ())]


def _value(headers: Headers, name: str) -> str:
    return ",".join(value for other, value in headers if other == name)


def _listed(headers: Headers, name: str) -> list[str]:
    return [part.strip() for part in _value(headers, name).split(",") if part.strip()]


def _directives(text: str) -> dict[str, str]:
    """Return the directives of a Cache-Control header, in small letters, with their values."""
    parts = (part.strip().lower().partition("=") for part in text.split(","))
    return {name: value.strip('"') for name, _, value in parts if name}


def _matches(wanted: str, etag: str) -> bool:
    """Say whether an If-None-Match names an ETag, by weak comparison."""
    tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
    return bool(etag) and ("*" in tags or etag.removeprefix("W/") in tags)
