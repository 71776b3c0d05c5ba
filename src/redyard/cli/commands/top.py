"""`redyard top`: what the instances do, live."""

import json
import sys
import time
from typing import Annotated

import typer

from redyard.cli.lazy import load
from redyard.cli.output import Output
from redyard.cli.yard import calls

EXAMPLES = ("redyard top", "redyard top redis-store", "redyard top --once --json")


def top(
    out: Output,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An add-on or an instance. Default: all.")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print once and end; so it is where stdout is no terminal.")
    ] = False,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", help="Seconds between looks.", min=0.2)] = 1.0,
) -> None:
    """Watch what the instances do, live.

    Memory against the plan, operations, hit rate, commands, clients by name, slow commands. With --json, one object a
    line. Ctrl-C ends it.
    """
    yard = calls()
    if once or not (out.as_json or sys.stdout.isatty()):
        out.show(yard.top(name), "top")
        return
    if not out.as_json:
        load("redyard.cli.live").live(lambda: yard.top(name), every)
        return
    while True:
        out.write(json.dumps(yard.top(name), default=str) + "\n")
        time.sleep(every)
