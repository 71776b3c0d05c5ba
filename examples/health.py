"""Health: what a load balancer asks, and what a person asks. `redyard run -- python examples/health.py`"""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from redyard import Redis
from redyard.asgi.health import HealthApp


async def database() -> bool:
    """Stand for a check of the app's own: it passes unless it raises or returns False."""
    return True


async def mail() -> bool:
    """Stand for a check that fails; what the exception says stays in the process."""
    raise ConnectionRefusedError("smtp.internal:25 as user=postmaster")


async def main() -> None:
    """Ask each address of a healthy app, then one whose mail is away."""
    async with Redis.from_env() as redis:
        routes = [
            Mount("/health", HealthApp(redis, checks={"database": database})),
            Mount("/mail/health", HealthApp(redis, checks={"mail": mail})),
        ]
        transport = httpx.ASGITransport(Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://example.test") as balancer:
            for path in ("/health/live", "/health/ready", "/health/redis", "/health/complete", "/mail/health/complete"):
                answer = await balancer.get(path)
                checks = answer.json().get("checks", {})
                said = {name: check["status"] for name, check in checks.items()} or answer.json()["status"]
                print(answer.status_code, path, said)
        print("fields:", ", ".join(sorted(checks["mail"])), "and for Redis:", ", ".join(sorted(checks["redis"])))


if __name__ == "__main__":
    asyncio.run(main())
