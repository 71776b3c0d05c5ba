"""The encryption of what sessions hold: AES-256-GCM, so that who reads or writes Redis neither sees nor forges values.

Each value is sealed together with its field's name and the session's salt: a sealed value fits nowhere else.
"""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from redyard.errors import MissingExtra, WeakSecret

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:  # the extra "crypto" is not installed
    AESGCM: Any = None  # type: ignore[no-redef]

NONCE = 12
SHORTEST = 32
"""Characters that a key must have at least."""


class Unsealed(ValueError):
    """A value was not sealed by one of the keys, or not for this place."""


class Seal:
    """Seals with the first key and opens with all: put a new key in front, drop the old one when its sessions ended."""

    def __init__(self, key: str | Sequence[str]) -> None:
        keys = [key] if isinstance(key, str) else list(key)
        shortest = min((len(text) for text in keys), default=0)
        if shortest < SHORTEST:
            raise WeakSecret(owner="encrypting sessions", length=shortest, shortest=SHORTEST)
        if AESGCM is None:
            raise MissingExtra(extra="crypto", package="cryptography")
        self._keys = [AESGCM(sha256(b"redyard session" + text.encode()).digest()) for text in keys]

    def seal(self, value: bytes, name: str, salt: bytes) -> bytes:
        """Return a value sealed for a field of a session."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + bytes(self._keys[0].encrypt(nonce, value, name.encode() + b"\0" + salt))

    def open(self, sealed: bytes, name: str, salt: bytes) -> bytes:
        """Return the value, or raise Unsealed."""
        for key in self._keys:
            try:
                return bytes(key.decrypt(sealed[:NONCE], sealed[NONCE:], name.encode() + b"\0" + salt))
            except (InvalidTag, ValueError):
                continue
        raise Unsealed
