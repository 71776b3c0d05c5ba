"""What lies at a cache's key: a head of fixed size, the versions of the value's tags, the value.

The head holds who loads the value anew, so that whoever deletes the record also takes away the right to write what was
loaded before: an invalidation wins over every load that began before it, in whatever process.
"""

from struct import Struct, error, pack_into
from typing import NamedTuple

import msgspec

MAGIC = 0xC1
"""First byte: no JSON, no UTF-8 and no MessagePack begins with it."""

HEAD = Struct("<BB8sdddfH")
"""Magic, flags, the loader's token, when its right ends (server's milliseconds), when the value ceases to be fresh and
when it ends (Unix time), how many seconds its load took, the size of its tags. The scripts know the first five.
"""

MSGPACK, ZSTD, EMPTY = 1, 2, 128
"""Flags: how the value is written; no value yet, only a loader."""

NOBODY = bytes(8)
"""The token of a record that nobody loads; with a time in it, the last load failed and the next one waits till then."""

EARLY = 10.0
"""How many times its load's seconds before its end a value may be loaded anew: earlier, chance is below 1 in 20,000."""

Versions = dict[str, str]
"""The version that each tag of a value had when its load began."""


class Record(NamedTuple):
    """A record as it was read: `held` (server's Unix time) ends the right of `holder`, or the rest after a failure."""

    flags: int
    holder: bytes
    held: float
    fresh: float
    ends: float
    seconds: float
    tags: bytes
    value: bytes

    @property
    def empty(self) -> bool:
        """Say whether there is no value yet."""
        return self.flags >= EMPTY

    def versions(self) -> Versions:
        """Return the versions of the tags."""
        try:
            return msgspec.json.decode(self.tags, type=Versions) if self.tags else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {"": ""}  # a tag that nobody has: the record does not hold


def parse(text: bytes) -> Record | None:
    """Return the record that is written so, or None where it is none of ours."""
    try:
        magic, flags, holder, held, fresh, ends, seconds, size = HEAD.unpack_from(text)
    except error:
        return None
    if magic != MAGIC:
        return None
    if size:
        return Record(flags, holder, held / 1000, fresh, ends, seconds, text[40 : 40 + size], text[40 + size :])
    return Record(flags, holder, held / 1000, fresh, ends, seconds, b"", text[40:])


def is_plain(text: bytes, now: float) -> bool:
    """Say whether a record is ours, plain JSON without tags, and fresh for so long that nobody loads it anew."""
    try:
        magic, flags, _, _, fresh, _, seconds, tags = HEAD.unpack_from(text)
    except error:
        return False
    return magic == MAGIC and not flags and not tags and now < fresh - EARLY * seconds


def write(
    value: bytes, flags: int, *, fresh: float, ends: float, seconds: float = 0.0, tags: Versions | None = None
) -> bytes:
    """Return a record as it is written; `fresh` and `ends` are Unix times."""
    known = msgspec.json.encode(tags) if tags else b""
    text = bytearray(HEAD.size)
    pack_into(HEAD.format, text, 0, MAGIC, flags, NOBODY, 0.0, fresh, ends, seconds, len(known))
    return bytes(text + known + value)


VACANT = write(b"", EMPTY, fresh=0.0, ends=0.0)
"""A record without a value, for a key whose first load begins."""
