"""Which servers a command means by NAME or URL: an address, what stdin or the environment names, or the yard's own."""

import os
import sys
from typing import Any, NamedTuple

from redyard.cli.yard import calls, home
from redyard.client.url import find_url


class Server(NamedTuple):
    """A server's address, and what the yard says of it; nothing where it is not the yard's."""

    url: str
    instance: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.instance["name"] if self.instance else "redis"


def address(given: str | None) -> str:
    """Return an address, not checked yet: as it was given, from stdin (-), or what REDIS_URL names (None)."""
    if given == "-":
        return sys.stdin.readline().strip()
    return find_url(os.environ) if given is None else given


def find(what: str | None) -> list[Server]:
    """Return the servers; without a name or an address what REDIS_URL names, else the yard's add-on."""
    if what is None and any(os.environ.get(name) for name in ("REDIS_URL", "REDISHOST")):
        return [Server(find_url(os.environ))]
    if what is not None and ("://" in what or "$" in what or not what):
        return [Server(what)]
    if what is None and not home().is_held():
        return [Server(find_url(os.environ))]
    return [Server(one["url"], one) for one in calls().info(what, show=True)["instances"]]
