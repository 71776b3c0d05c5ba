"""A real endpoint of a language model on loopback, which answers, refuses or hangs as it is told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Endpoint:
    """A server that keeps what it was asked and replies as it is told."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.url = ""
        self.asked = 0
        self.head = ""
        self.question: dict[str, object] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(self.head.lower().partition("content-length: ")[2].split()[0])
            self.question = json.loads(await reader.readexactly(length))
            self.asked += 1
            await self.reply(reader, writer)
        except ConnectionError:
            pass  # the client gave up
        finally:
            writer.close()


def says(status: str, body: str) -> Reply:
    async def reply(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()

    return reply


async def hangs(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client has gone


async def drips(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


def answer(text: object) -> str:
    return json.dumps({"choices": [{"message": {"content": text}}]})


@asynccontextmanager
async def endpoint(reply: Reply) -> AsyncIterator[Endpoint]:
    found = Endpoint(reply)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


@contextmanager
def nobody() -> Iterator[str]:
    """Give the address of a port that is held, and that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"
