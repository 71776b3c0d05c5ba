"""A keeper without a yard, for a Redis elsewhere: `redyard backups follow`, until a signal ends it."""

import asyncio
import logging
import signal
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from redyard import events
from redyard.backups.keep import SNAPSHOT_EVERY, Keeper
from redyard.backups.place import open_storage
from redyard.backups.psync import Source
from redyard.client.options import papers
from redyard.client.url import check_url
from redyard.errors import RedyardError
from redyard.settings import Settings

LAST_WORDS = 10.0
"""Seconds that the storage may take at the end; what it has not got then waits in the spool for the next start."""


def follow(url: str, to: str, settings: Settings, *, every: float = SNAPSHOT_EVERY) -> None:
    """Follow a server until SIGINT or SIGTERM; what has come is in the storage then.

    Args:
        every: seconds between readings of all keys where the server lets nobody follow it.
    """
    url = check_url(url)
    source, host = Source.of(url, **papers(settings)), urlsplit(url).hostname
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    events.subscribe(_log, level=logging.INFO)
    keeper = Keeper(source, open_storage(to, settings), spool_for(url, to), name=host or "redis", every=every)
    asyncio.run(_run(keeper))


def _log(event: events.Event) -> None:
    events.LOGGER.log(event.kind.level, "%s: %s %s", event.kind.name, event.kind.meaning, event.fields)


def spool_for(url: str, to: str) -> Path:
    """Return a directory that is this server's and storage's own, and the same at the next start."""
    parts = urlsplit(url)
    name = sha256(f"{parts.hostname or parts.path}:{parts.port} {to}".encode()).hexdigest()[:16]
    return Path("~/.local/state/redyard/spool").expanduser() / name


async def _run(keeper: Keeper) -> None:
    running = asyncio.create_task(keeper.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        events.LOGGER.info("ending")
    finally:
        with suppress(OSError, RedyardError):  # a full disk: what has come is here all the same
            keeper.follower.spool.seal()
        shipping = asyncio.create_task(keeper.follower.ship_all())
        with suppress(TimeoutError):
            await asyncio.wait_for(shipping, LAST_WORDS)
        keeper.follower.spool.close()
