"""The session's cookie: a signed id, under rules that browsers keep."""

import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

from redyard.errors import BadCookie, WeakSecret

SHORTEST = 16
"""Characters that a secret must have at least."""

ENDS = set('=;, \t\r\n"()<>@:\\/[]?{}')
"""Characters that a cookie's name cannot have."""

SITES = {"lax", "strict", "none"}


class Signer:
    """Signs ids with the first secret and accepts those of all: put a new secret in front, drop the old one later."""

    def __init__(self, secret: str | Sequence[str] | None) -> None:
        secrets = [secret] if isinstance(secret, str) else list(secret or ())
        shortest = min((len(text) for text in secrets), default=0)
        if shortest < SHORTEST:
            raise WeakSecret(owner="signing sessions", length=shortest, shortest=SHORTEST)
        self._secrets = [text.encode() for text in secrets]

    def sign(self, session_id: str) -> str:
        """Return the id with its signature."""
        return f"{session_id}.{self._signature(self._secrets[0], session_id)}"

    def verify(self, text: str) -> str | None:
        """Return the id of a signed text, or None when no secret made its signature."""
        return self.open(text)[0]

    def open(self, text: str) -> tuple[str | None, bool]:
        """Return the id, and whether an old secret signed it."""
        session_id, _, signature = text.rpartition(".")
        given = signature.encode("latin-1", "replace")
        for secret in self._secrets:
            if session_id and hmac.compare_digest(self._signature(secret, session_id).encode(), given):
                return session_id, secret is not self._secrets[0]
        return None, False

    @staticmethod
    def _signature(secret: bytes, session_id: str) -> str:
        digest = hmac.digest(secret, session_id.encode("latin-1", "replace"), sha256)
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


class ExpressSigner(Signer):
    """Signs as Node's cookie-signature does, and encodes the value as Express does."""

    def sign(self, session_id: str) -> str:
        """Return the cookie's value for an id."""
        return quote("s:" + super().sign(session_id), safe="-_.!~*'()")

    def open(self, text: str) -> tuple[str | None, bool]:
        """Return the id of a cookie's value, and whether an old secret signed it."""
        plain = unquote(text)
        return super().open(plain[2:]) if plain.startswith("s:") else (None, False)

    @staticmethod
    def _signature(secret: bytes, session_id: str) -> str:
        digest = hmac.digest(secret, session_id.encode("utf-8", "replace"), sha256)
        return b64encode(digest).rstrip(b"=").decode()


class Cookie:
    """A cookie's name and attributes; `secure` is True, False, or "auto": as the request came."""

    def __init__(
        self, name: str | None, *, same_site: str, secure: bool | str, domain: str | None = None, path: str = "/"
    ) -> None:
        hosts = secure is True and domain is None and path == "/"
        self.name = name or ("__Host-session" if hosts else "session")
        self.same_site = same_site.lower()
        self.secure = secure
        self.domain = domain
        self.path = path
        if problem := self._problem():
            raise BadCookie(cookie=self.name, reason=problem)
        place = f"; Domain={domain}" if domain else ""
        self._rest = f"{place}; Path={path}; HttpOnly; SameSite={self.same_site}"

    def attributes(self) -> dict[str, Any]:
        """Return what a record in the format of Express says of its cookie."""
        place = {"domain": self.domain} if self.domain else {}
        return {"httpOnly": True, "path": self.path, "sameSite": self.same_site, **place}

    def find(self, headers: Iterable[str]) -> list[str]:
        """Return the values that a request's Cookie headers give for the name; a browser may send several."""
        pairs = (pair.partition("=") for header in headers for pair in header.split(";"))
        return [value.strip().strip('"') for name, _, value in pairs if name.strip() == self.name]

    def line(self, value: str, *, max_age: float | None, https: bool) -> str:
        """Return the value of a Set-Cookie header; a `max_age` of 0 removes the cookie, None lasts until closed."""
        secure = https if self.secure == "auto" else self.secure
        age = "" if max_age is None else f"; Max-Age={int(max_age)}"
        return f"{self.name}={value}{age}{self._rest}" + ("; Secure" if secure else "")

    def _problem(self) -> str:
        host, prefixed = self.name.startswith("__Host-"), self.name.startswith(("__Host-", "__Secure-"))
        place = (self.domain or "") + self.path
        problems = {
            "a name with __Host- or __Secure- needs secure=True": prefixed and self.secure is not True,
            "a name with __Host- allows no domain, and no path but /": host and (self.domain or self.path != "/"),
            f"same_site={self.same_site!r} is none of lax, strict, none": self.same_site not in SITES,
            "same_site='none' needs secure=True": self.same_site == "none" and self.secure is not True,
            "its name has characters that end a name": not self.name.isascii()
            or not self.name.isprintable()
            or ENDS & set(self.name),
            "its domain or path cannot be one": set(";, \r\n") & set(place) or self.path[:1] != "/",
        }
        return next((problem for problem, there in problems.items() if there), "")
