"""Errors of the kit: addresses, keys, sessions, cookies, templates, limits."""

from redyard.errors.base import RedyardError


class InvalidURL(RedyardError):
    """The address of a Redis cannot be used."""

    status = 50
    text = "{url!r} is no address of a Redis: {reason}"
    hint = "Write it like redis://USER:PASSWORD@HOST:PORT/DB (rediss:// for TLS), special characters as %XX."


class NoURL(RedyardError):
    """The environment names no Redis."""

    status = 51
    text = "no Redis is named: {problem}"
    hint = "{advice}"


class RedisAway(RedyardError):
    """Redis cannot be reached, or did not answer within the deadline; a command that was sent may have run."""

    status = 52
    text = "Redis did not answer {owner}: {reason}"
    hint = "Look at `redyard status`, or at the server that REDIS_URL names."


class EvictingServer(RedyardError):
    """The server may throw away keys that must not be lost."""

    status = 53
    text = "{owner} must not be on this server: its maxmemory-policy {policy} throws keys away when memory is full"
    hint = "Use the store (REDIS_URL) with maxmemory-policy noeviction; or say allow_eviction=True and accept the loss."


class ServerTooOld(RedyardError):
    """The server lacks what a part of the kit needs."""

    status = 54
    text = "{owner} needs Valkey, or Redis {minimum} or newer; this is {engine} {version}"
    hint = "Upgrade the server, or use the one of `redyard add redis`."


class BadKey(RedyardError):
    """A part of a key's name cannot be used."""

    status = 55
    text = "{part!r} cannot be the {name} of a key: {reason}"
    hint = "Use 1 to 256 printable characters; ':' separates the parts of a key."


class NotJSON(RedyardError):
    """A value cannot be written as JSON."""

    status = 56
    text = "{what} cannot be written as JSON: {reason}"
    hint = "Use dicts with text keys, lists, text, numbers, booleans and None, or types that msgspec knows."


class WeakSecret(RedyardError):
    """A secret for signing cookies is missing or too short."""

    status = 61
    text = "the secret for {owner} has {length} characters"
    hint = 'Use at least {shortest}, such as `python -c "import secrets; print(secrets.token_urlsafe(32))"` prints.'


class BadCookie(RedyardError):
    """A cookie's options contradict each other."""

    status = 62
    text = "the cookie {cookie!r} would be refused by browsers: {reason}"
    hint = "Use secure=True behind HTTPS, or a name without __Host- and same_site='lax'."


class SessionNotLoaded(RedyardError):
    """A session was used before it was loaded."""

    status = 63
    text = "the session was used before it was loaded"
    hint = "First `session = await session_of(request)`; or load every session by SessionMiddleware(..., eager=True)."


class SessionTooLarge(RedyardError):
    """A session would hold more than its store allows."""

    status = 64
    text = "the session would have {size} bytes; the limit is {limit} (its largest field is {field!r})"
    hint = "Keep large values elsewhere, by a key that the session holds; or raise SessionStore(..., largest=...)."


class NotForExpress(RedyardError):
    """Sessions in the format of Express have no such thing."""

    status = 65
    text = "format='express' has no {what}"
    hint = "Use the native format, or do without."


class LoadTimedOut(RedyardError):
    """A cached value's load took longer than its hard time-out, and there is no old value to answer with."""

    status = 68
    text = "the load of {key!r} has not ended within {seconds:g} s"
    hint = "Raise hard_timeout, or give stale_if_error so that an old value can stand in."


class BadTemplate(RedyardError):
    """A template of a cached function does not fit the function's arguments."""

    status = 69
    text = "the template {template!r} does not fit {function}: {reason}"
    hint = "Name arguments of the function in braces; it has: {arguments}."
