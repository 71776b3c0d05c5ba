"""`RateLimitMiddleware`: limits in front of an app; who is beyond one gets 429 and is told when to come back."""

from collections.abc import Sequence

from redyard.asgi.budgets import Budget, Said, fields, refusal
from redyard.asgi.freeze import freeze_at_start
from redyard.asgi.proxy import Proxies
from redyard.asgi.types import App, Message, Receive, Scope, Send
from redyard.ratelimit import Hit, RateLimit, hit_all

POLICY_VIOLATION = 1008


class RateLimitMiddleware:
    """Counts each HTTP request and each WebSocket in the budgets that are for it.

    `limit` is short for a budget of all requests by address; `proxies` are the trusted ones (see `Proxies`). `freeze`:
    at the app's start, take what it has made out of the garbage collector's sight.
    """

    def __init__(
        self,
        app: App,
        *,
        limit: RateLimit | None = None,
        budgets: Sequence[Budget] = (),
        proxies: int | Sequence[str] = 0,
        freeze: bool = True,
    ) -> None:
        self.app = app
        self.budgets = (*([Budget(limit)] if limit else []), *budgets)
        self.proxies = Proxies(proxies)
        self.freeze = freeze

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app, or refuse."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, freeze_at_start(send) if self.freeze else send)
        if scope["type"] not in {"http", "websocket"} or not (said := await self._ask(scope)):
            return await self.app(scope, receive, send)
        refused = refusal(said)
        if scope["type"] == "websocket":
            if not refused:
                return await self.app(scope, receive, send)
            await receive()
            return await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        if refused:
            status, headers, body = refused
            await send({"type": "http.response.start", "status": status, "headers": headers})
            return await send({"type": "http.response.body", "body": body})
        lines = fields(said)

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *lines]
            await send(message)

        return await self.app(scope, receive, send_with_fields)

    async def _ask(self, scope: Scope) -> Said:
        asked = []
        for budget in self.budgets:
            if budget.counts(scope):
                who = budget.client(scope) if budget.client else self.proxies.client(scope)
                if who is not None:
                    asked.append((budget, who))
        if len(asked) == 1:  # by far the most
            budget, who = asked[0]
            return [(budget, await budget.limit.hit(who, cost=budget.cost))]
        said = await hit_all(*(Hit(budget.limit, who, budget.cost) for budget, who in asked))
        return [(budget, said[budget.limit]) for budget, _ in asked if budget.limit in said]
