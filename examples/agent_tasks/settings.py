"""Every setting of the app, read once from an environment that comes in as a parameter.

What concerns Redis (REDIS_URL, REDIS_CACHE_URL) is read by the kit itself: `redyard run` provides it.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

HERE = Path(__file__).parent
DATABASE = f"sqlite+aiosqlite:///{HERE / 'agent_tasks.db'}"
OPENAI = "https://api.openai.com/v1"

QUEUE = "agent-tasks"
TEXT_MINIMUM = 20
TEXT_LIMIT = 20_000


class BadSetting(ValueError):
    """A setting cannot be used; the message names it, never a password, and says what is expected."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says about the app; the defaults are right for a laptop."""

    database_url: URL
    session_secrets: list[str] = field(repr=False)
    """New first; a cookie signed with any of them is good."""
    openai_key: str = field(default="", repr=False)
    openai_url: str = ""
    openai_model: str = "gpt-4o-mini"
    credits: int = 10
    sign_ins: int = 20
    """Sign-ins from one address in 15 minutes."""
    submissions: int = 30
    """Submitted tasks from one address, and of one account, in 15 minutes."""
    calls: int = 300
    """Calls of the API from one address in a minute."""
    proxies: int = 0
    """Proxies that each request passes on its way here: their word on its address is taken."""

    @property
    def model(self) -> str:
        """Return the language model that answers, or "" where the offline summariser does."""
        return self.openai_model if self.openai_url else ""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment, or raise BadSetting for the first value that cannot be used."""
        key = environ.get("OPENAI_API_KEY", "").strip()
        return cls(
            database_url=read_database(environ.get("DATABASE_URL", "")),
            # Without one, everybody is signed out when the app starts again: fine on a laptop, nowhere else.
            session_secrets=environ.get("SESSION_SECRET", "").split() or [secrets.token_urlsafe(32)],
            openai_key=key,
            openai_url=(environ.get("OPENAI_BASE_URL", "").strip() or (OPENAI if key else "")).rstrip("/"),
            openai_model=environ.get("OPENAI_MODEL", "").strip() or cls.openai_model,
            credits=_number(environ, "CREDITS", cls.credits),
            sign_ins=_number(environ, "SIGN_INS", cls.sign_ins),
            submissions=_number(environ, "SUBMISSIONS", cls.submissions),
            calls=_number(environ, "CALLS", cls.calls),
            proxies=_number(environ, "PROXIES", cls.proxies, least=0),
        )


def read_database(text: str) -> URL:
    """Return the URL with the async driver: platforms say postgres://, SQLAlchemy wants postgresql+asyncpg://."""
    try:
        url = make_url(text.strip() or DATABASE)
    except (ArgumentError, ValueError):
        raise BadSetting("DATABASE_URL cannot be read; expected postgresql://USER:PASSWORD@HOST/NAME") from None
    if url.drivername in {"postgres", "postgresql", "postgresql+asyncpg"}:
        return _for_asyncpg(url.set(drivername="postgresql+asyncpg"))
    if url.drivername in {"sqlite", "sqlite+aiosqlite"}:
        return url.set(drivername="sqlite+aiosqlite")
    raise BadSetting(f"DATABASE_URL names {url.drivername}; expected postgresql:// or sqlite://")


def _for_asyncpg(url: URL) -> URL:
    """Translate the options that libpq knows and asyncpg does not."""
    options = dict(url.query)
    options.pop("channel_binding", None)
    if "sslmode" in options:
        options["ssl"] = options.pop("sslmode")
    return url.set(query=options)


def _number(environ: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = environ.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= 1_000_000:
        raise BadSetting(f"{name}={text!r} cannot be used; expected a whole number from {least} to 1000000")
    return int(text)
