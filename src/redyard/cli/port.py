"""A worker's port, on loopback: is it well, and its figures. Two pages need no web framework."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from redyard.errors import PortInUse

HOST = "127.0.0.1"
PATIENCE = 5.0
"""Seconds for a request to come, and for its answer to be taken."""

WORDS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error", 503: "Not Available"}
"""The statuses that are answered."""


class Answer(NamedTuple):
    """A page: its status, its text and the text's kind."""

    status: int
    text: str
    kind: str = "application/json"


Page = Callable[[], Awaitable[Answer]]


def as_json(status: int, data: Mapping[str, object]) -> Answer:
    """Return a page of JSON."""
    return Answer(status, json.dumps(data, default=str) + "\n")


@asynccontextmanager
async def serving(port: int | None, pages: Mapping[str, Page]) -> AsyncIterator[None]:
    """Serve pages by their paths while the block runs; with no port, nothing is served."""
    if port is None:
        yield
        return
    try:
        server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, pages), HOST, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(port=port, name="the worker") from None
        raise
    async with server:
        yield


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Mapping[str, Page]) -> None:
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        answer = await _answer(head.split(b"\r\n")[0].decode(errors="replace"), pages)
        body = answer.text.encode()
        lines = (
            f"HTTP/1.1 {answer.status} {WORDS[answer.status]}",
            f"Content-Type: {answer.kind}; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        async with asyncio.timeout(PATIENCE):
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _answer(line: str, pages: Mapping[str, Page]) -> Answer:
    method, _, rest = line.partition(" ")
    page = pages.get(rest.partition(" ")[0].partition("?")[0])
    if page is None:
        return as_json(404, {"error": "not found", "pages": sorted(pages)})
    if method != "GET":
        return as_json(405, {"error": "only GET"})
    try:
        return await page()
    except Exception as error:  # noqa: BLE001 - Redis may be away; a page must not end the worker
        return as_json(503, {"error": type(error).__name__})
