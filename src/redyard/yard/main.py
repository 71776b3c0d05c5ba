"""The yard's process from its start to its end: signals, logs, the door, the instances."""

import asyncio
import json
import logging
import os
import signal
import sys

from redyard import events
from redyard.errors import RedyardError
from redyard.platform import is_production
from redyard.settings import Settings
from redyard.yard.api import listen, make_server
from redyard.yard.encrypted import EncryptedYard
from redyard.yard.home import Home
from redyard.yard.logs import JsonLines
from redyard.yard.notify import READY, STOPPING, notify
from redyard.yard.yard import Yard


def serve(home: Home, settings: Settings, ready_fd: int | None = None) -> None:
    """Run the yard of a directory until SIGTERM, SIGINT or `redyard down`.

    Args:
        ready_fd: where to write one line of JSON: `{}` once all is up, or the error that ended the start.
    """
    os.umask(0o077)
    try:
        home.prepare()
        with home.held():
            _log_to(home, to_person=ready_fd is None)
            asyncio.run(_serve(home, settings, ready_fd))
    except RedyardError as error:
        _tell(ready_fd, error.to_json())
        raise


async def _serve(home: Home, settings: Settings, ready_fd: int | None) -> None:
    yard = EncryptedYard(home, settings)
    reasons = _catch_signals(yard)
    server = make_server(yard)
    door = asyncio.create_task(server.serve(sockets=[listen(home)]))
    try:
        await yard.open()
        events.emit(events.YARD_STARTED, home=str(home.path), pid=os.getpid())
        _tell(ready_fd, {})
        notify(os.environ, READY, f"{len(yard.instances)} instances in {home.path}")
        await yard.ending.wait()
        notify(os.environ, STOPPING, "stores save")
        await _stop_engines(yard)
    finally:
        server.should_exit = True
        await door
        await yard.close()
        home.close()
        events.emit(events.YARD_STOPPED, home=str(home.path), reason=reasons[-1] if reasons else "redyard down")


async def _stop_engines(yard: Yard) -> None:
    """Stop what still runs; an engine that will not stop is left to the next yard."""
    try:
        await yard.down()
    except RedyardError as error:
        events.LOGGER.error("%s", error)


def _catch_signals(yard: Yard) -> list[str]:
    """End the yard at the first signal, and at once at the second: engines then finish by themselves."""
    seen: list[str] = []

    def note(number: signal.Signals) -> None:
        seen.append(number.name)
        yard.ending.set()
        if len(seen) > 1:
            os._exit(128 + number)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, note, number)
    return seen


def _log_to(home: Home, *, to_person: bool) -> None:
    """Write events and faults to the yard's log, and to the person who started it in the foreground."""
    handlers: list[logging.Handler] = [logging.FileHandler(home.log)]
    if to_person:
        handlers.append(person := logging.StreamHandler(sys.stderr))
        if is_production(os.environ) and not sys.stderr.isatty():
            person.setFormatter(JsonLines())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.basicConfig(
        level=logging.INFO, handlers=handlers, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    events.subscribe(_log)


def _log(event: events.Event) -> None:
    fields = " ".join(f"{name}={json.dumps(value, default=str)}" for name, value in event.fields.items())
    events.LOGGER.log(event.kind.level, "%s %s", event.kind.name, fields)


def _tell(ready_fd: int | None, news: dict[str, object]) -> None:
    if ready_fd is not None:
        with os.fdopen(ready_fd, "w") as pipe:
            json.dump(news, pipe, default=str)
