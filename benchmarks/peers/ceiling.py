"""The ceiling of callers in asyncio: a protocol, hiredis, a future for each command, one write a turn, nothing else."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import hiredis


class Ceiling(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.reader = hiredis.Reader()
        self.waiting: list[tuple[Any, ...]] = []
        self.flight: deque[asyncio.Future[Any]] = deque()

    def send(self, *words: Any) -> "asyncio.Future[Any]":
        if not self.waiting:
            self.loop.call_soon(self.flush)
        future = self.loop.create_future()
        self.waiting.append(words)
        self.flight.append(future)
        return future

    async def get(self, key: str) -> Any:
        return await self.send("GET", key)

    async def set(self, key: str, value: bytes) -> Any:
        return await self.send("SET", key, value)

    def flush(self) -> None:
        self.transport.write(b"".join(map(hiredis.pack_command, self.waiting)))
        self.waiting.clear()

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), 16384):
            self.reader.feed(data, start, min(16384, len(data) - start))
            while (reply := self.reader.gets()) is not False:
                self.flight.popleft().set_result(reply)


@asynccontextmanager
async def connect(url: str, _: int) -> AsyncIterator[Ceiling]:
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    if address.scheme == "unix":
        transport, ceiling = await loop.create_unix_connection(Ceiling, address.path)
    else:
        transport, ceiling = await loop.create_connection(Ceiling, address.hostname, address.port)
    yield ceiling
    transport.close()
