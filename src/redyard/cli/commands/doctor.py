"""`redyard doctor`: examine a server and say what is wrong, why, and what to do."""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from redyard.checks import Facts
from redyard.cli.output import Output
from redyard.cli.yard import calls, home
from redyard.client.url import find_url
from redyard.doctor import Examination, checklist, examine, look_at_memory
from redyard.doctor.memory import Deep
from redyard.engine.files import last_lines
from redyard.units import parse_instant

DAY = 86400.0
"""Seconds between bases: a base that is missing is found by them, a stream that stands still by its trouble."""

EXAMPLES = (
    "redyard doctor",
    "redyard doctor redis-store --checklist",
    'redyard doctor "$REDIS_URL" --memory',
    'redyard doctor --error "Too many connections"',
)


def doctor(
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
) -> None:
    """Examine a server: what is wrong, why, and what to do.

    It takes less than five seconds and changes nothing. The exit status is 0 when nothing is at warning or worse.
    """
    url, facts = _find(what, error)
    if memory:
        with out.working("Looking at every key"):
            deep = asyncio.run(look_at_memory(url, environ=os.environ, resting=rest, told=_teller(out)))
        return out.show(deep.to_json(), "memory")
    with out.working("Examining"):
        seen = asyncio.run(examine(url, facts=facts))
    if as_checklist:
        return _show_checklist(out, seen)
    out.show(seen.to_json(), "examined")
    if seen.status:
        raise typer.Exit(seen.status)
    return None


def _show_checklist(out: Output, seen: Examination) -> None:
    answers = [answer._asdict() for answer in checklist.walk(seen.case, seen.findings)]
    out.show({"target": seen.target, "checklist": answers}, "checklist")
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
    if what is None and any(os.environ.get(name) for name in ("REDIS_URL", "REDISHOST")):
        return find_url(os.environ), Facts(app_error=error)
    if what is not None and ("://" in what or "$" in what or not what):
        return what, Facts(app_error=error)
    if what is None and not home().is_held():
        return find_url(os.environ), Facts(app_error=error)
    (instance, *_) = calls().info(what, show=True)["instances"]
    log = last_lines(Path(instance["log"]), 100) if instance["phase"] != "running" else ""
    facts = Facts(role=instance["role"], log=log, phase=instance["phase"], app_error=error)
    return instance["url"], _with_backups(facts, instance)


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
