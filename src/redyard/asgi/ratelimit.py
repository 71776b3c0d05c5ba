"""`RateLimitMiddleware`: one limit in front of an app; a client beyond it gets 429 and is told when to come back."""

from collections.abc import Callable
from math import ceil

from redyard.asgi.types import App, Message, Receive, Scope, Send, answer
from redyard.ratelimit import Decision, RateLimit

REFUSAL = {"error": "Too many requests. Please try again later."}


def peer(scope: Scope) -> str:
    """Return the address that the server saw; behind a proxy, let the server read the proxy's headers."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


class RateLimitMiddleware:
    """Counts each HTTP request of a client; `client` names who asked."""

    def __init__(self, app: App, *, limit: RateLimit, client: Callable[[Scope], str] = peer) -> None:
        self.app = app
        self.limit = limit
        self.client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, or refuse."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        decision = await self.limit.hit(self.client(scope))
        lines = self._headers(decision)
        if not decision.allowed:
            return await answer(send, 429, REFUSAL, lines)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                pairs = [(name.encode(), value.encode("latin-1")) for name, value in lines.items()]
                message["headers"] = [*message.get("headers", ()), *pairs]
            await send(message)

        return await self.app(scope, receive, send_with_headers)

    def _headers(self, decision: Decision) -> dict[str, str]:
        name, seconds = self.limit.name, ceil(decision.retry_after)
        lines = {
            "ratelimit-policy": f'"{name}";q={self.limit.limit};w={ceil(self.limit.per)}',
            "ratelimit": f'"{name}";r={decision.remaining};t={seconds}',
        }
        return lines if decision.allowed else {**lines, "retry-after": str(max(1, seconds))}
