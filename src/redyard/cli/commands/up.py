"""`redyard up`: the yard's process, in the foreground or detached."""

import contextlib
import os
import sys
import threading
from typing import Annotated

import typer

from redyard import events
from redyard.cli.lazy import load, require
from redyard.cli.output import Output
from redyard.cli.yard import calls, home, settings
from redyard.errors import RedyardError
from redyard.platform import is_production
from redyard.yard.launch import launch

EXAMPLES = ("redyard up", "redyard up --detach")

SERVER = "redyard.yard.main"
"""The yard itself: it needs the extra `addon`, and only the process that serves loads it."""


def up(
    out: Output,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run it in the background.")] = False,
    ready_fd: Annotated[int | None, typer.Option(hidden=True, help="Where to write that it is ready.")] = None,
) -> None:
    """Run the yard: it keeps the engines of this directory.

    It starts what is to run, takes over engines that still run, and starts again what crashed. SIGINT and SIGTERM stop
    everything cleanly; every store saves first.
    """
    if detach:
        require("addon")
        with out.working("Starting the yard"):
            answer = launch(home())
        out.show(answer, "status")
        return
    if ready_fd is None and (sys.stdout.isatty() or not is_production(os.environ)):
        _announce(out)
    load(SERVER).serve(home(), settings(), ready_fd)


def _announce(out: Output) -> None:
    """Print the yard's status once it serves: in a thread, because the yard itself has to answer."""

    def tell() -> None:
        with contextlib.suppress(RedyardError, typer.Exit):
            out.show(calls().status(), "status")
            out.say("Ctrl-C stops the engines and the yard.")

    def note(event: events.Event) -> None:
        if event.kind is events.YARD_STARTED:
            threading.Thread(target=tell, name="announce", daemon=True).start()

    events.subscribe(note)
