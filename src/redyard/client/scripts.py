"""Lua scripts: files of their package, sent by digest, and whole when the server does not know them.

Replies are bytes whatever the client's `decode_responses` says, so that the capabilities work with every client.
"""

from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError


class Script:
    """A script of a package's `lua` directory; its header lists KEYS, ARGV and results."""

    def __init__(self, package: str, name: str, *, directory: str = "lua") -> None:
        self.name = name
        self.text = files(package).joinpath(directory, f"{name}.lua").read_text("utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: list[str], *args: str | bytes | float) -> Any:
        """Run it on a server and return its reply."""
        try:
            return await raw(redis, "EVALSHA", self.digest, len(keys), *keys, *args)
        except NoScriptError:
            return await raw(redis, "EVAL", self.text, len(keys), *keys, *args)


async def raw(redis: Redis, command: str, *args: str | bytes | float) -> Any:
    """Run one command and return its reply as it came: undecoded, and not rearranged by redis-py."""
    run: Any = redis.execute_command
    return await run(command.encode(), *args, **{NEVER_DECODE: True})  # redis-py knows its callbacks by text
