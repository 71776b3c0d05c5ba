"""`redyard doctor`: examine a server and say what is wrong, why, and what to do."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from redyard.checks import Exposure, Facts
from redyard.cli.output import Output
from redyard.cli.servers import find
from redyard.cli.since import summaries
from redyard.cli.yard import calls
from redyard.doctor import Examination, checklist, examine, look_at_memory
from redyard.doctor.memory import Deep
from redyard.engine.files import last_lines
from redyard.units import parse_instant, parse_span

DAY = 86400.0
"""Seconds between bases: a base that is missing is found by them, a stream that stands still by its trouble."""

EXAMPLES = (
    "redyard doctor",
    "redyard doctor redis-store --checklist",
    'redyard doctor "$REDIS_URL" --memory',
    'redyard doctor --error "Too many connections"',
    "redyard doctor --since 7d",
)

TLS_FILES = ("REDIS_CA_FILE", "REDIS_CERT_FILE", "REDIS_KEY_FILE")
"""Variables of an instance's apps that the doctor needs as well."""

BEHIND = 10
"""By how much a deep look stands back where it shares a machine with the app and its server.

Not the system's idle class: where any other work fills the machine, such a command would be starved for seconds. Only
the thread that looks is of that class, as long as it gets on.
"""


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
    url, facts, overseer, environ = _find(what, error)
    if memory:
        os.nice(BEHIND)
        with out.working("Looking at every key"):
            deep = Deep(samples=samples)
            look = look_at_memory(url, environ=environ, deep=deep, resting=rest, told=_teller(out), aside=True)
            deep = asyncio.run(look)
        return out.show(deep.to_json(), "examined_views:memory")
    with out.working("Examining"):
        seen = asyncio.run(examine(url, facts=facts, overseer=overseer, environ=environ))
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


def _find(what: str | None, error: str) -> tuple[str, Facts, str, Mapping[str, str]]:
    """Return the address, what the yard knows of its instance, its overseer's address, and its apps' environment."""
    (server, *_) = find(what)
    if server.instance is None:
        return server.url, Facts(app_error=error), "", os.environ
    instance, yard = server.instance, calls()
    log = last_lines(Path(instance["log"]), 100) if instance["phase"] != "running" else ""
    exposure = None if instance["attached"] else _exposure(instance["name"])
    facts = Facts(role=instance["role"], log=log, phase=instance["phase"], app_error=error, exposure=exposure)
    variables = yard.variables(instance["name"])
    files = {name: variables[name] for name in TLS_FILES if name in variables}
    overseer = "" if instance["attached"] else yard.login(instance["name"], "yard")["url"]
    return server.url, _with_backups(facts, instance), overseer, {**os.environ, **files}


def _exposure(name: str) -> Exposure | None:
    """Return what lies open of an instance that answers."""
    seen = calls().exposure(name)["instances"]
    return msgspec.convert(seen[0], Exposure) if seen else None


def _with_backups(facts: Facts, instance: dict[str, Any]) -> Facts:
    """Add what the yard knows of an instance's backups; a young one need not be proved yet."""
    if not (backups := instance.get("backups")):
        return facts
    moments = {name: parse_instant(text) if (text := backups[name]) else 0.0 for name in ("stored_until", "proved_at")}
    return msgspec.structs.replace(
        facts,
        backup_at=moments["stored_until"] or None,
        backup_verified_at=max(moments["proved_at"], parse_instant(instance["created_at"])),
        backup_every=max(backups["goal"], DAY),
        backup_off_machine=backups["off_machine"],
        backup_lag=backups["lag_seconds"],
        backup_gap_at=parse_instant(backups["gap_at"]) if backups["gap_at"] else None,
        backup_trouble=backups["trouble"],
    )
