"""Lua scripts: files of their package, sent by digest, and whole when the server does not know them.

Replies are bytes whatever the client's `decode_responses` says, so that the capabilities work with every client.
"""

from collections.abc import Coroutine
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError

from redyard.client.redis import Redis as OurRedis


class Script:
    """A script of a package's `lua` directory; its header lists KEYS, ARGV and results."""

    def __init__(self, package: str, name: str) -> None:
        self.name = name
        self.text = files(package).joinpath("lua", f"{name}.lua").read_text("utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: list[str], *args: str | bytes | float) -> Any:
        """Run it on a server and return its reply."""
        try:
            return await raw(redis, "EVALSHA", self.digest, len(keys), *keys, *args)
        except NoScriptError:
            return await raw(redis, "EVAL", self.text, len(keys), *keys, *args)


def raw(redis: Redis, command: str, *args: str | bytes | float) -> Coroutine[Any, Any, Any]:
    """Run one command and return its reply as it came: undecoded, and not rearranged by redis-py."""
    name = command.encode()  # redis-py knows its callbacks by text
    if isinstance(redis, OurRedis):
        return redis.run_raw(name, *args)
    run: Any = redis.execute_command
    answer: Coroutine[Any, Any, Any] = run(name, *args, **{NEVER_DECODE: True})
    return answer
