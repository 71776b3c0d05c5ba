"""The address of a Redis: checked before it is used, and shown without its password."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, quote, urlsplit, urlunsplit

from redyard import platform
from redyard.errors import InvalidURL, NoURL, UnusableHere
from redyard.events import LOGGER
from redyard.settings import Settings

SCHEMES = ("redis", "rediss", "unix")

PLACES = ("host", "port", "path", "connection_class")
"""What redis-py would take from the options of an address, past all checks of the address itself."""


class Source(NamedTuple):
    """Where an address comes from: the variable that has it or names its file, the address, and the file."""

    variable: str
    url: str
    file: str = ""


def find_url(environ: Mapping[str, str], *, role: str = "store") -> str:
    """Return the address that an environment names for a role: REDIS_URL or its parts; REDIS_CACHE_URL for "cache".

    Raise what cannot work on this platform; say what can, and costs something.
    """
    return find_source(environ, role=role).url


def find_source(environ: Mapping[str, str], *, role: str = "store") -> Source:
    """Return the address that an environment names for a role as `find_url` does, and where it comes from."""
    source = _find(Settings.read(environ), role)
    variable, url, file = source
    if not url:
        problem, advice, _ = platform.missing(environ)
        unread = f"{variable} names {file}, which cannot be read, and " if file else ""
        raise NoURL(problem=unread + problem, advice=advice)
    if trouble := platform.judge(url, environ):
        if trouble.fatal:
            raise UnusableHere(variable=variable, problem=trouble.problem, advice=trouble.advice)
        LOGGER.warning("%s %s. %s", variable, trouble.problem, trouble.advice)
    return source


def _find(settings: Settings, role: str) -> Source:
    """Return the first variable that names a Redis for the role, and its address; else the file that has none."""
    cache = (settings.redis_cache_url, settings.redis_cache_url_file) if role == "cache" else ("", "")
    named = (
        *_either("REDIS_CACHE_URL", *cache),
        *_either("REDIS_URL", settings.redis_url, settings.redis_url_file),
        Source("REDIS_PRIVATE_URL", settings.redis_private_url),
        Source("REDISHOST", _of_parts(settings)),
    )
    found = (source for source in named if source.url)
    return next(found, next((source for source in named if source.file), Source("", "")))


def read_file(file: str) -> str:
    """Return the address that a file holds; nothing where it cannot be read."""
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _either(variable: str, url: str, file: str) -> Iterable[Source]:
    """Return a variable and the file beside it: first the file, unless the variable names another place or user.

    So a password follows the file, and whoever sets the variable within `redyard run` means what it says.
    """
    own, read = Source(variable, url), Source(f"{variable}_FILE", read_file(file) if file else "", file)
    return (own, read) if url and redact(url) != redact(read.url) else (read, own)


def _of_parts(settings: Settings) -> str:
    if not settings.redis_host:
        return ""
    login = f"{quote(settings.redis_user, safe='')}:{quote(settings.redis_password, safe='')}@"
    host = f"[{settings.redis_host}]" if settings.redis_host.count(":") > 1 else settings.redis_host
    return f"redis://{login if settings.redis_password else ''}{host}:{settings.redis_port}/0"


def check_url(url: str) -> str:
    """Return the address, stripped, or raise InvalidURL that says what is wrong with it."""
    if not isinstance(url, str):
        raise InvalidURL(url=type(url).__name__, reason="it is no text")
    url = url.strip()
    if problem := _problem(url):
        raise InvalidURL(url=redact(url), reason=problem)
    return url


def trusting(url: str, ca_file: str) -> str:
    """Return an encrypted address with the file of the authority that signed its certificate; one that it has stays."""
    parts = urlsplit(url)
    if parts.scheme != "rediss" or not ca_file or "ssl_ca_certs" in parse_qs(parts.query):
        return url
    option = f"ssl_ca_certs={quote(str(Path(ca_file).absolute()))}"
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, option)))))


def redact(url: str) -> str:
    """Return the address with *** for its password, however malformed it is."""
    url = re.sub(r"^([a-zA-Z0-9+.-]+://)?([^:/@]*):.*@", r"\1\2:***@", url, flags=re.DOTALL)
    return re.sub(r"(password=)[^&]*", r"\1***", url, flags=re.IGNORECASE)


def without_login(url: str) -> str:
    """Return the address without user and password; one that is malformed as it is."""
    return re.sub(r"^([a-zA-Z0-9+.-]+://)[^/?#]*@", r"\1", url)


def _problem(url: str) -> str:
    rules = (
        (not url, "it is empty"),
        ("${" in url, "it contains a reference that was not resolved"),
        (not url.isprintable(), "it contains a control character"),
        ("#" in url, "it contains a #, which is written as %23"),
    )
    return _first(rules) or _syntax_problem(url)


def _syntax_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return _port_problem(url, str(error).lower())
    if parts.scheme not in SCHEMES:
        return f"its scheme must be one of {', '.join(scheme + '://' for scheme in SCHEMES)}"
    return _part_problem(parts, port)


def _part_problem(parts: SplitResult, port: int | None) -> str:
    misplaced = next((name for name in PLACES if name in parse_qs(parts.query, keep_blank_values=True)), "")
    rules = (
        (misplaced, f"{misplaced} is no option; it belongs into the address itself"),
        (parts.scheme == "unix" and not parts.path, "it names no path"),
        (parts.scheme != "unix" and not parts.hostname, "it names no host"),
        (" " in (parts.hostname or ""), "its host contains a space"),
        (port == 0, "its port is not within 1-65535"),
        (parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]{0,9}", parts.path), "its database is no number"),
    )
    return _first(rules)


def _first(rules: Iterable[tuple[object, str]]) -> str:
    return next((problem for broken, problem in rules if broken), "")


def _port_problem(url: str, message: str) -> str:
    if "range" in message:
        return "its port is not within 1-65535"
    if re.search(r"(//|@)[0-9a-fA-F]*:[0-9a-fA-F:.]*:[^@]*$", url):
        return "an IPv6 address is written in brackets, as in redis://[::1]:6379"
    return "its port is no number" if "port" in message else "it is malformed"
