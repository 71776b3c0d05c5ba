"""Delivery: Apprise sends a letter to each channel (mail, Slack, PagerDuty, a webhook, and some hundred more).

A channel is one URL, which holds its secrets: no log and no error shows more of it than its scheme.
"""

import asyncio
import logging
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from redyard import events
from redyard.alerts.telling import Letter
from redyard.errors import InvalidSetting, MissingExtra

PAUSES = (2.0, 15.0, 60.0)
"""Seconds between the tries of a letter."""

WITHIN = 30.0
"""Seconds that one try may take."""

EXPECTED = "URLs of Apprise, such as mailto://... slack://... pagerduty://... jsons://..."

KINDS = {"critical": "failure", "warning": "warning", "resolved": "success", "test": "info"}


class Delivery(NamedTuple):
    """How a letter fared at a channel."""

    channel: str
    delivered: bool
    tries: int


class Channels:
    """Where letters go."""

    def __init__(self, urls: Sequence[str], *, pauses: Sequence[float] = PAUSES) -> None:
        self._pauses = pauses
        self._channels = [(_scheme(url), _make(url)) for url in urls]

    @property
    def names(self) -> list[str]:
        """Return the channels without their secrets."""
        return [name for name, _ in self._channels]

    async def send(self, letter: Letter) -> list[Delivery]:
        """Send a letter to every channel; one that refuses is tried again, then given up with an event."""
        return list(await asyncio.gather(*(self._deliver(name, way, letter) for name, way in self._channels)))

    async def _deliver(self, name: str, way: Any, letter: Letter) -> Delivery:
        tries = 0
        for pause in (*self._pauses, None):
            tries += 1
            if await _try(way, letter):
                return Delivery(name, True, tries)
            if pause is not None:
                await asyncio.sleep(pause)
        events.emit(events.ALERT_UNDELIVERED, channel=name, title=letter.title, tries=tries)
        return Delivery(name, False, tries)


async def _try(way: Any, letter: Letter) -> bool:
    kind = KINDS.get(letter.severity, "info")
    try:
        async with asyncio.timeout(WITHIN):
            return bool(await way.async_notify(body=letter.text, title=letter.title, notify_type=kind))
    except Exception:  # noqa: BLE001 - whatever a channel's plugin raises: the letter was not delivered
        return False


def _make(url: str) -> Any:
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its messages may show a URL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports a module that goes, with a way around
        try:
            way: Any = import_module("apprise").Apprise()
        except ModuleNotFoundError as error:
            raise MissingExtra(extra="alerts", package=error.name or "apprise") from None
        known = way.add(url)
    if not known:
        raise InvalidSetting(
            name="REDYARD_ALERTS", value=_scheme(url), reason="Apprise does not know such a channel", expected=EXPECTED
        )
    return way


def _scheme(url: str) -> str:
    return url.partition("://")[0] + "://..."
