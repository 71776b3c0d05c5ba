"""A cache: results are kept, loaded once for all who ask, given when they are old and nothing else is to be had, and
forgotten on demand.

`redyard run -- python examples/cache.py`
"""

import asyncio

from redyard import Cache, Redis


async def main() -> None:
    """Ask ten times at once, forget, ask again."""
    asked: list[int] = []
    async with Redis.from_env(role="cache") as redis:
        cache = Cache(redis, ttl=3600, prefix="example:", local=1000)

        @cache.cached("product:{product_id}", ttl=60, stale_for=30, tags=["catalog"])
        async def product(product_id: int) -> dict[str, object]:
            """Stand for a slow query."""
            asked.append(product_id)
            await asyncio.sleep(0.05)
            return {"id": product_id, "name": "lamp"}

        await product.invalidate(42)  # what an earlier run kept
        answers = await asyncio.gather(*(product(42) for _ in range(10)))
        print("answers:", len(answers), "queries:", len(asked))
        print("product:", await product(42))
        await product.invalidate(42)
        await product(42)
        print("queries after a change:", len(asked))
        await cache.invalidate_tag("catalog")
        await product(42)
        print("queries after a tag's invalidation:", len(asked))
        await asyncio.gather(product(42), product(42))
        print("hits that asked no server:", await product(42) is not None and cache.stats.local_hits > 0)
        await unreliable(cache)
        await cache.set("motto", None, ttl=10)
        print("None is a value:", await cache.get("motto", "nothing") is None)
        await cache.delete("motto")
        print("then there is:", await cache.get("motto", "nothing"))


async def unreliable(cache: Cache) -> None:
    """Give an old value when no new one can be loaded."""
    rates = [1.08]

    @cache.cached("rate", ttl=0.001, stale_if_error=60)
    async def rate() -> float:
        return rates.pop()  # the second time there is none, and it fails

    await cache.delete("rate")
    await rate()
    await asyncio.sleep(0.01)
    print("a rate although the bank is closed:", await rate())


if __name__ == "__main__":
    asyncio.run(main())
