"""The address of a Redis: checked before it is used, and shown without its password."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from redyard.errors import InvalidURL, NoURL
from redyard.settings import Settings

SCHEMES = ("redis", "rediss", "unix")


def find_url(environ: Mapping[str, str], *, role: str = "store") -> str:
    """Return the address that an environment names for a role: REDIS_URL or its parts; REDIS_CACHE_URL for "cache"."""
    settings = Settings.read(environ)
    if role == "cache" and settings.redis_cache_url:
        return settings.redis_cache_url
    if settings.redis_url:
        return settings.redis_url
    if not settings.redis_host:
        raise NoURL(variables="REDIS_URL and REDISHOST")
    login = f"{quote(settings.redis_user, safe='')}:{quote(settings.redis_password, safe='')}@"
    host = f"[{settings.redis_host}]" if settings.redis_host.count(":") > 1 else settings.redis_host
    return f"redis://{login if settings.redis_password else ''}{host}:{settings.redis_port}/0"


def check_url(url: str) -> str:
    """Return the address, stripped, or raise InvalidURL that says what is wrong with it."""
    url = url.strip()
    if problem := _problem(url):
        raise InvalidURL(url=redact(url), reason=problem)
    return url


def redact(url: str) -> str:
    """Return the address with *** for its password, however malformed it is."""
    url = re.sub(r"^([a-zA-Z0-9+.-]+://)?([^:/@]*):.*@", r"\1\2:***@", url, flags=re.DOTALL)
    return re.sub(r"(password=)[^&]*", r"\1***", url, flags=re.IGNORECASE)


def _problem(url: str) -> str:
    if not url:
        return "it is empty"
    if "${" in url:
        return "it contains a reference that was not resolved"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return _port_problem(str(error).lower())
    if parts.scheme not in SCHEMES:
        return f"its scheme must be one of {', '.join(scheme + '://' for scheme in SCHEMES)}"
    if parts.scheme == "unix":
        return "" if parts.path else "it names no path"
    rules = (
        (not parts.hostname, "it names no host"),
        (port == 0, "its port is not within 1-65535"),
        (not re.fullmatch(r"/?\d*", parts.path), "its database is no number"),
    )
    return next((problem for broken, problem in rules if broken), "")


def _port_problem(message: str) -> str:
    if "range" in message:
        return "its port is not within 1-65535"
    return "its port is no number" if "port" in message else "it is malformed"
