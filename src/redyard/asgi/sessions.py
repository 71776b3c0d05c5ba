"""`SessionMiddleware`: `request.session` for ASGI apps, on a SessionStore.

Nothing is asked of Redis for a request that does not `await session_of(request)`. What changed is written just before
the response starts, so that its cookie and the session agree.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

from redyard.asgi.cookies import Cookie, ExpressSigner, Signer
from redyard.asgi.freeze import freeze_at_start
from redyard.asgi.hops import address_of, scheme_of
from redyard.asgi.types import App, HTTPConnection, Message, Receive, Scope, Send, answer, header_values
from redyard.errors import RedisAway
from redyard.sessions import Session, SessionStore, Visitor
from redyard.sessions.line import OWNER

AWAY = {"error": "The session cannot be kept at the moment. Please try again."}
REMEMBERED, LONGEST = 4096, 1024
"""How many Cookie headers are known to be signed, and the bytes of the longest: visitors come again with the same."""

STARTS = {"http.response.start", "websocket.accept"}
"""Messages with headers: the last moment for a cookie."""


async def session_of(request: HTTPConnection) -> Session:
    """Return a request's session, loaded: `await session_of(request)`, or in FastAPI `Depends(session_of)`."""
    session: Session = request.scope["session"]
    return session if session.loaded else await session.load()


