"""What is examined: an address taken apart, or the one that a client uses. Its password is never shown."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import redis.asyncio

from redyard.client.url import check_url, redact
from redyard.settings import Settings

PORT = 6379


class Target(NamedTuple):
    """An address: a host and port, or a socket's path; who logs in, and which authority is trusted."""

    host: str
    port: int = PORT
    path: str = ""
    tls: bool = False
    user: str = ""
    password: str = ""
    database: int = 0
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verifies: bool = True

    @property
    def shown(self) -> str:
        """Return the address without its password."""
        login = f"{self.user}:***@" if self.password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = self.path or f"{host}:{self.port}/{self.database}"
        return f"{'unix' if self.path else 'rediss' if self.tls else 'redis'}://{login}{place}"


def from_url(url: str, environ: Mapping[str, str]) -> Target:
    """Take an address apart, or raise InvalidURL."""
    parts = urlsplit(check_url(url))
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    path = unquote(parts.path) if parts.scheme == "unix" else ""
    database = options.get("db") or (parts.path.strip("/") if not path else "") or "0"
    settings = Settings.read(environ)
    certificate = options.get("ssl_certfile") or settings.redis_cert_file or None
    return Target(
        host=parts.hostname or "",
        port=parts.port or PORT,
        path=path,
        tls=parts.scheme == "rediss",
        user=unquote(parts.username or options.get("username", "")),
        password=unquote(parts.password or options.get("password", "")),
        database=int(database) if database.isdecimal() else 0,
        ca_file=options.get("ssl_ca_certs") or settings.redis_ca_file or None,
        cert_file=certificate,
        key_file=options.get("ssl_keyfile") or settings.redis_key_file or certificate,
        verifies=options.get("ssl_cert_reqs", "required") != "none",
    )


def from_client(client: redis.asyncio.Redis) -> Target:
    """Return the address that a client uses."""
    options = {**client.connection_pool.connection_kwargs}
    if login := options.get("credential_provider"):
        words = login.get_credentials()
        options |= {"username": words[0] if len(words) > 1 else "", "password": words[-1] if words else ""}
    secure = issubclass(client.connection_pool.connection_class, redis.asyncio.SSLConnection)
    return Target(
        host=str(options.get("host", "")),
        port=int(options.get("port", PORT)),
        path=str(options.get("path", "")),
        tls=secure,
        user=str(options.get("username") or ""),
        password=str(options.get("password") or ""),
        database=int(options.get("db") or 0),
        ca_file=options.get("ssl_ca_certs"),
        cert_file=options.get("ssl_certfile"),
        key_file=options.get("ssl_keyfile"),
        verifies=options.get("ssl_cert_reqs", "required") != "none",
    )


__all__ = ["Target", "from_client", "from_url", "redact"]
