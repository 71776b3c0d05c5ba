"""What a peer's module yields: its own call for a hit of a client, and whether what that answers means allowed."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple


class Limiter(NamedTuple):
    hit: Callable[[str], Awaitable[Any]]
    allowed: Callable[[Any], bool]
