"""The session's cookie: a signed id, under rules that browsers keep."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256

from redyard.errors import BadCookie, WeakSecret

SHORTEST = 16
"""Characters that a secret must have at least."""


class Signer:
    """Signs ids with the first secret and accepts those of all: put a new secret in front, drop the old one later."""

    def __init__(self, secret: str | Sequence[str]) -> None:
        secrets = [secret] if isinstance(secret, str) else list(secret)
        shortest = min((len(text) for text in secrets), default=0)
        if shortest < SHORTEST:
            raise WeakSecret(owner="signing sessions", length=shortest)
        self._secrets = [text.encode() for text in secrets]

    def sign(self, session_id: str) -> str:
        """Return the id with its signature."""
        return f"{session_id}.{_signature(self._secrets[0], session_id)}"

    def verify(self, text: str) -> str | None:
        """Return the id of a signed text, or None when no secret made its signature."""
        session_id, _, signature = text.rpartition(".")
        given = signature.encode("latin-1", "replace")
        valid = [hmac.compare_digest(_signature(secret, session_id).encode(), given) for secret in self._secrets]
        return session_id if session_id and any(valid) else None


class Cookie:
    """A cookie's name and attributes; `secure` is True, False, or "auto": as the request came."""

    def __init__(self, name: str | None, *, same_site: str, secure: bool | str) -> None:
        self.name = name or ("__Host-session" if secure is True else "session")
        self.same_site = same_site.lower()
        self.secure = secure
        if problem := self._problem():
            raise BadCookie(cookie=self.name, reason=problem)

    def find(self, headers: Iterable[str]) -> list[str]:
        """Return the values that a request's Cookie headers give for the name; a browser may send several."""
        pairs = (pair.partition("=") for header in headers for pair in header.split(";"))
        return [value.strip().strip('"') for name, _, value in pairs if name.strip() == self.name]

    def line(self, value: str, *, max_age: int, https: bool) -> str:
        """Return the value of a Set-Cookie header; a `max_age` of 0 removes the cookie."""
        secure = https if self.secure == "auto" else self.secure
        parts = [f"{self.name}={value}", "Path=/", f"Max-Age={max_age}", "HttpOnly", f"SameSite={self.same_site}"]
        return "; ".join([*parts, "Secure"] if secure else parts)

    def _problem(self) -> str:
        if self.name.startswith(("__Host-", "__Secure-")) and self.secure is not True:
            return "a name with __Host- or __Secure- needs secure=True"
        if self.same_site not in {"lax", "strict", "none"}:
            return f"same_site={self.same_site!r} is none of lax, strict, none"
        if self.same_site == "none" and self.secure is not True:
            return "same_site='none' needs secure=True"
        if any(sign in self.name for sign in "=;, \t\r\n"):
            return "its name has characters that end a name"
        return ""


def _signature(secret: bytes, session_id: str) -> str:
    digest = hmac.digest(secret, session_id.encode("latin-1", "replace"), sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
