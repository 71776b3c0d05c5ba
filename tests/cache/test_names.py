"""How arguments make names."""

import pytest
from hypothesis import given, settings, strategies as st

from redyard import Cache, Redis
from redyard.cache.names import Template, fit
from redyard.errors import BadKey, BadTemplate, InvalidValue


async def product(number: int, language: str = "en", *, page: int = 1) -> None:
    """A function to be cached."""


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("product:{id}", "'id' is none of its arguments"),
        ("product", "names no argument"),
        ("product:{}", "without a name"),
        ("product:{0}", "'0' is none"),
        ("product:{number.x", "expected '}'"),
        ("product:{other.number}", "'other.number' is none"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template, problem):
    """When it is defined, with what the function has."""
    with pytest.raises(BadTemplate) as caught:
        Template(template, product)

    assert problem in str(caught.value)
    assert "number, language, page" in caught.value.remedy


def test_a_template_too_long_is_refused():
    """No key would have room for it."""
    with pytest.raises(BadKey, match="300 characters"):
        Template("x" * 300 + "{number}", product)


def test_what_is_no_async_function_is_refused():
    """It could not be awaited."""
    with pytest.raises(InvalidValue, match="async function"):
        Cache(Redis()).cached("a:{x}")(lambda x: x)


def test_a_tag_may_name_no_argument():
    """All products share the tag "catalog"; but what it names must be there."""
    cache = Cache(Redis())
    cache.cached("product:{number}", tags=["catalog", "language:{language}"])(product)

    with pytest.raises(BadTemplate, match="'id'"):
        cache.cached("product:{number}", tags=["product:{id}"])(product)


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        ((1,), {}, "1:en:1"),
        ((1, "de"), {"page": 2}, "1:de:2"),
        ((), {"number": 1, "language": "a:b%"}, "1:a%3Ab%25:1"),
        ((None, True), {}, "None:True:1"),
    ],
)
def test_arguments_are_found_however_they_are_passed(args, kwargs, expected):
    """The second time by a plan, with the same result."""
    template = Template("{number}:{language}:{page}", product)

    assert [expected] * 2 == [template.fill(args, kwargs) for _ in range(2)]


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"number": 1}), ((1,), {"x": 1})])
def test_a_wrong_call_is_refused_as_the_function_would(args, kwargs):
    """TypeError, also on a hit."""
    with pytest.raises(TypeError):
        Template("{number}", product).fill(args, kwargs)


def test_variable_arguments_go_the_slow_way():
    """And are right."""

    async def many(*args: int, **kwargs: int) -> None: ...

    assert "7:8%3A9" == Template("{args[1]}:{kwargs[x]}", many).fill((6, 7), {"x": "8:9"})
    assert "7%25" == Template("{number!s:>2}", product).fill(("7%",), {}).strip()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), min_size=2, max_size=2, unique=True))
def test_different_arguments_make_different_names(pairs):
    """Whatever they contain."""

    async def both(a: str, b: str) -> None: ...

    template = Template("x%{a}:{b}", both)
    first, second = (fit(template.fill(pair, {})) for pair in pairs)

    assert first != second


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=600))
def test_any_name_fits(name):
    """Into a key of bounded size, that is printable and begins as the name does."""
    key = fit(name)

    assert 0 < len(key) <= 256
    assert key.isprintable()
    assert fit(key) != key or key == name
    assert name.startswith(key.partition("sha256=")[0][:150]) or "sha256=" in name


async def test_methods_are_cached_too(redis):
    """Their `self` may be a part of the name."""
    cache, runs = Cache(redis), []

    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @cache.cached("price:{self.name}:{number}")
        async def price(self, number: int) -> str:
            runs.append(number)
            return f"{self.name} {number}"

    lamps, books = Shop("lamps"), Shop("books")

    assert ["lamps 1", "books 1", "lamps 1"] == [await shop.price(1) for shop in (lamps, books, lamps)]
    assert await lamps.price.invalidate(1)
    assert "price:lamps:1" == lamps.price.name(1)
    await lamps.price(1)
    assert [1, 1, 1] == runs
