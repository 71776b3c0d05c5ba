"""The words of ASGI, typed."""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
else:
    try:
        from starlette.requests import HTTPConnection  # FastAPI looks for this very class in a dependency
    except ImportError:
        HTTPConnection = object

__all__ = ["App", "HTTPConnection", "Message", "Receive", "Scope", "Send", "answer", "header_values"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header_values(scope: Scope, name: bytes) -> Iterator[str]:
    """Yield a request header's values."""
    return (value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name)


async def answer(send: Send, status: int, body: object, headers: dict[str, str] | None = None) -> None:
    """Send a JSON response that no cache keeps."""
    text = msgspec.json.encode(body)
    lines = {"content-type": "application/json", "content-length": str(len(text)), "cache-control": "no-store"}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in {**lines, **(headers or {})}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": text})
