"""Cached functions."""

import msgspec
import pytest

from redyard import Cache
from redyard.errors import InvalidValue


class Product(msgspec.Struct):
    id: int
    tags: list[str] = []


async def test_a_function_runs_once_for_its_arguments(redis):
    """However they are passed."""
    cache, runs = Cache(redis), []

    @cache.cached("product:{number}:{language}")
    async def product(number: int, language: str = "en") -> str:
        """Find a product."""
        runs.append((number, language))
        return f"{number} {language}"

    assert ["1 en"] * 3 == [await product(1), await product(number=1), await product(1, language="en")]
    assert "1 de" == await product(1, "de")
    assert [(1, "en"), (1, "de")] == runs
    assert ("product", "Find a product.") == (product.__name__, product.__doc__)


async def test_a_hit_is_of_the_same_type_as_a_miss(redis):
    """The return type says what comes back."""

    @Cache(redis).cached("product:{number}", ttl=60)
    async def product(number: int) -> Product:
        return Product(number, ["new"])

    assert [Product(1, ["new"])] * 2 == [await product(1), await product(1)]
    assert 53 <= await redis.ttl("cache:product:1") <= 60


async def test_a_function_without_a_return_type_gives_plain_values(redis):
    """As JSON has them, hit or miss."""

    @Cache(redis).cached("a")
    async def pair():
        return (1, 2)

    assert [[1, 2], [1, 2]] == [await pair(), await pair()]


async def test_an_invalidated_result_is_made_anew(redis):
    """By the same arguments."""
    runs = []

    @Cache(redis).cached("product:{number}")
    async def product(number: int) -> int:
        runs.append(number)
        return len(runs)

    await product(1)
    await product(2)
    assert await product.invalidate(number=1)

    assert [3, 2] == [await product(1), await product(2)]


async def test_no_argument_runs_into_another(redis):
    """A colon in an argument does not make two calls the same."""

    @Cache(redis).cached("{a}:{b}")
    async def both(a: str, b: str) -> list[str]:
        return [a, b]

    calls = [("1:2", "3"), ("1", "2:3"), ("1%3A2", "3"), ("", "1:2:3")]

    assert [list(call) for call in calls] == [await both(*call) for call in calls]


async def test_parts_of_arguments_make_keys(redis):
    """Attributes, items and formats, as in any template."""

    @Cache(redis).cached("{product.id:03}:{options[lang]}")
    async def page(product: Product, options: dict[str, str]) -> str:
        return product.tags[0]

    await page(Product(7, ["a:b"]), {"lang": "d:e"})

    assert await redis.exists("cache:007:d%3Ae")


def test_a_cached_function_needs_a_lifetime(redis):
    """Said when it is defined, not at the first call."""
    with pytest.raises(InvalidValue):
        Cache(redis).cached("a", ttl=0)