class SessionMiddleware:
    """Gives each request its session, and the visitor a signed, rolling, HttpOnly cookie with its id."""

    def __init__(  # noqa: PLR0913 - an app gives its middleware's options by name
        self,
        app: App,
        *,
        store: SessionStore,
        secret: str | Sequence[str],
        cookie: str | None = None,
        same_site: Literal["lax", "strict", "none"] = "lax",
        secure: bool | Literal["auto"] = True,
        domain: str | None = None,
        path: str = "/",
        rolling: bool = True,
        until_closed: bool = False,
        trusted_hops: int = 0,
        eager: bool | Callable[[Scope], bool] = False,
        freeze: bool = True,
    ) -> None:
        """Wrap an app.

        Args:
            app: the app.
            store: where sessions are.
            secret: signs ids; several to change them: the first signs, all are accepted.
            cookie: its name; `__Host-session`, or `session` where that cannot be.
            same_site: "strict" loses the session at a link or a login that comes from another site.
            secure: "auto" as the request came, False for no TLS at all.
            domain: also for this domain's other hosts.
            path: for this part of the site alone.
            rolling: the cookie's time begins anew with the session's.
            until_closed: the browser forgets the cookie when it is closed.
            trusted_hops: proxies of ours before the app, whose X-Forwarded-Proto and -For are believed.
            eager: load every session, or those of scopes for which this is true.
            freeze: at the app's start, take what it has made out of the garbage collector's sight.
        """
        self.app = app
        self.store = store
        self.rolling = rolling
        self.trusted_hops = trusted_hops
        self.eager = eager
        self.freeze = freeze
        shared = store.records.name == "express"
        self.signer = ExpressSigner(secret) if shared else Signer(secret)
        name = cookie or (store.records.cookie if shared else None)
        self.cookie = Cookie(name, same_site=same_site, secure=secure, domain=domain, path=path)
        self._prefix = f"{self.cookie.name}=".encode("latin-1")
        self._sign = lru_cache(REMEMBERED)(self.signer.sign)
        self._verified: dict[bytes, tuple[str | None, bool]] = {}
        store.set_cookie(self.cookie.attributes(), secure, until_closed=until_closed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with `scope["session"]`."""
        if scope["type"] not in {"http", "websocket"}:
            return await self.app(scope, receive, freeze_at_start(send) if self.freeze else send)
        session_id, aged = self._known(scope)
        session = scope["session"] = _Visit(self.store, session_id, scope, self.trusted_hops)
        if self.eager and (self.eager is True or self.eager(scope)):
            await session.load()
        door = _Door(self, session, scope, send, aged=aged)
        try:
            await self.app(scope, receive, door)
        except RedisAway as error:
            if door.started or error.details.get("owner") != OWNER or scope["type"] != "http":
                raise
            await answer(send, 503, AWAY, {"retry-after": "1"})
        return None

    def _known(self, scope: Scope) -> tuple[str | None, bool]:
        """Return the id of a request's cookie, and whether an old secret signed it."""
        found = [value for name, value in scope["headers"] if name == b"cookie" and self._prefix in value]
        if not found:
            return None, False
        header = found[0] if len(found) == 1 else b";".join(found)
        if (known := self._verified.get(header)) is not None:
            return known
        values = self.cookie.find([header.decode("latin-1")])
        known = next((one for value in values if (one := self.signer.open(value))[0]), (None, False))
        if known[0] is not None and len(header) <= LONGEST:  # what nobody signed is not remembered
            if len(self._verified) >= REMEMBERED:
                self._verified.clear()
            self._verified[header] = known
        return known

    def line(self, session: Session, *, https: bool, aged: bool) -> str | None:
        """Return the Set-Cookie line of a response, if it needs one; an `aged` one was signed by an old secret."""
        if session.degraded:
            return None
        if session.id and (session.kept or (self.rolling and session.touched) or (aged and not session.moved)):
            return self.cookie.line(self._sign(session.id), max_age=session.max_age, https=https)
        # Without a destroy() the cookie stays: another request may just have given this visitor a new id.
        return self.cookie.line("", max_age=0, https=https) if session.ended else None


class _Visit(Session):
    """A session that can say where its request came from, should it be asked.

    It does not hold the scope, which holds it: such a circle is left to Python's collector, whose pauses of some 20 ms
    were most of what slow requests waited for.
    """

    def __init__(self, store: SessionStore, session_id: str | None, scope: Scope, hops: int) -> None:
        super().__init__(store, session_id, renews=scope["type"] == "http")
        self._origin = scope["headers"], scope.get("client"), scope.get("scheme", "http")
        self._hops = hops

    def visitor(self) -> Visitor:
        """Return the request's device and address."""
        origin = dict(zip(("headers", "client", "scheme"), self._origin, strict=True))
        device = next(header_values(origin, b"user-agent"), "")
        https = scheme_of(origin, self._hops) in {"https", "wss"}
        return Visitor(device, address_of(origin, self._hops), https)


class _Door:
    """The way out of one response: keeps the session before the first byte, or answers 503 when it cannot."""

    def __init__(
        self, middleware: SessionMiddleware, session: Session, scope: Scope, send: Send, *, aged: bool
    ) -> None:
        self.middleware = middleware
        self.session = session
        self.scope = scope
        self.send = send
        self.aged = aged
        self.started = self.refused = False

    async def __call__(self, message: Message) -> None:
        if self.started:
            if self.refused:
                return
        elif message["type"] in STARTS:
            self.started = True
            if self.session.loaded and not await self._keep(message):
                return
        await self.send(message)

    async def _keep(self, message: Message) -> bool:
        """Write what changed and add the headers; False when it could not be written and the answer says so."""
        session, more = self.session, []
        try:
            await session.commit()
        except RedisAway:
            self.refused = True
            await self._refuse()
            return False
        if session.kept or session.ended or session.touched or self.aged:
            https = scheme_of(self.scope, self.middleware.trusted_hops) in {"https", "wss"}
            if line := self.middleware.line(session, https=https, aged=self.aged):
                more.append((b"set-cookie", line.encode("latin-1")))
        if self.scope["type"] == "http":
            more.append((b"vary", b"Cookie"))
        if more:
            message["headers"] = [*message.get("headers", ()), *more]
        return True

    async def _refuse(self) -> None:
        if self.scope["type"] == "http":
            return await answer(self.send, 503, AWAY, {"retry-after": "1"})
        return await self.send({"type": "websocket.close", "code": 1013})
