"""A cached function: its arguments make the key, its return type the value's type."""

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, get_type_hints

from redis.exceptions import ResponseError

from redyard.cache.coding import UNREADABLE, Coder
from redyard.cache.loads import Job
from redyard.cache.names import Template
from redyard.cache.record import HEAD, is_plain
from redyard.cache.terms import Terms
from redyard.errors import InvalidValue, RedisAway

if TYPE_CHECKING:
    from redyard.cache.cache import Cache

P = ParamSpec("P")
T = TypeVar("T")


class Cached(Generic[P, T]):
    """An async function whose results are kept; call it as the function, and `invalidate` with the same arguments."""

    def __init__(
        self,
        cache: "Cache",
        function: Callable[P, Awaitable[T]],
        *,
        template: str,
        tags: Sequence[str],
        terms: Terms,
    ) -> None:
        name = getattr(function, "__qualname__", repr(function))
        if not inspect.iscoroutinefunction(inspect.unwrap(function)):
            raise InvalidValue(value=name, kind="async function", example=f"async def {name}(...)")
        self.cache = cache
        self.function = function
        self._levels = cache.levels
        self.terms = terms
        self._template = Template(template, function)
        self._tags = [Template(tag, function, may_be_fixed=True) for tag in tags]
        self._coder = Coder(_return_type(function), f"the result of {name}")
        self._read = self._coder.read_json
        functools.update_wrapper(self, function)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result, from the cache where it is there."""
        cache, levels = self.cache, self._levels
        key = cache.key(self._template.fill(args, kwargs))
        tags = self._tag_keys(args, kwargs) if self._tags else ()
        if tags:
            record = await cache.look(key, tags)
        else:
            # The way of a hit: nothing is made that is not needed. Whatever is unusual goes the longer way.
            text = levels.at_hand(key) if levels.local is not None else None
            if text is None:
                try:
                    text = await levels.reads.get(key)
                except (RedisAway, ResponseError) as error:
                    text = await levels.after(key, error)
            if text is not None and is_plain(text, time.time()):
                try:
                    value: T = self._read(text[HEAD.size :])
                except UNREADABLE:
                    pass
                else:
                    cache.stats.hit(key)
                    return value
            record = await cache.examine(key, text)
        job = Job(key, functools.partial(self.function, *args, **kwargs), self._coder, self.terms, tags)
        result: T = await cache.obtain(job, record)
        return result

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Return the method of an instance: its `self` is the first argument."""
        return self if instance is None else Bound(self, instance)

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result for these arguments; say whether Redis confirmed it."""
        return await self.cache.delete(self.name(*args, **kwargs))

    async def invalidate_all(self) -> bool:
        """Forget the results for all arguments: all names that begin as the template does, found among all keys."""
        return await self.cache.invalidate_prefix(self._template.prefix)

    def name(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the name of the result for these arguments; no argument can run into another."""
        return self._template.fill(args, kwargs)

    def _tag_keys(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[str, ...]:
        return self.cache.tag_keys([tag.fill(args, kwargs) for tag in self._tags])


class Bound:
    """A cached method of one instance."""

    def __init__(self, cached: Cached[..., Any], instance: object) -> None:
        self.invalidate = functools.partial(cached.invalidate, instance)
        self.invalidate_all = cached.invalidate_all
        self.name = functools.partial(cached.name, instance)
        self._cached = cached
        self._instance = instance

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the method's result, from the cache where it is there."""
        return await self._cached(self._instance, *args, **kwargs)


def _return_type(function: Callable[..., object]) -> Any:
    try:
        return get_type_hints(function).get("return", Any)
    except (TypeError, NameError):
        return Any
