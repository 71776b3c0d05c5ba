"""`HealthApp`: /live, /ready, /redis and /complete for load balancers and people. Mount it at /health."""

from collections.abc import Mapping

from redyard.asgi.types import Receive, Scope, Send, answer
from redyard.client import Redis
from redyard.health import Check, Health


class HealthApp:
    """Answers 200 when all is well and 503 when it is not; the body never shows a driver's message."""

    def __init__(self, redis: Redis, *, checks: Mapping[str, Check] | None = None) -> None:
        self.health = Health(redis, checks=checks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer one request."""
        if scope["type"] != "http":
            return None
        views = {"/live": self._live, "/ready": self._ready, "/redis": self._redis, "/complete": self._complete}
        view = views.get(scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/"))
        if view is None:
            return await answer(send, 404, {"error": "There is /live, /ready, /redis and /complete."})
        if scope["method"] not in {"GET", "HEAD"}:
            return await answer(send, 405, {"error": "Only GET and HEAD are allowed."}, {"allow": "GET, HEAD"})
        healthy, body = await view()
        return await answer(send, 200 if healthy else 503, body)

    async def _live(self) -> tuple[bool, object]:
        return True, {"status": "healthy"}

    async def _ready(self) -> tuple[bool, object]:
        report = await self.health.complete()
        return report.healthy, {"status": report.to_json()["status"]}

    async def _redis(self) -> tuple[bool, object]:
        result = await self.health.redis()
        return result.healthy, result.to_json()

    async def _complete(self) -> tuple[bool, object]:
        report = await self.health.complete()
        return report.healthy, report.to_json()
