"""For FastAPI: the app's Redis, queue and cache as typed dependencies, and a rate limit as one.

kit = Kit.from_env(queue="mails")
app = FastAPI(lifespan=kit.lifespan)

@app.post("/mails")
async def send(to: str, queue: AppQueue) -> str: ...
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response

from redyard.asgi.budgets import Budget, Refusal, fields, refusal
from redyard.asgi.kit import Kit, cache_of, queue_of, redis_of
from redyard.asgi.proxy import Proxies
from redyard.cache import Cache
from redyard.client import Redis
from redyard.queue import Queue
from redyard.ratelimit import RateLimit

AppRedis = Annotated[Redis, Depends(redis_of)]
"""A parameter of this type is the store's client."""

AppQueue = Annotated[Queue, Depends(queue_of)]
"""A parameter of this type is the queue."""

AppCache = Annotated[Cache, Depends(cache_of)]
"""A parameter of this type is the cache."""


__all__ = ["AppCache", "AppQueue", "AppRedis", "Kit", "RateLimited", "answer_problems", "rate_limited"]


class RateLimited(HTTPException):
    """A request that a limit refuses."""

    def __init__(self, refused: Refusal) -> None:
        headers = {name.decode(): value.decode() for name, value in refused.headers if not name.startswith(b"content")}
        super().__init__(refused.status, "Too many requests", headers)
        self.refused = refused


def rate_limited(
    limit: RateLimit,
    *,
    client: Callable[..., Any] | None = None,
    cost: int = 1,
    proxies: int | Sequence[str] = 0,
) -> Callable[..., Awaitable[None]]:
    """Return a dependency that counts a request, or refuses it.

    Args:
        limit: the budget.
        client: a dependency that returns who asks, or None for one who is not counted; by default it is the address.
        cost: how many hits the request counts for.
        proxies: the trusted ones, for the address.
    """
    budget, trusted = Budget(limit, cost=cost), Proxies(proxies)

    async def by_address(request: Request) -> str:  # async: FastAPI runs others in a thread
        return trusted.client(request.scope)

    async def dependency(response: Response, who: Annotated[str | None, Depends(client or by_address)]) -> None:
        if who is None:
            return
        said = [(budget, await limit.hit(str(who), cost=cost))]
        if refused := refusal(said):
            raise RateLimited(refused)
        for name, value in fields(said):
            response.headers.append(name.decode(), value.decode())

    return dependency


def answer_problems(app: FastAPI) -> None:
    """Make the app answer a refusal with application/problem+json, as the middleware does."""
    app.add_exception_handler(RateLimited, _problem)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RateLimited)
    headers = {"content-type": "application/problem+json", **(error.headers or {})}
    return Response(error.refused.body, error.status_code, headers)
