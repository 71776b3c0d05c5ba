"""How values are written and come back: their types, formats, compression."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pydantic
import pytest

from redyard import Cache, Redis
from redyard.cache import coding
from redyard.engine.find import find
from redyard.errors import InvalidValue, MissingExtra, NotJSON
from tests.support.clients import client
from tests.support.servers import Server


class Product(msgspec.Struct):
    id: int
    when: datetime


@dataclass
class Basket:
    products: list[Product]
    owner: UUID


class Model(pydantic.BaseModel):
    id: int
    note: str | None = None


@dataclass
class Mixed:
    model: Model


@pytest.fixture(scope="module")
def valkey():
    """One engine: what comes back does not depend on which."""
    server = Server(find())
    yield server
    server.close()


@pytest.fixture
async def store(valkey):
    """A client of it, emptied."""
    async with client(valkey.url) as made:
        valkey.admin("FLUSHALL")
        yield made


WHEN = datetime(2026, 11, 23, tzinfo=UTC)
OWNER = UUID(int=7)


@pytest.mark.parametrize(("form", "above"), [("json", None), ("msgpack", None), ("json", 0)])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Product, Product(1, WHEN)),
        (Basket | None, Basket([Product(1, WHEN)], OWNER)),
        (dict[str, tuple[int, ...]], {"a": (1, 2)}),
        (Model, Model(id=1)),
        (list[Model] | None, [Model(id=1, note="é")]),
        (Mixed, Mixed(Model(id=1))),
        (bytes, b"\x00\xff"),
    ],
    ids=str,
)
async def test_a_value_comes_back_as_its_type(store, kind, value, form, above):
    """Hit or miss, in each format, compressed or not."""
    cache = Cache(store, format=form, compress_above=above)

    async def load() -> object:
        return value

    load.__annotations__["return"] = kind
    cached = cache.cached("a")(load)

    assert [value, value] == [await cached(), await cached()]
    assert (1, 1) == (cache.stats.loads, cache.stats.hits)
    assert value == await cache.get("a", of=kind)


async def test_formats_are_told_apart_by_the_record(redis):
    """Processes that are set differently understand each other."""
    await Cache(redis, format="msgpack", compress_above=10).set("a", {"text": "x" * 1000})

    assert {"text": "x" * 1000} == await Cache(redis).get("a")
    assert 200 > await redis.strlen("cache:a")


async def test_small_values_are_not_compressed(redis):
    """It would only cost."""
    await Cache(redis, compress_above=100).set("a", "x" * 90)

    assert b"x" * 90 in await redis.get("cache:a")


def test_a_type_that_nothing_knows_is_refused():
    """When it is defined."""

    class Strange:
        pass

    async def load() -> list[Strange]:
        return []

    with pytest.raises(NotJSON, match="Strange"):
        Cache(Redis()).cached("a")(load)


async def test_a_result_that_is_not_of_its_type_is_refused_and_not_kept(redis):
    """Else every hit would be a miss."""

    @Cache(redis).cached("a")
    async def number() -> int:
        return "one"

    with pytest.raises(NotJSON, match="number cannot be written as JSON: it is not of its type"):
        await number()
    assert 0 == await redis.dbsize()


async def test_a_type_that_changed_is_a_miss(redis):
    """What an older version of the app wrote is loaded anew."""
    cache = Cache(redis)
    await cache.set("a", {"id": "text"})

    @cache.cached("a")
    async def load() -> Model:
        return Model(id=2)

    assert [Model(id=2)] * 2 == [await load(), await load()]
    assert (1, 1) == (cache.stats.unreadable, cache.stats.loads)


def test_an_unknown_format_is_refused():
    """At once."""
    with pytest.raises(InvalidValue, match="'pickle'"):
        Cache(Redis(), format="pickle")


def test_compression_without_its_package_is_refused(monkeypatch):
    """At once, with what to install."""
    monkeypatch.setitem(sys.modules, "backports.zstd" if sys.version_info < (3, 14) else "compression.zstd", None)

    with pytest.raises(MissingExtra, match="zstd"):
        Cache(Redis(), compress_above=100)


async def test_a_value_compressed_too_well_is_a_miss(redis, monkeypatch):
    """A few bytes in Redis must not take all memory."""
    monkeypatch.setattr(coding, "LARGEST", 1000)
    cache = Cache(redis, compress_above=100)
    await cache.set("a", "x" * 5000)

    assert await cache.get("a") is None
    assert 1 == cache.stats.unreadable
