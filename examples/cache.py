"""A cache: results are kept, loaded once for all who ask, and forgotten on demand.

`redyard run -- python examples/cache.py`
"""

import asyncio

from redyard import Cache, Redis


async def main() -> None:
    """Ask ten times at once, forget, ask again."""
    asked: list[int] = []
    async with Redis.from_env(role="cache") as redis:
        cache = Cache(redis, ttl=3600, prefix="example:")

        @cache.cached("product:{product_id}", ttl=60)
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

        await cache.set("motto", None, ttl=10)
        print("None is a value:", await cache.get("motto", "nothing") is None)
        await cache.delete("motto")
        print("then there is:", await cache.get("motto", "nothing"))


if __name__ == "__main__":
    asyncio.run(main())
