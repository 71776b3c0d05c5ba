"""The yard's own line to an engine: one connection, kept open, so that a full engine still answers its owner."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError, ResponseError

from redyard.engine import access
from redyard.engine.directives import lookup
from redyard.engine.seat import Seat
from redyard.reading import Reading
from redyard.yard.credentials import Secret
from redyard.yard.phases import Answer
from redyard.yard.spec import Spec

LIVE = ("maxmemory", "maxmemory-clients", "maxclients", "repl-backlog-size")
"""Settings that follow the plan and can be changed while the engine runs."""

PATIENCE = 1.0
"""Seconds that a command of the yard may take."""

REMOTE_PATIENCE = 1.5
"""Seconds that it may take over a network."""


class Admin:
    """Asks an engine as the yard's user. No command is retried; a lost connection is made again at the next one."""

    def __init__(self, pool: redis.asyncio.BlockingConnectionPool) -> None:
        self.redis = redis.asyncio.Redis.from_pool(pool)

    @classmethod
    def local(cls, seat: Seat, password: str) -> Self:
        """Return the line to an engine of ours, over its socket."""
        return cls(
            redis.asyncio.BlockingConnectionPool(
                connection_class=redis.asyncio.UnixDomainSocketConnection,
                path=str(seat.socket),
                username=access.YARD.name,
                password=password,
                **_options(PATIENCE),
            )
        )

    @classmethod
    def remote(cls, url: str) -> Self:
        """Return the line to an engine of somebody else's, by its address."""
        options = {**_options(REMOTE_PATIENCE), "socket_connect_timeout": REMOTE_PATIENCE, "protocol": 2}
        return cls(redis.asyncio.BlockingConnectionPool.from_url(url, **options))

    async def ping(self) -> Answer:
        """Say whether the engine answers. An error that it sends is an answer; LOADING says that it cannot serve."""
        try:
            await self.redis.ping()
        except BusyLoadingError:
            return Answer.LOADING
        except ResponseError:
            return Answer.PONG
        except (RedisError, OSError):
            return Answer.NONE
        return Answer.PONG

    async def settle(self, spec: Spec, secured: Mapping[str, str] = MappingProxyType({})) -> None:
        """Give the engine the ports and the limits that are wanted: a change that was cut short may have left others.

        All in one command, which changes all or nothing. What it has of TLS comes before the port, and a port is given
        up before another kind takes it.
        """
        ports = {"tls-port": "0", **spec.ports}
        plan = {name: lookup(name).value(spec.role, spec.limits) for name in LIVE}
        limits = {name: spec.settings.get(name, value) for name, value in plan.items()}
        wanted = {**secured, **dict(sorted(ports.items(), key=lambda port: port[1] != "0")), **limits}
        found = await self.redis.config_get(*wanted)
        changed = {name: value for name, value in wanted.items() if found.get(name, value) != value}
        if changed:
            await self.redis.config_set(*(word for pair in changed.items() for word in pair))

    async def let_in(self, secrets: Mapping[str, Secret], spec: Spec) -> None:
        """Have the engine know these users, each with all passwords that count; others it may have stay."""
        for user in access.users(spec.apps):
            words = access.rules(user, secrets[user.name].valid)
            await self._run("ACL", "SETUSER", user.name, "reset", *words)

    async def keep_out(self, user: str) -> None:
        """Have the engine forget a user, and close its connections."""
        await self._run("ACL", "DELUSER", user)

    async def clients(self) -> list[dict[str, str]]:
        """Return everybody who is connected."""
        found: list[dict[str, str]] = await self._run("CLIENT LIST")
        return found

    async def end(self, number: int) -> int:
        """Close one connection; return whether it was there."""
        return int(await self._run("CLIENT", "KILL", "ID", str(number)))

    async def cut(self, user: str) -> int:
        """Close a user's connections, but for this one; return how many there were."""
        return int(await self._run("CLIENT", "KILL", "USER", user, "SKIPME", "yes"))

    async def denials(self) -> list[dict[str, Any]]:
        """Return who was refused lately."""
        found: list[dict[str, Any]] = await self._run("ACL LOG")
        return found

    async def reading(self) -> Reading | None:
        """Return a reading of the engine, or None when it gives none."""
        try:
            return await Reading.take(self.redis)
        except (RedisError, OSError):
            return None

    async def close(self) -> None:
        """End the connection."""
        await self.redis.aclose()

    async def _run(self, *words: str) -> Any:
        client: Any = self.redis
        return await client.execute_command(*words)


def _options(seconds: float) -> dict[str, Any]:
    return {
        "client_name": "redyard:yard",
        "max_connections": 1,
        "timeout": seconds,
        "socket_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
    }
