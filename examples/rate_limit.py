"""A rate limit: five sign-ins a minute for each address, counted for all processes in one place.

`redyard run -- python examples/rate_limit.py`
"""

import asyncio

from redyard import RateLimit, Redis


async def main() -> None:
    """Knock six times from one address, and once from another."""
    async with Redis.from_env() as redis:
        limit = RateLimit(redis, "example-sign-in", limit=5, per=60)
        for address in ("203.0.113.5", "203.0.113.6"):
            await limit.reset(address)  # what an earlier run counted

        for number in range(1, 7):
            decision = await limit.hit("203.0.113.5")
            print(f"hit {number}:", "allowed," if decision.allowed else "refused,", decision.remaining, "remain")
        print("again in about", round(decision.retry_after), "s")

        other = await limit.hit("203.0.113.6")
        print("another address:", "allowed" if other.allowed else "refused")


if __name__ == "__main__":
    asyncio.run(main())
