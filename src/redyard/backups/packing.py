"""A base on its way into the spool: compressed as it comes, in a thread, so that the stream goes on beside it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zstandard

from redyard.backups.spool import LEVEL


class Packed:
    """The file at `path`; `size` counts the bytes that came."""

    def __init__(self, path: Path, writer: Any) -> None:
        self.path, self.size = path, 0
        self._writer = writer

    async def write(self, part: bytes) -> None:
        """Add a part; raise OSError where there is no room for it."""
        self.size += len(part)
        await asyncio.to_thread(self._writer.write, part)


@contextmanager
def packing(path: Path) -> Iterator[Packed]:
    """Write a compressed file; it is whole when the block is over."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with path.open("wb") as file, compressor.stream_writer(file, closefd=False) as writer:
        yield Packed(path, writer)
