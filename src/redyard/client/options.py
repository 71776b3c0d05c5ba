"""What a client is made of: its defaults, its name at the server, its papers for TLS, its pool."""

import codecs
import os
import re
from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.maint_notifications import MaintNotificationsConfig

from redyard.client.pool import Pool
from redyard.client.secure import Secured
from redyard.settings import Settings
from redyard.version import VERSION

TIMEOUT = 5.0
"""Seconds for a connection to be made and for a command to be answered."""

CONNECTIONS = 8
"""Connections beside the lane: for blocking commands, watches and subscriptions. More callers wait for one."""

QUIET = MaintNotificationsConfig(enabled=False)

DEFAULTS: dict[str, Any] = {
    "socket_timeout": TIMEOUT,
    "socket_connect_timeout": TIMEOUT,
    "max_connections": CONNECTIONS,
    "health_check_interval": 0,
    "driver_info": DriverInfo().add_upstream_driver("redyard", VERSION),
}


def client_name(app: str, role: str) -> str:
    """Return the name under which a server lists this process: `app:role:pid`."""
    words = (app, role, str(os.getpid()))
    return ":".join("".join(sign if "!" <= sign <= "~" else "-" for sign in word) for word in words)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise ValueError or LookupError for a value that no client can have."""
    codecs.lookup(options.get("encoding", "utf-8"))
    for name in ("socket_timeout", "socket_connect_timeout", "max_connections"):
        if (options[name] or 1) < 0:
            raise ValueError(f"{name} must be more than 0")


def reason_of(error: Exception) -> str:
    """Return what is wrong with an address in the words of one who writes it."""
    unknown = re.search(r"unexpected keyword argument '(.*)'", str(error))
    return f"its option {unknown[1]} is unknown" if unknown else str(error)


def no_retry() -> Retry:
    """Return redis-py's way to say: never send a command again, since nobody knows whether it ran."""
    return Retry(NoBackoff(), 0)


def papers(settings: Settings) -> dict[str, str]:
    """Return the options that name files for TLS; those of an address without it are left out later."""
    own = settings.redis_cert_file
    named = {
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": own,
        "ssl_keyfile": own and (settings.redis_key_file or own),
    }
    return {name: path for name, path in named.items() if path}


def make_pool(kind: type[AbstractConnection], options: Mapping[str, Any], *, size: int) -> ConnectionPool:
    """Return the pool of the connections beside the lane, each made with these options."""
    rest = {**options, "timeout": None, "maint_notifications_config": QUIET}
    kind = Secured if kind is SSLConnection else kind
    return cast("ConnectionPool", Pool(connection_class=kind, max_connections=size, **rest))
