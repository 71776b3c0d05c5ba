"""The passwords of an instance's users: made here, kept in one private file, never in a log or a process list."""

import secrets
from urllib.parse import quote

from redyard.engine import access

BYTES = 24
"""Random bytes of a password: 192 bits, 32 letters that need no quoting in a URL or a shell."""


HIDDEN = "***"
"""Stands for a password wherever it was not asked for."""


def generate() -> dict[str, str]:
    """Return a new password for each user of an engine."""
    return {user.name: secrets.token_urlsafe(BYTES) for user in access.TABLE}


def url(host: str, port: int, password: str, *, tls: bool = False) -> str:
    """Return the URL of an app on an instance."""
    return f"redis{'s' if tls else ''}://{access.APP.name}:{password}@{f'[{host}]' if ':' in host else host}:{port}/0"


def socket_url(path: str, user: str, password: str) -> str:
    """Return the URL of a user on an instance's socket."""
    return f"unix://{user}:{password}@{quote(path)}"
