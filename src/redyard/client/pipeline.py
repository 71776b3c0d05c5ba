"""redis-py's pipeline on the shared lane: its commands leave as one batch, with nobody's between them.

A pipeline that watches keys needs a connection of its own, and works as redis-py's does.
"""

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import redis.asyncio.client
from redis.client import NEVER_DECODE
from redis.exceptions import DataError

from redyard.client.blocking import patience
from redyard.client.call import RAW, SAFE
from redyard.client.routes import READS, REFUSED, full_name, split

if TYPE_CHECKING:
    from redyard.client.redis import Redis

OWN = "HIMPORT"
"""A command whose state belongs to a connection; redis-py prepares one for it."""


class Pipeline(redis.asyncio.client.Pipeline):
    """A `redis.asyncio.client.Pipeline` that takes no connection unless it watches."""

    def __init__(self, *args: Any, client: "Redis") -> None:
        super().__init__(*args)
        self._client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run the commands and return their answers in order."""
        stack = self.command_stack
        if self.watching or self.connection or self.scripts or not stack or any(_own(words) for words, _ in stack):
            return await super().execute(raise_on_error)
        run: Any = self._execute_transaction if self._in_transaction else self._execute_pipeline
        try:
            answers: list[Any] = await run(self._wire(), stack, raise_on_error)
            return answers
        finally:
            await cast("Any", self).reset()

    @property
    def _in_transaction(self) -> bool:
        return bool(self.is_transaction or self.explicit_transaction)

    def _wire(self) -> "Wire":
        """Check the commands and return what carries them."""
        flags = []
        for words, options in self.command_stack:
            name = full_name(words)
            if name in REFUSED:
                raise DataError(f"{name} is refused: {REFUSED[name]}")
            if patience(words) is not None and not self._in_transaction:
                raise DataError(f"{name} is refused in a pipeline: it would make all callers wait")
            flags.append((SAFE if name in READS else 0) | (RAW if NEVER_DECODE in options else 0))
        return Wire(self._client, None if self._in_transaction else flags)


class Wire:
    """Stands where redis-py's pipeline expects a connection: what it sends is one batch, what it reads its answers."""

    def __init__(self, client: "Redis", flags: list[int] | None) -> None:
        self._client = client
        self._flags = flags
        self._answers: deque[Any] = deque()

    def pack_commands(self, commands: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Take the commands as they are; the lane packs them."""
        return [split(words) for words in commands]

    async def send_packed_command(self, commands: list[tuple[Any, ...]]) -> None:
        """Send the batch and wait for all of its answers."""
        flags = self._flags or [0] * len(commands)
        safe = all(flag & SAFE for flag in flags)
        calls = [(words, flag if safe else flag & ~SAFE) for words, flag in zip(commands, flags, strict=True)]
        self._answers.extend(await self._client.send_batch(calls))

    async def read_response(self, disable_decoding: bool = False) -> Any:  # noqa: ARG002 - the lane did it
        """Return the next answer, or raise it when it is an error."""
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _own(words: tuple[Any, ...]) -> bool:
    return str(words[0]).upper().startswith(OWN)
