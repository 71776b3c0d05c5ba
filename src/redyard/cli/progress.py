"""What is done with an engine, told while it goes on: a thread asks for the status beside the call that does it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redyard.cli.output import Output
from redyard.errors import RedyardError
from redyard.yard.calls import Calls

EVERY = 0.3
"""Seconds between two looks."""


@contextmanager
def moving(out: Output, text: str, calls: Calls) -> Iterator[None]:
    """Show a text, and beside it what is done with the instances, to a person at a terminal."""
    with out.working(text) as spinner:
        if spinner is None:
            yield
            return
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(spinner, text, calls, ended), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()


def _watch(spinner: Any, text: str, calls: Calls, ended: threading.Event) -> None:
    while not ended.wait(EVERY):
        try:
            found = calls.status()["instances"]
        except RedyardError:
            continue
        doing = [f"{item['name']}: {item['doing']}" for item in found if item["doing"]]
        spinner.update(f"{text}  {'; '.join(doing)}" if doing else text)
