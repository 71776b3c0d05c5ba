"""The passwords of an instance's users: made here, kept in one private file, never in a log or a process list."""

import secrets

from redyard.engine import access

BYTES = 24
"""Random bytes of a password: 192 bits, 32 letters that need no quoting in a URL or a shell."""


def generate() -> dict[str, str]:
    """Return a new password for each user of an engine."""
    return {user.name: secrets.token_urlsafe(BYTES) for user in access.TABLE}


def url(port: int, password: str) -> str:
    """Return the URL of an app on an instance."""
    return f"redis://{access.APP.name}:{password}@127.0.0.1:{port}/0"
