"""A real browser for tests: Debian's chromium, driven over its debugging pipe by the standard library alone."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.wait import until

CHROMIUM = shutil.which("chromium")
_FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe
"""
FLAGS = _FLAGS.split()
ON_3_AND_4 = """
import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(reads, 3), os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The browser's pipe has these two numbers, whatever this process has there."""


class Page:
    """One tab: what it was told to do, what it loaded, what its scripts complained of."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}

    async def open(self) -> None:
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **params: object) -> Any:
        number = next(self._numbers)
        self._writer.write(json.dumps({"id": number, "method": method, "params": params, **self._session}).encode())
        self._writer.write(b"\0")
        while True:
            message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            self._note(message)
            if message.get("id") == number:
                assert "result" in message, message
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            case "Runtime.exceptionThrown" | "Log.entryAdded":
                self.complaints.append(json.dumps(message["params"]))

    async def run(self, script: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def sees(self, script: str, timeout: float = 20) -> Any:
        return await until(lambda: self.run(script), timeout=timeout)

    async def visit(self, address: str) -> None:
        await self.call("Page.navigate", url=address)
        await self.sees(f"location.href.startsWith({address!r}) && document.readyState === 'complete'")

    async def look(self, *, width: int, height: int, dark: bool = False) -> None:
        """Set the size of the window and the scheme of colours."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def shoot(self, path: Path) -> None:
        """Save what it looks like."""
        path.write_bytes(base64.b64decode((await self.call("Page.captureScreenshot"))["data"]))


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Page]:
    """Start a browser with a profile of its own and open a tab."""
    assert CHROMIUM is not None
    (theirs_in, our_out), (our_in, theirs_out) = os.pipe(), os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ON_3_AND_4, str(theirs_in), str(theirs_out)),
        *(CHROMIUM, *FLAGS, f"--user-data-dir={profile}"),
        pass_fds=(theirs_in, theirs_out),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        process_group=0,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    protocol = asyncio.StreamReaderProtocol(reader)
    source, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(our_in, "rb"))
    sink, flow = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(our_out, "wb"))
    page = Page(reader, asyncio.StreamWriter(sink, flow, reader, loop))
    try:
        await page.open()
        yield page
        await page.call("Browser.close")
    finally:
        sink.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, 9)
            await process.wait()
        source.close()
