"""A port of loopback that leads to a Unix socket, for a while: an engine follows another by TCP only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redyard.edge.pump import End


@asynccontextmanager
async def relay(path: Path) -> AsyncIterator[tuple[str, int]]:
    """Yield the address of a port that leads to the socket; in the end its connections are closed."""
    loop, ends, dials = asyncio.get_running_loop(), set[End](), set[asyncio.Task[None]]()

    async def dial(near: End) -> None:
        far = End()
        try:
            await loop.create_unix_connection(lambda: far, str(path))
        except OSError:
            near.transport.abort()
        else:
            near.join(far)

    class Near(End):
        """An accepted connection, which asks for its other side."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            ends.add(self)
            dials.add(task := loop.create_task(dial(self)))
            task.add_done_callback(dials.discard)

    server = await loop.create_server(lambda: Near(ends.discard), "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield host, port
    finally:
        server.close()
        for task in dials:
            task.cancel()
        for end in list(ends):
            end.transport.abort()
