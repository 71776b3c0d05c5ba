"""`SessionMiddleware`: `request.session` for ASGI apps, on a SessionStore.

Nothing is asked of Redis for a request that does not `await request.session.load()`. What changed is written just
before the response starts, so that its cookie and the session agree.
"""

from collections.abc import Sequence
from typing import Literal

from redyard.asgi.cookies import Cookie, Signer
from redyard.asgi.types import App, Message, Receive, Scope, Send, answer, header_values
from redyard.errors import RedisAway
from redyard.sessions import Session, SessionStore

AWAY = {"error": "The session cannot be kept at the moment. Please try again."}


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
        secure: bool | Literal["auto"] = "auto",
        eager: bool = False,
    ) -> None:
        self.app = app
        self.store = store
        self.eager = eager
        self.signer = Signer(secret)
        self.cookie = Cookie(cookie, same_site=same_site, secure=secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with `scope["session"]`; a WebSocket's session is only read."""
        if scope["type"] not in {"http", "websocket"}:
            return await self.app(scope, receive, send)
        session = scope["session"] = Session(self.store, self._known(scope))
        if self.eager:
            await session.load()
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        return await self.app(scope, receive, _Door(self, session, scope, send))

    def _known(self, scope: Scope) -> str | None:
        values = self.cookie.find(header_values(scope, b"cookie"))
        return next((known for value in values if (known := self.signer.verify(value))), None)

    def line(self, session: Session, *, kept: bool, https: bool) -> str | None:
        """Return the Set-Cookie line of a response, if it needs one."""
        if kept and session.id:
            return self.cookie.line(self.signer.sign(session.id), max_age=self.store.ttl, https=https)
        # Without a destroy() the cookie stays: another request may just have given this visitor a new id.
        return self.cookie.line("", max_age=0, https=https) if session.ended else None


class _Door:
    """The way out of one response: keeps the session before the first byte, or answers 503 when it cannot."""

    def __init__(self, middleware: SessionMiddleware, session: Session, scope: Scope, send: Send) -> None:
        self.middleware = middleware
        self.session = session
        self.https = scope.get("scheme") == "https"
        self.send = send
        self.refused = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            try:
                kept = await self.session.commit()
            except RedisAway:
                self.refused = True
                return await answer(self.send, 503, AWAY, {"retry-after": "1"})
            if line := self.middleware.line(self.session, kept=kept, https=self.https):
                pairs = [(b"set-cookie", line.encode("latin-1")), (b"vary", b"Cookie")]
                message["headers"] = [*message.get("headers", ()), *pairs]
        if not self.refused:
            await self.send(message)
        return None
