"""A plain connection that asks many things at once: for servers that let nobody follow them, and so are asked for all.

An answer that is an error is given as one (`hiredis.ReplyError`): who asks knows which of them matter.
"""

import asyncio
from typing import Any, Self, cast

import hiredis

from redyard.backups.psync import PART, PATIENCE, Source
from redyard.errors import FollowRefused

Words = tuple[str | bytes | int, ...]


class Line:
    """A connection; `ask` sends commands in one go and returns their answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = hiredis.Reader()

    @classmethod
    async def open(cls, source: Source) -> Self:
        """Connect and log in; raise FollowRefused or OSError."""
        async with asyncio.timeout(PATIENCE):
            made = cls(*await source.dial())
            try:
                await made._greet(source)
            except BaseException:
                made.close()
                raise
        return made

    async def _greet(self, source: Source) -> None:
        if source.password:
            login = (source.user, source.password) if source.user else (source.password,)
            [answer] = await self.ask(("AUTH", *login))
            if isinstance(answer, hiredis.ReplyError):
                raise FollowRefused(reason=f"it answered AUTH with {str(answer)[:100]!r}")

    async def ask(self, *commands: Words) -> list[Any]:
        """Send commands and return their answers, in their order."""
        self._writer.write(b"".join(pack(words) for words in commands))
        answers: list[Any] = []
        while len(answers) < len(commands):
            if (answer := self._parser.gets()) is not False:
                answers.append(answer)
                continue
            async with asyncio.timeout(PATIENCE):
                part = await self._reader.read(PART)
            if not part:
                raise ConnectionResetError("the server closed the connection")
            self._parser.feed(part)
        return answers

    def close(self) -> None:
        """End the connection at once; all answers have come."""
        self._writer.transport.abort()


def pack(words: Words) -> bytes:
    """Return a command as it is sent."""
    packed: bytes = hiredis.pack_command(cast("Any", words))
    return packed
