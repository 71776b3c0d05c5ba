"""The level in this process: the least recently used goes when there are too many values, or too many bytes."""

from collections import OrderedDict

OVERHEAD = 150
"""Bytes that a value costs beside itself and its key, about."""


class Local:
    """Values as they lie in Redis, by key; who reads one makes its own copy of what is in it."""

    def __init__(self, entries: int, size: int) -> None:
        self.entries = entries
        self.size = size
        self.bytes = 0
        self._values: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> bytes | None:
        """Return a value."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, unless it alone would take an eighth of the room."""
        self.drop(key)
        cost = _cost(key, value)
        if cost > self.size // 8:
            return
        self._values[key] = value
        self.bytes += cost
        while len(self._values) > self.entries or self.bytes > self.size:
            self.bytes -= _cost(*self._values.popitem(last=False))

    def drop(self, key: str | None) -> None:
        """Forget a value, or all where the key is None."""
        if key is None:
            self._values.clear()
            self.bytes = 0
        elif (value := self._values.pop(key, None)) is not None:
            self.bytes -= _cost(key, value)


def _cost(key: str, value: bytes) -> int:
    return OVERHEAD + len(key) + len(value)
