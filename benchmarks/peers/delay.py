"""A network that takes its time: `python -m benchmarks.peers.delay PORT SECONDS` prints the port that leads to PORT."""

import asyncio
import sys
from typing import Any

import uvloop


class End(asyncio.Protocol):
    """One end of a connection; what it receives goes on after the pause, in order."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.other: End | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self.pause, self.pass_on, data)

    def pass_on(self, data: bytes) -> None:
        if self.other is None:  # the way on is not open yet
            self.early.append(data)
        elif not self.other.transport.is_closing():
            self.other.transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.other:
            self.other.transport.close()


class Door(End):
    """The client's end, which opens the other."""

    def __init__(self, pause: float, port: int) -> None:
        super().__init__(pause)
        self.port = port

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.dial = asyncio.create_task(self.meet())

    async def meet(self) -> None:
        loop = asyncio.get_running_loop()
        _, other = await loop.create_connection(lambda: End(self.pause), "127.0.0.1", self.port)
        self.other, other.other = other, self
        other.transport.write(b"".join(self.early))


async def main(port: int, pause: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Door(pause, port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
