"""`Redis`: redis-py's asyncio client with the defaults that an app needs, the same from every constructor.

redis-py repeats a command after a lost reply, ends a blocking read after 5 s and raises when its pool is used up. Here
a command is sent once, a blocking command has a connection and a deadline of its own, and a used-up pool waits.
"""

import asyncio
import os
from collections.abc import Mapping
from functools import cache
from math import inf
from typing import Any, Self, cast

import redis.asyncio
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from redyard.client.blocking import patience
from redyard.client.url import check_url, find_url, redact
from redyard.errors import InvalidURL

TIMEOUT = 5.0
"""Seconds for a connection to be made, a command to be answered and a free connection to be had."""

CONNECTIONS = 32
BLOCKING_CONNECTIONS = 16

DEFAULTS: dict[str, Any] = {
    "socket_timeout": TIMEOUT,
    "socket_connect_timeout": TIMEOUT,
    "max_connections": CONNECTIONS,
}


class Redis(redis.asyncio.Redis):
    """A `redis.asyncio.Redis` that runs no command twice and lets no call hang; it connects at its first command."""

    def __init__(self, *, connection_pool: ConnectionPool | None = None, **options: Any) -> None:
        options = {"retry": Retry(NoBackoff(), 0), **_named(options)}
        super().__init__(connection_pool=connection_pool, maint_notifications_config=_QUIET, **options)
        if connection_pool is None:
            made = self.connection_pool
            self.connection_pool = _pool(made.connection_class, made.connection_kwargs, size=made.max_connections)
        self._blocking_pool: Any = None

    @classmethod
    def from_env(
        cls, role: str = "store", environ: Mapping[str, str] = os.environ, *, app: str = "app", **options: Any
    ) -> Self:
        """Make a client for the store or the cache that the environment names; `app` tells clients apart in lists."""
        return cls.from_url(find_url(environ, role=role), client_name=client_name(app, role), **options)

    @classmethod
    def from_url(  # type: ignore[override] # a parent's argument is deprecated and absent here
        cls, url: str, single_connection_client: bool = False, **options: Any
    ) -> Self:
        """Make a client for an address such as `redis://USER:PASSWORD@HOST:PORT/DB`, or raise InvalidURL."""
        url = check_url(url)
        try:
            options = {"retry": Retry(NoBackoff(), 0), "timeout": TIMEOUT, **_named(options), **parse_url(url)}
            pool = _pool(options.pop("connection_class", Connection), options, size=options.pop("max_connections"))
            cast("Any", pool).make_connection()  # it connects later; here it refuses unknown options of the address
        except (TypeError, ValueError, redis.RedisError) as error:
            raise InvalidURL(url=redact(url), reason=str(error)) from None
        client = cls(connection_pool=pool, single_connection_client=single_connection_client)
        client.auto_close_connection_pool = True
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run one command; a blocking one on a connection of its own, bounded by its own timeout."""
        seconds = patience(args)
        if seconds is None or self.single_connection_client:
            return await cast("Any", super()).execute_command(*args, **options)
        connection = await self._blocking_connection(seconds + TIMEOUT)
        try:
            return await self._send_command_parse_response(connection, args[0], *args, **options)
        finally:
            await self._lane().release(connection)

    async def _send_command_parse_response(self, conn: Any, command_name: Any, *args: Any, **options: Any) -> Any:
        usual, conn.socket_timeout = conn.socket_timeout, None
        seconds = patience(args)
        try:
            async with asyncio.timeout(_finite(usual if seconds is None else seconds + TIMEOUT)):
                return await cast("Any", super())._send_command_parse_response(conn, command_name, *args, **options)
        except TimeoutError:
            raise RedisTimeoutError("Timeout: the server did not answer; the command may have run.") from None
        finally:
            conn.socket_timeout = usual

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections that this client owns."""
        await super().aclose(close_connection_pool)
        if self._blocking_pool is not None and self._blocking_pool is not self.connection_pool:
            await self._blocking_pool.aclose()

    async def _blocking_connection(self, seconds: float) -> Any:
        try:
            async with asyncio.timeout(_finite(seconds)):
                return await self._lane().get_connection()
        except TimeoutError:
            raise RedisTimeoutError("Timeout: no connection was free for a blocking command.") from None

    def _lane(self) -> Any:
        if self._blocking_pool is None:
            pool = self.connection_pool
            plain = type(pool) in {ConnectionPool, BlockingConnectionPool}
            self._blocking_pool = (
                _pool(pool.connection_class, {**pool.connection_kwargs, "timeout": None}, size=BLOCKING_CONNECTIONS)
                if plain
                else pool
            )
        return self._blocking_pool


def client_name(app: str, role: str) -> str:
    """Return the name under which a server lists this process: `app:role:pid`."""
    words = (app, role, str(os.getpid()))
    return ":".join("".join(sign if "!" <= sign <= "~" else "-" for sign in word) for word in words)


_QUIET = MaintNotificationsConfig(enabled=False)


def _finite(seconds: float | None) -> float | None:
    return None if seconds == inf else seconds


def _named(options: dict[str, Any]) -> dict[str, Any]:
    return {**DEFAULTS, "client_name": client_name("app", "redis"), **options}


def _pool(kind: Any, options: Mapping[str, Any], *, size: int) -> ConnectionPool:
    rest = {"timeout": TIMEOUT, **options, "maint_notifications_config": _QUIET}
    pool = BlockingConnectionPool(connection_class=_whole(kind), max_connections=size, **rest)
    return cast("ConnectionPool", pool)


class _Whole:
    """Sends under one deadline: redis-py does it by `wait_for`, which before Python 3.12 can swallow a cancellation."""

    socket_timeout: float | None

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        usual, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(usual):
                await cast("Any", super()).send_packed_command(command, check_health)
        except TimeoutError:
            raise RedisTimeoutError("Timeout: the server did not take the command.") from None
        finally:
            self.socket_timeout = usual


@cache
def _whole(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    return kind if issubclass(kind, _Whole) else type(kind.__name__, (_Whole, kind), {})
