"""Rate limits: sign-ins by address and by account in one trip, and two exports at the same time.

`redyard run -- python examples/rate_limit.py`
"""

import asyncio

from redyard import RateLimit, Redis
from redyard.ratelimit import ConcurrencyLimit, Hit, hit_all


async def sign_ins(redis: Redis) -> None:
    """Five a minute for each address, and three in any hour for each account; a wrong password counts twice."""
    by_address = RateLimit(redis, "example-address", limit=5, per=60)
    by_account = RateLimit(redis, "example-account", limit=3, per=3600, rule="window")
    address, account = Hit(by_address, "203.0.113.5"), Hit(by_account, "ada@example.com")
    for hit in (address, account):
        await hit.limit.reset(hit.client)  # what an earlier run counted

    for number in range(1, 4):
        said = await hit_all(address, account)
        refused = [limit.name for limit, decision in said.items() if not decision.allowed]
        print(f"sign-in {number}:", f"refused by {refused[0]}" if refused else "allowed")
        if not refused:
            await by_account.penalty(account.client)

    left = await by_address.peek(address.client)
    print("hits of the address that remain:", left.remaining)


async def exports(redis: Redis) -> None:
    """Two at the same time, in all processes together; who dies in one frees it after ten seconds."""
    limit = ConcurrencyLimit(redis, "example-export", limit=2, lease=10)
    async with limit.hold("ada"), limit.hold("ada"), limit.hold("ada") as third:
        print("third export:", "runs" if third.allowed else "has to wait")
    async with limit.hold("ada") as fourth:
        print("fourth export:", "runs" if fourth.allowed else "has to wait")


async def main() -> None:
    """Knock at both."""
    async with Redis.from_env() as redis:
        await sign_ins(redis)
        await exports(redis)


if __name__ == "__main__":
    asyncio.run(main())
