"""`redyard doctor`: examine a server and say what is wrong, why, and what to do."""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from redyard.checks import Facts
from redyard.cli.output import Output
from redyard.cli.servers import find
from redyard.cli.since import summaries
from redyard.doctor import Examination, checklist, examine, look_at_memory
from redyard.doctor.memory import Deep
from redyard.engine.files import last_lines
from redyard.units import parse_span

EXAMPLES = (
    "redyard doctor",
    "redyard doctor redis-store --checklist",
    'redyard doctor "$REDIS_URL" --memory',
    'redyard doctor --error "Too many connections"',
    "redyard doctor --since 7d",
)


BEHIND = 10
"""By how much a deep look stands back where it shares a machine with the app and its server."""


def doctor(  # noqa: PLR0913, PLR0917 - the options of a command
    out: Output,
    what: Annotated[
        str | None,
        typer.Argument(metavar="NAME|URL", help="An instance of the yard, or an address. Default: REDIS_URL."),
    ] = None,
    memory: Annotated[bool, typer.Option("--memory", help="Look at every key: memory by prefix.")] = False,
    as_checklist: Annotated[bool, typer.Option("--checklist", help="Walk the production checklist.")] = False,
    error: Annotated[
        str, typer.Option("--error", help="What the app's log says: it tells its pool from the server.")
    ] = "",
    rest: Annotated[
        float, typer.Option("--rest", help="With --memory: seconds of rest for each second of work.")
    ] = 0.0,
    samples: Annotated[
        int,
        typer.Option("--samples", help="With --memory: elements of a collection to measure; 0: all, exactly.", min=0),
    ] = 0,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="SPAN", help="Sum up what the yard saw, of the last 7d: what grew, what slowed."
        ),
    ] = None,
) -> None:
    """Examine a server: what is wrong, why, and what to do.

    It takes less than five seconds and changes nothing. The exit status is 0 when nothing is at warning or worse.
    """
    if since is not None:
        return out.show({"summaries": summaries(what, parse_span(since))}, "examined_views:since")
    url, facts = _find(what, error)
    if memory:
        os.nice(BEHIND)
        with out.working("Looking at every key"):
            deep = asyncio.run(look_at_memory(url, deep=Deep(samples=samples), resting=rest, told=_teller(out)))
        return out.show(deep.to_json(), "examined_views:memory")
    with out.working("Examining"):
        seen = asyncio.run(examine(url, facts=facts))
    if as_checklist:
        return _show_checklist(out, seen)
    out.show(seen.to_json(), "examined_views:examined")
    if seen.status:
        raise typer.Exit(seen.status)
    return None


def _show_checklist(out: Output, seen: Examination) -> None:
    answers = [answer._asdict() for answer in checklist.walk(seen.case, seen.findings)]
    out.show({"target": seen.target, "checklist": answers}, "examined_views:checklist")
    if seen.status:
        raise typer.Exit(seen.status)


def _teller(out: Output) -> Any:
    """Return what tells a person of the progress, once a second."""
    last = [time.monotonic()]

    def tell(deep: Deep) -> None:
        if time.monotonic() - last[0] >= 1:
            last[0] = time.monotonic()
            out.say(f"{deep.keys:,} keys in {deep.seconds:.0f} s")

    return tell


def _find(what: str | None, error: str) -> tuple[str, Facts]:
    """Return the address, and what the yard knows of the instance that it is of."""
    (server, *_) = find(what)
    if server.instance is None:
        return server.url, Facts(app_error=error)
    role, phase = server.instance["role"], server.instance["phase"]
    log = last_lines(Path(server.instance["log"]), 100) if phase != "running" else ""
    return server.url, Facts(role=role, log=log, phase=phase, app_error=error)
