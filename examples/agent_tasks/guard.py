"""What protects every request, whatever its route: the origin check, a bound on bodies, headers for the browser.

A session cookie is sent along by the browser, also with a request that another site made. SameSite=lax stops most of
those; `same_origin` stops the rest: a browser always says where a POST comes from, and no page can change that.
"""

from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 256 * 1024
"""Bytes: a text at its limit, each character as four escaped bytes."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Refusal(Exception):
    """A request that is turned down: the status, and a sentence for the person."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


def same_origin(request: Request) -> None:
    """Refuse a change that another site's page asks for; a client that is no browser sends neither header."""
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # Without a host, as in "null", the origin equals no Host.
    if site == "cross-site" or (origin is not None and urlsplit(origin).netloc != request.headers.get("host")):
        raise Refusal(403, "This request came from another site, so nothing was done.")


class Guard:
    """Bound the body of every request and send HEADERS with every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, _bounded(scope, receive), send_with_headers)


def _bounded(scope: Scope, receive: Receive) -> Receive:
    announced = Headers(scope=scope).get("content-length", "0")
    size = int(announced) if announced.isdigit() else 0
    too_large = HTTPException(413, f"The request is too large: the limit is {BODY_LIMIT // 1024} kB.")
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        if size > BODY_LIMIT:
            raise too_large
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_LIMIT:
            raise too_large
        return message

    return bounded
