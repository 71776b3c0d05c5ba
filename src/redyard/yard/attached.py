"""A Redis that somebody else runs: looked at before it is attached, watched afterwards, never started or stopped."""

import asyncio
import os
import ssl
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError, RedisError

from redyard.client.url import check_url, redact
from redyard.engine import access
from redyard.errors import AuthorityUnusable, LoginRefused, NotAttachable, RedyardError, Unreachable
from redyard.platform import explain_lookup
from redyard.reading import Reading
from redyard.yard.admin import Admin
from redyard.yard.phases import Answer, Phase
from redyard.yard.reconcile import Seen, Step
from redyard.yard.registry import Registry
from redyard.yard.spec import Spec
from redyard.yard.watched import Watched

LOOK_WITHIN = 3.0
"""Seconds that a server has to show what it is."""

UNFIT: tuple[tuple[Callable[[Reading], bool], str, str], ...] = (
    (
        lambda seen: seen.mode == "sentinel",
        "it is a Sentinel, which knows where the data are and has none",
        "Attach the primary that it names: `SENTINEL MASTERS` lists them.",
    ),
    (
        lambda seen: seen.mode == "cluster",
        "it is a node of a cluster, which has a part of the keys",
        "Redyard speaks to one server that has them all.",
    ),
    (
        lambda seen: seen.role != "master",
        "it is a replica, which takes no writes",
        "Attach its primary: `ROLE` names it.",
    ),
)
"""What answers and cannot be used: how it is known, what is said, what to do."""

SYMPTOMS: tuple[tuple[type[Exception], str, str], ...] = (
    (NoPermissionError, "its user may not run INFO", "Give the user `+info`, or name another one."),
    (
        InvalidResponse,
        "what answers there does not speak Redis's protocol",
        "Perhaps it is a web server's port. A Redis usually has 6379.",
    ),
    (ssl.SSLError, "it does not speak TLS there", "Write redis:// instead of rediss://."),
    (
        ConnectionResetError,
        "it closes the connection at once",
        "Perhaps it wants TLS: write rediss:// instead of redis://. Perhaps it is no Redis.",
    ),
)
"""What a server did that can be explained: the error, what is said, what to do."""

NAME_AUTHORITY = "Name the authority's certificate: --ca-file FILE, REDIS_CA_FILE, or ?ssl_ca_certs=FILE."

CERTIFICATES = {
    10: "It has expired: its owner has to renew it.",
    62: "Write the host as the certificate names it.",
    64: "Write the host as the certificate names it: perhaps a name instead of an IP address.",
}
"""What to do about a certificate that cannot be verified, by OpenSSL's number; else the authority is to be named."""


class Attached(Watched):
    """An instance whose engine is not ours."""

    goal = "attached"

    def __init__(self, spec: Spec, registry: Registry) -> None:
        self._url = registry.passwords(spec.name)["url"]
        super().__init__(spec, registry, Admin.remote(self._url), Phase.STARTING)

    def url(self, *, show: bool, user: str = access.APP.name) -> str:  # noqa: ARG002 - there is one
        """Return the address that was attached, with the password or with a sign in its place."""
        return self._url if show else redact(self._url)

    def login(self, user: str) -> str:  # noqa: ARG002 - there is one
        """Return the address: an attached server has the one user that it names."""
        return self._url

    async def end_now(self, within: float) -> None:
        """Leave it as it is."""

    async def _look(self) -> Seen:
        answer = await self.admin.ping()
        now = time.monotonic()
        if answer is not Answer.NONE:
            self._answered_at = now
        return Seen(now, True, answer, self._answered_at)

    async def _take(self, step: Step) -> None:
        if step.phase is not self.phase:
            self._enter(step, step.reason)

    def _let_go(self) -> None:
        """Hold nothing."""

    def _late(self, seconds: float) -> RedyardError:
        return Unreachable(url=redact(self._url), reason=f"it did not answer within {seconds:g} s")


async def examine(url: str) -> Reading:
    """Look at a server once, or raise why it cannot be attached."""
    shown = redact(check_url(url))
    _check_authority(url)
    try:
        async with asyncio.timeout(LOOK_WITHIN), _client(url) as client:
            seen = await Reading.take(client)
    except (TimeoutError, redis.TimeoutError):
        tls = "; perhaps there is no TLS: write redis://" if url.startswith("rediss:") else ""
        raise Unreachable(url=shown, reason=f"it said nothing for {LOOK_WITHIN:g} s{tls}") from None
    except (RedisError, OSError, ValueError) as error:
        raise _explain(shown, error) from None
    for fits, reason, advice in UNFIT:
        if fits(seen):
            raise NotAttachable(url=shown, reason=reason, advice=advice)
    return seen


def _check_authority(url: str) -> None:
    """Raise AuthorityUnusable for a file that would look like a fault of the server's later."""
    for path in parse_qs(urlsplit(url).query).get("ssl_ca_certs", ()):
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            missing = os.strerror(error.errno).lower() if error.errno and not isinstance(error, ssl.SSLError) else ""
            raise AuthorityUnusable(path=path, reason=missing or "it holds no certificate") from None


def _client(url: str) -> redis.asyncio.Redis:
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0))
    return client


def port_of(url: str) -> int:
    """Return the port of an address; 0 for a socket's."""
    parts = urlsplit(url)
    return 0 if parts.scheme == "unix" else parts.port or 6379


def _explain(url: str, error: Exception) -> RedyardError:
    """Return the error of the table for what a server did when it was looked at."""
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"its certificate cannot be verified: {cause.verify_message.removesuffix('.')}"
        return NotAttachable(url=url, reason=reason, advice=CERTIFICATES.get(cause.verify_code, NAME_AUTHORITY))
    for kind, reason, advice in SYMPTOMS:
        if isinstance(error, kind) or isinstance(cause, kind):
            return NotAttachable(url=url, reason=reason, advice=advice)
    if isinstance(error, AuthenticationError):
        return LoginRefused(url=url, reason=_first_line(error))
    return Unreachable(url=url, reason=explain_lookup(cause, url) or _first_line(cause))


def _first_line(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    words = os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error)
    return (words or type(error).__name__).splitlines()[0].removesuffix(".")
