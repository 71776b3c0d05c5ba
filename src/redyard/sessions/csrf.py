"""Tokens against forged requests: a secret of the session, in a form that differs each time it is shown.

A page that is compressed together with a visitor's own text would otherwise betray a token letter by letter.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest

SIZE = 24
FIELD = "_csrf"
"""The field that holds the secret."""


def new_secret() -> str:
    """Return a secret for a session."""
    return urlsafe_b64encode(secrets.token_bytes(SIZE)).decode()


def mask(secret: str) -> str:
    """Return a token that shows the secret under a fresh mask."""
    cover = secrets.token_bytes(SIZE)
    return urlsafe_b64encode(cover + _mixed(cover, urlsafe_b64decode(secret))).decode()


def matches(token: str | None, secret: object) -> bool:
    """Say whether a token was made of the secret."""
    if not token or not isinstance(secret, str):
        return False
    try:
        raw = urlsafe_b64decode(token)
    except ValueError:
        return False
    return len(raw) == 2 * SIZE and compare_digest(_mixed(raw[:SIZE], raw[SIZE:]), urlsafe_b64decode(secret))


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
