"""`HealthApp`: /live, /ready, /redis and /complete for load balancers and people. Mount it at /health."""

import hmac
from collections.abc import Mapping

from redyard.asgi.types import Receive, Scope, Send, answer, header_values
from redyard.client import Redis
from redyard.health import Check, Dependency, Health, Report

HEALTH_JSON = "application/health+json"


class HealthApp:
    """Answers 200 when all is well and 503 when it is not; the body never shows a driver's message.

    Args:
        redis: the server that must take writes.
        checks: the app's own checks, by name.
        durable: what is on the server must not be lost: one that evicts keys is unhealthy.
        token: who sends it (`Authorization: Bearer TOKEN`) sees details; all others then see the status alone.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        checks: Mapping[str, Check | Dependency] | None = None,
        durable: bool = False,
        token: str = "",
    ) -> None:
        self.health = Health(redis, checks=checks, durable=durable)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer one request."""
        if scope["type"] != "http":
            return None
        path = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/")
        if path not in {"/live", "/ready", "/redis", "/complete"}:
            return await answer(send, 404, {"error": "There is /live, /ready, /redis and /complete."})
        if scope["method"] not in {"GET", "HEAD"}:
            return await answer(send, 405, {"error": "Only GET and HEAD are allowed."}, {"allow": "GET, HEAD"})
        wanted = any(HEALTH_JSON in value for value in header_values(scope, b"accept"))
        healthy, body = await self._view(path, detailed=path != "/ready" and self._may_see(scope), standard=wanted)
        return await answer(send, 200 if healthy else 503, body, {"content-type": HEALTH_JSON} if wanted else None)

    async def _view(self, path: str, *, detailed: bool, standard: bool) -> tuple[bool, object]:
        if path == "/live":
            return True, {"status": "pass" if standard else "healthy"}
        report = await self.health.complete() if path != "/redis" else await self._redis()
        body = report.to_health_json() if standard else report.to_json()
        if not detailed:
            return report.healthy, {"status": body["status"]}
        if path == "/redis" and not standard:
            return report.healthy, report.checks["redis"].to_json()
        return report.healthy, body

    async def _redis(self) -> Report:
        return Report({"redis": await self.health.redis()}, self.health.now())

    def _may_see(self, scope: Scope) -> bool:
        if not self._token:
            return True
        given = next(header_values(scope, b"authorization"), "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self._token.encode())
