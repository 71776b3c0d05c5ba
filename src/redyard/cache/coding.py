"""How values are written: JSON or MessagePack by msgspec, in zstd above a size; never pickle.

A type says what comes back: whatever msgspec knows, and pydantic's models where pydantic is installed. A reader takes
what the record says it is, so two processes may be set differently.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from redyard.cache.record import MSGPACK, ZSTD
from redyard.errors import InvalidValue, MissingExtra, NotJSON

LARGEST = 256 * 1024 * 1024
"""Bytes that a compressed value may have when it is unpacked: a few bytes in Redis must not take all memory."""

FORMATS: Final = {"json": 0, "msgpack": MSGPACK}

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, ValueError, TypeError, EOFError, RecursionError)
"""What a value raises that cannot be read; msgspec's and pydantic's own errors are ValueErrors."""


class Writing:
    """A cache's way to write: its format, and above how many bytes zstd packs a value (None: never)."""

    def __init__(self, form: str, above: int | None) -> None:
        if form not in FORMATS:
            raise InvalidValue(value=form, kind="format of values", example='"json" or "msgpack"')
        self.flags = FORMATS[form]
        self.above = above
        self.zstd = _zstd() if above is not None else None

    def pack(self, text: bytes) -> tuple[bytes, int]:
        """Return a written value as it goes to Redis, and its flags."""
        if self.zstd is None or self.above is None or len(text) <= self.above:
            return text, self.flags
        return self.zstd.compress(text), self.flags | ZSTD


class Coder:
    """Writes and reads the values of one type."""

    def __init__(self, kind: Any, what: str) -> None:
        self.what = what
        self.read_json: Callable[[bytes], Any]
        self._read_msgpack: Callable[[bytes], Any]
        self._adapter: Any = None
        if kind is not Any and (stranger := next(_strangers(kind, what), None)) is not None:
            self._adapter = _adapter(kind, stranger, what)
            self.read_json, self._read_msgpack = self._adapter.validate_json, self._validate
        else:
            self.read_json = msgspec.json.Decoder(kind).decode
            self._read_msgpack = msgspec.msgpack.Decoder(kind).decode

    def write(self, value: object, flags: int, what: str = "") -> bytes:
        """Return a value as JSON or MessagePack, or raise NotJSON that says what it is."""
        try:
            if self._adapter is not None:
                text: bytes = self._adapter.dump_json(value)
                return msgspec.msgpack.encode(msgspec.json.decode(text)) if flags & MSGPACK else text
            return _WRITE[flags & MSGPACK](value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise NotJSON(what=what or self.what, reason=str(error)[:200]) from None

    def read(self, text: bytes, flags: int) -> Any:
        """Return the value, or raise one of UNREADABLE."""
        if flags & ZSTD:
            text = _unpack(text)
        return self._read_msgpack(text) if flags & MSGPACK else self.read_json(text)

    def _validate(self, text: bytes) -> Any:
        return self._adapter.validate_json(msgspec.json.encode(msgspec.msgpack.decode(text)))


_WRITE: dict[int, Callable[[object], bytes]] = {
    0: msgspec.json.Encoder().encode,
    MSGPACK: msgspec.msgpack.Encoder().encode,
}


PLAIN = Coder(Any, "the cache's value")


@lru_cache(maxsize=256)
def _known_coder(kind: Any) -> Coder:
    return Coder(kind, "the cache's value")


def coder_of(kind: Any) -> Coder:
    """Return what writes and reads values of a type, made once."""
    try:
        return PLAIN if kind is Any else _known_coder(kind)
    except TypeError as error:  # a type that has no hash
        if "unhashable" not in str(error):
            raise
        return Coder(kind, "the cache's value")


def _strangers(kind: Any, what: str) -> Iterator[type]:
    """Yield the classes within a type that msgspec does not know."""
    try:
        found = inspect.type_info(kind)
    except TypeError as error:
        if _is_model(kind):
            yield kind
            return
        raise NotJSON(what=what, reason=str(error)[:200]) from None
    seen: set[int] = set()
    todo: list[object] = [found]
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, inspect.CustomType):
            if part.cls is not object:
                yield part.cls
        elif isinstance(part, msgspec.Struct):
            todo += [getattr(part, name) for name in part.__struct_fields__]
        elif isinstance(part, (list, tuple)):
            todo += part


def _adapter(kind: Any, stranger: type, what: str) -> Any:
    if not _is_model(stranger):
        raise NotJSON(what=what, reason=f"its type {stranger.__name__} is none that msgspec or pydantic knows")
    return importlib.import_module("pydantic").TypeAdapter(kind)


def _is_model(kind: Any) -> bool:
    return hasattr(kind, "__pydantic_core_schema__")


def _zstd() -> Any:
    """Return the standard library's zstd, or its backport before Python 3.14."""
    try:
        return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise MissingExtra(extra="zstd", package="backports.zstd") from None


def _unpack(text: bytes) -> bytes:
    try:
        unpacker = _zstd().ZstdDecompressor()
        unpacked: bytes = unpacker.decompress(text, LARGEST)
    except Exception as error:  # noqa: BLE001 - zstd's own, whichever module it came from
        raise ValueError(type(error).__name__) from None
    if not unpacker.eof:
        raise ValueError("it is cut off or too large")
    return unpacked
