"""A cached function: its arguments make the key, its return type the value's type."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, get_type_hints

import msgspec

if TYPE_CHECKING:
    from redyard.cache.cache import Cache

P = ParamSpec("P")
T = TypeVar("T")


class Cached(Generic[P, T]):
    """An async function whose results are kept; call it as the function, and `invalidate` with the same arguments."""

    def __init__(
        self, cache: "Cache", function: Callable[P, Awaitable[T]], *, template: str, ttl: float | None
    ) -> None:
        self.cache = cache
        self.function = function
        self.template = template
        self.ttl = ttl
        self._signature = inspect.signature(function)
        self._decoder = _decoder(function)
        functools.update_wrapper(self, function)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result, from the cache where it is there."""
        key = self.cache.key(self.name(*args, **kwargs))
        text = await self.cache.text(key, lambda: self.function(*args, **kwargs), self.ttl)
        result: T = self._decoder.decode(text)
        return result

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result for these arguments; say whether Redis confirmed it."""
        return await self.cache.delete(self.name(*args, **kwargs))

    def name(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the name of the result for these arguments; no argument can run into another."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return self.template.format_map({name: _Part(value) for name, value in bound.arguments.items()})


class _Part:
    """An argument as a part of a key: "{user}" and "{user.id}" both come out with ':' and '%' escaped."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __getattr__(self, name: str) -> "_Part":
        return _Part(getattr(self._value, name))

    def __getitem__(self, name: Any) -> "_Part":
        return _Part(self._value[name])  # type: ignore[index] # as str.format does: an error if it cannot be

    def __format__(self, spec: str) -> str:
        return format(self._value, spec).replace("%", "%25").replace(":", "%3A")


def _decoder(function: Callable[..., object]) -> msgspec.json.Decoder[Any]:
    try:
        return msgspec.json.Decoder(get_type_hints(function).get("return", Any))
    except (TypeError, NameError):
        return msgspec.json.Decoder()
